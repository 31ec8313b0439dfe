// Joins a batch's mean and biased variance to those of all rows before it (Chan, Golub & LeVeque 1983), so that after the last
// batch they are the whole data set's. Thread = one feature.
struct BatchNormPopulation {
    features: u32,
    rows: u32, // of the batch
}
override MASKED: u32 = 0u; // 1: the number of rows stands behind each of the means
@group(0) @binding(0) var<uniform> p: BatchNormPopulation;
@group(1) @binding(0) var<storage, read> mean: array<f32>;                // [F], masked [2, F]
@group(1) @binding(1) var<storage, read> variance: array<f32>;            // [F]
@group(1) @binding(2) var<storage, read_write> counts: array<f32>;        // [F] rows so far
@group(1) @binding(3) var<storage, read_write> total_mean: array<f32>;     // [F]
@group(1) @binding(4) var<storage, read_write> total_variance: array<f32>; // [F]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.features { return; }
    var n = f32(p.rows);
    if MASKED == 1u { n = mean[p.features + i]; }
    if n == 0.0 { return; }
    let count = counts[i] + n;
    let share = n / count;
    var old_mean = 0.0;
    var old_variance = 0.0;
    if counts[i] > 0.0 {
        old_mean = total_mean[i];
        old_variance = total_variance[i];
    }
    let delta = mean[i] - old_mean;
    let rest = counts[i] / count;
    total_mean[i] = old_mean + delta * share;
    total_variance[i] = old_variance * rest + variance[i] * share + delta * delta * (share * rest);
    counts[i] = count;
}
