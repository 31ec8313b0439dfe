// y (+)= gamma (x - mean) / sqrt(variance + epsilon) + beta, mean and variance of the row (Ba et al. 2016). Thread = one element.
struct LayerNormApply {
    rows: u32, features: u32,
    row_at: u32, // first row of mean and variance
    epsilon: f32,
    accumulate: u32,
    x_at: u32, y_at: u32,
}
override SCALE: u32 = 0u;  // 1: gamma is there
override CENTER: u32 = 0u; // 1: beta is there
@group(0) @binding(0) var<uniform> p: LayerNormApply;
@group(1) @binding(0) var<storage, read> x: array<f32>;        // [rows, F]
@group(1) @binding(1) var<storage, read> mean: array<f32>;     // [all rows]
@group(1) @binding(2) var<storage, read> variance: array<f32>; // [all rows]
@group(1) @binding(3) var<storage, read> gamma: array<f32>;    // [F]
@group(1) @binding(4) var<storage, read> beta: array<f32>;     // [F]
@group(1) @binding(5) var<storage, read_write> y: array<f32>;  // [rows, F]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.rows * p.features { return; }
    let row = p.row_at + i / p.features;
    let feature = i % p.features;
    var value = (x[p.x_at + i] - mean[row]) / sqrt(variance[row] + p.epsilon);
    if SCALE != 0u { value *= gamma[feature]; }
    if CENTER != 0u { value += beta[feature]; }
    if p.accumulate != 0u { value += y[p.y_at + i]; }
    y[p.y_at + i] = value;
}
