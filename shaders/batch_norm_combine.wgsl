// Joins the blocks of batch_norm_partial in order: count-weighted means and M2 (Chan, Golub & LeVeque 1983), then the biased
// variance. Thread = one feature.
struct BatchNormCombine {
    rows: u32, features: u32,
    block_rows: u32,
}
@group(0) @binding(0) var<uniform> p: BatchNormCombine;
@group(1) @binding(0) var<storage, read> means: array<f32>;          // [blocks, F]
@group(1) @binding(1) var<storage, read> m2s: array<f32>;            // [blocks, F]
@group(1) @binding(2) var<storage, read_write> mean: array<f32>;     // [F]
@group(1) @binding(3) var<storage, read_write> variance: array<f32>; // [F]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let feature = element(id);
    if feature >= p.features { return; }
    let blocks = (p.rows + p.block_rows - 1u) / p.block_rows;
    var total_mean = means[feature];
    var total_m2 = m2s[feature];
    var count = f32(min(p.rows, p.block_rows));
    for (var block = 1u; block < blocks; block++) {
        let n = f32(min(p.rows, (block + 1u) * p.block_rows) - block * p.block_rows);
        let delta = means[block * p.features + feature] - total_mean;
        let share = n / (count + n);
        total_mean += delta * share;
        total_m2 += m2s[block * p.features + feature] + delta * delta * count * share;
        count += n;
    }
    mean[feature] = total_mean;
    variance[feature] = total_m2 / count;
}
