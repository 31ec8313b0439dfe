// dx of batch normalisation through the batch's own statistics (Ioffe & Szegedy 2015, section 3):
// dx = gamma / sqrt(variance + epsilon) (dy - dbeta / M - x̂ dgamma / M), M = all rows, less what rounding of
// the means leaves of dx's own mean. Thread = one element.
struct BatchNormGrad {
    rows: u32, features: u32, // of this run
    total_rows: u32,          // M
    epsilon: f32,
    accumulate: u32,
}
override SCALE: u32 = 0u; // 1: gamma is there
@group(0) @binding(0) var<uniform> p: BatchNormGrad;
@group(1) @binding(0) var<storage, read> x: array<f32>;        // [rows, F]
@group(1) @binding(1) var<storage, read> dy: array<f32>;       // [rows, F]
@group(1) @binding(2) var<storage, read> mean: array<f32>;     // [F]
@group(1) @binding(3) var<storage, read> variance: array<f32>; // [F]
@group(1) @binding(4) var<storage, read> gamma: array<f32>;    // [F]
@group(1) @binding(5) var<storage, read> sums: array<f32>;     // [3, F] over all rows: dbeta, dgamma, batch_norm_grad_rest's
@group(1) @binding(6) var<storage, read_write> dx: array<f32>; // [rows, F]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.rows * p.features { return; }
    let feature = i % p.features;
    let deviation = sqrt(variance[feature] + p.epsilon);
    let x_hat = (x[i] - mean[feature]) / deviation;
    let m = f32(p.total_rows);
    // The rest joins the smaller term: taken from the difference it would be rounded away.
    let of_scale = x_hat * (sums[p.features + feature] / m) + sums[2u * p.features + feature] / m;
    var value = (dy[i] - sums[feature] / m - of_scale) / deviation;
    if SCALE != 0u { value *= gamma[feature]; }
    if p.accumulate != 0u { value += dx[i]; }
    dx[i] = value;
}
