// Fills a batch from rows that stay on the device: out[t, n, f] = data[start(order[first + n]) + t, f], and the same of a second array,
// as inputs and targets. Thread = one element.
// Only samples that start in [row_first, row_last) are copied: a data set larger than one binding takes several runs.
struct Gather {
    samples: u32, steps: u32, features: u32, // N, T, F
    windows: u32,   // 1: samples begin where `starts` says; 0: sample s begins at row s T
    row_first: u32, row_last: u32,
    row_base: u32,  // the row that `data` is bound at
    more_steps: u32, more_features: u32, // of `more_batch`; none where there is nothing more
}
@group(0) @binding(0) var<uniform> p: Gather;
@group(1) @binding(0) var<storage, read> data: array<f32>;   // [R, F]
@group(1) @binding(1) var<storage, read> order: array<u32>;  // [S]
@group(1) @binding(2) var<storage, read> starts: array<u32>; // [S]
@group(1) @binding(3) var<storage, read> more: array<f32>;   // [S more_steps, more_features], a sample's rows behind each other
@group(1) @binding(4) var<storage, read_write> batch: array<f32>;      // [T, N, F]
@group(1) @binding(5) var<storage, read_write> more_batch: array<f32>; // [more_steps, N, more_features]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    let len = p.samples * p.steps * p.features;
    if i >= len {
        gather_more(i - len);
        return;
    }
    let f = i % p.features;
    let n = (i / p.features) % p.samples;
    let t = i / (p.features * p.samples);
    let sample = order[scalars.first + n];
    var start = sample * p.steps;
    if p.windows != 0u { start = starts[sample]; }
    if start < p.row_first || start >= p.row_last { return; }
    batch[i] = data[(start - p.row_base + t) * p.features + f];
}

fn gather_more(i: u32) {
    if i >= p.samples * p.more_steps * p.more_features { return; }
    let f = i % p.more_features;
    let n = (i / p.more_features) % p.samples;
    let t = i / (p.more_features * p.samples);
    more_batch[i] = more[(order[scalars.first + n] * p.more_steps + t) * p.more_features + f];
}
