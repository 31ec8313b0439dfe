// Joins the blocks of batch_norm_partial in order: count-weighted means and M2 (Chan, Golub & LeVeque 1983), then the biased
// variance. Where rows are masked, Keras divides by their number + 1e-7: the mean shrinks by n / (n + 1e-7), and squared
// deviations are those from that mean. Thread = one feature.
struct BatchNormCombine {
    rows: u32, features: u32,
    block_rows: u32,
}
override MASKED: u32 = 0u; // 1: blocks have counts of their own, 2: each of their features has
@group(0) @binding(0) var<uniform> p: BatchNormCombine;
@group(1) @binding(0) var<storage, read> means: array<f32>;          // [blocks, F]
@group(1) @binding(1) var<storage, read> m2s: array<f32>;            // [blocks, F]
@group(1) @binding(2) var<storage, read> counts: array<f32>;         // [blocks] or [blocks, F]
@group(1) @binding(3) var<storage, read_write> mean: array<f32>;     // [F], masked: [F + 1] or [2, F], the rows that count behind it
@group(1) @binding(4) var<storage, read_write> variance: array<f32>; // [F]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let feature = element(id);
    if feature >= p.features { return; }
    let blocks = (p.rows + p.block_rows - 1u) / p.block_rows;
    var total_mean = means[feature];
    var total_m2 = m2s[feature];
    var count = block_count(0u, feature);
    for (var block = 1u; block < blocks; block++) {
        let n = block_count(block, feature);
        let delta = means[block * p.features + feature] - total_mean;
        if MASKED == 0u || n > 0.0 {
            let share = n / (count + n);
            total_mean += delta * share;
            total_m2 += m2s[block * p.features + feature] + delta * delta * count * share;
        }
        count += n;
    }
    if MASKED != 0u {
        let divisor = count + 1e-7;
        let shift = total_mean * (1e-7 / divisor);
        mean[feature] = total_mean * (count / divisor);
        variance[feature] = (total_m2 + count * shift * shift) / divisor;
        if MASKED == 2u || feature == 0u { mean[p.features + feature] = count; }
    } else {
        mean[feature] = total_mean;
        variance[feature] = total_m2 / count;
    }
}

fn block_count(block: u32, feature: u32) -> f32 {
    if MASKED == 2u { return counts[block * p.features + feature]; }
    if MASKED == 1u { return counts[block]; }
    return f32(min(p.rows, (block + 1u) * p.block_rows) - block * p.block_rows);
}
