// y = x times a factor that is 0 with probability `rate`, else 1 / (1 - rate) (+ y). Backwards the same factors come again, so
// that none are kept. Where a stride is 0 all elements along its axis share a factor. Thread = one element.
struct Dropout {
    rows: u32, samples: u32, features: u32, // rows of this run, N, F
    row_at: u32,                            // its first row of T N
    step_stride: u32, sample_stride: u32, feature_stride: u32,
    key_0: u32, key_1: u32,
    threshold: u32, // rate 2^32
    rate: f32,
    accumulate: u32,
}
@group(0) @binding(0) var<uniform> p: Dropout;
@group(1) @binding(0) var<storage, read> x: array<f32>;       // [rows, F]
@group(1) @binding(1) var<storage, read_write> y: array<f32>; // [rows, F]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.rows * p.features { return; }
    let row = p.row_at + i / p.features;
    let index = row / p.samples * p.step_stride + row % p.samples * p.sample_stride + i % p.features * p.feature_stride;
    let factor = dropout_factor(index, vec2<u32>(p.key_0, p.key_1), p.threshold, p.rate);
    var value = select(0.0, x[i] * factor, factor != 0.0);
    if p.accumulate != 0u { value += y[i]; }
    y[i] = value;
}
