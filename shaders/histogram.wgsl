// Weights of the positive and of the negative labels by their predictions' bucket, over a block of rows: bucket i holds the predictions
// above i / (B - 1) and up to (i + 1) / (B - 1), and bucket 0 also 0, as in Keras's AUC. Thread = one bucket of one block.
struct Histogram {
    rows: u32, outputs: u32, // of this run
    buckets: u32,            // B
    block_rows: u32,
    block_at: u32, // first block, where rows come in several runs
    weighted: u32, // 1: `weights` is there
}
@group(0) @binding(0) var<uniform> p: Histogram;
@group(1) @binding(0) var<storage, read> prediction: array<f32>; // [rows, O]
@group(1) @binding(1) var<storage, read> truth: array<f32>;      // [rows, O]
@group(1) @binding(2) var<storage, read> weights: array<f32>;    // [rows]
@group(1) @binding(3) var<storage, read_write> sums: array<f32>; // [blocks, 2, B]

fn bucket(x: f32) -> u32 {
    if is_nan(x) { return 0u; }
    return u32(max(ceil(clamp(x, 0.0, 1.0) * f32(p.buckets - 1u)) - 1.0, 0.0));
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    let blocks = (p.rows + p.block_rows - 1u) / p.block_rows;
    if i >= blocks * p.buckets { return; }
    let its = i % p.buckets;
    let first = (i / p.buckets) * p.block_rows;
    let last = min(p.rows, first + p.block_rows);
    var positive = 0.0;
    var negative = 0.0;
    for (var row = first; row < last; row++) {
        var weight = 1.0;
        if p.weighted != 0u { weight = weights[row]; }
        for (var at = row * p.outputs; at < (row + 1u) * p.outputs; at++) {
            if bucket(prediction[at]) != its { continue; }
            // A label that is no number counts as positive, as any other that is not 0.
            if truth[at] == 0.0 { negative += weight; } else { positive += weight; }
        }
    }
    let out = (p.block_at + i / p.buckets) * 2u * p.buckets + its;
    sums[out] = positive;
    sums[out + p.buckets] = negative;
}
