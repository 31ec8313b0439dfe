// The gradients of layer normalisation's beta and gamma over a block of rows: sums of dy and of dy x̂, where
// x̂ = (x - mean) / sqrt(variance + epsilon) with mean and variance of the row. column_sum joins the blocks. Thread = one feature of
// one block.
struct LayerNormGradSums {
    rows: u32, features: u32,
    block_rows: u32,
    block_at: u32, // first block, where rows come in several runs
    row_at: u32,   // first row of mean and variance
    epsilon: f32,
    x_at: u32, dy_at: u32,
}
@group(0) @binding(0) var<uniform> p: LayerNormGradSums;
@group(1) @binding(0) var<storage, read> x: array<f32>;          // [rows, F]
@group(1) @binding(1) var<storage, read> dy: array<f32>;         // [rows, F]
@group(1) @binding(2) var<storage, read> mean: array<f32>;       // [all rows]
@group(1) @binding(3) var<storage, read> variance: array<f32>;   // [all rows]
@group(1) @binding(4) var<storage, read_write> sums: array<f32>; // [blocks, 2, F]: dbeta, dgamma

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    let blocks = (p.rows + p.block_rows - 1u) / p.block_rows;
    if i >= blocks * p.features { return; }
    let feature = i % p.features;
    let first = (i / p.features) * p.block_rows;
    let last = min(p.rows, first + p.block_rows);
    var dbeta = 0.0;
    var dgamma = 0.0;
    for (var run = first; run < last; run += RUN) {
        var run_dbeta = 0.0;
        var run_dgamma = 0.0;
        for (var row = run; row < min(last, run + RUN); row++) {
            let at = row * p.features + feature;
            let s = p.row_at + row;
            run_dbeta += dy[p.dy_at + at];
            run_dgamma += dy[p.dy_at + at] * ((x[p.x_at + at] - mean[s]) / sqrt(variance[s] + p.epsilon));
        }
        dbeta += run_dbeta;
        dgamma += run_dgamma;
    }
    let out = (p.block_at + i / p.features) * 2u * p.features + feature;
    sums[out] = dbeta;
    sums[out + p.features] = dgamma;
}
