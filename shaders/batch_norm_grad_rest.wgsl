// What rounding leaves of the sum of batch_norm_grad's dx over a block of rows, before gamma / sqrt(variance + epsilon): it would be 0, but
// dbeta / M and the mean in x̂ are rounded alike in every row, and that adds up in the bias of the layer before. column_sum joins
// the blocks. Thread = one feature of one block.
struct BatchNormGradRest {
    rows: u32, features: u32,
    block_rows: u32,
    block_at: u32,   // first block, where rows come in several runs
    total_rows: u32, // M
    epsilon: f32,
}
@group(0) @binding(0) var<uniform> p: BatchNormGradRest;
@group(1) @binding(0) var<storage, read> x: array<f32>;          // [rows, F]
@group(1) @binding(1) var<storage, read> dy: array<f32>;         // [rows, F]
@group(1) @binding(2) var<storage, read> mean: array<f32>;       // [F]
@group(1) @binding(3) var<storage, read> variance: array<f32>;   // [F]
@group(1) @binding(4) var<storage, read> sums: array<f32>;       // [2, F]: dbeta, dgamma over all rows
@group(1) @binding(5) var<storage, read_write> rest: array<f32>; // [blocks, F]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    let blocks = (p.rows + p.block_rows - 1u) / p.block_rows;
    if i >= blocks * p.features { return; }
    let feature = i % p.features;
    let first = (i / p.features) * p.block_rows;
    let last = min(p.rows, first + p.block_rows);
    let deviation = sqrt(variance[feature] + p.epsilon);
    let m = f32(p.total_rows);
    let of_bias = sums[feature] / m;
    let of_scale = sums[p.features + feature] / m;
    var total = 0.0;
    for (var run = first; run < last; run += RUN) {
        var of_run = 0.0;
        for (var row = run; row < min(last, run + RUN); row++) {
            let at = row * p.features + feature;
            of_run += dy[at] - of_bias - (x[at] - mean[feature]) / deviation * of_scale;
        }
        total += of_run;
    }
    rest[p.block_at * p.features + i] = total;
}
