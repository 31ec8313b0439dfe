// dx (+)= (g - Σg / F - x̂ Σ(g x̂) / F) / sqrt(variance + epsilon), g = gamma dy, sums over the row's features (Ba et al. 2016).
// Thread = one element.
struct LayerNormGrad {
    rows: u32, features: u32,
    row_at: u32, // first row of mean, variance and sums
    epsilon: f32,
    accumulate: u32,
    x_at: u32, dy_at: u32, dx_at: u32,
}
override SCALE: u32 = 0u; // 1: gamma is there
@group(0) @binding(0) var<uniform> p: LayerNormGrad;
@group(1) @binding(0) var<storage, read> x: array<f32>;        // [rows, F]
@group(1) @binding(1) var<storage, read> dy: array<f32>;       // [rows, F]
@group(1) @binding(2) var<storage, read> mean: array<f32>;     // [all rows]
@group(1) @binding(3) var<storage, read> variance: array<f32>; // [all rows]
@group(1) @binding(4) var<storage, read> gamma: array<f32>;    // [F]
@group(1) @binding(5) var<storage, read> sums: array<f32>;     // [all rows, 2]
@group(1) @binding(6) var<storage, read_write> dx: array<f32>; // [rows, F]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.rows * p.features { return; }
    let s = p.row_at + i / p.features;
    let deviation = sqrt(variance[s] + p.epsilon);
    let x_hat = (x[p.x_at + i] - mean[s]) / deviation;
    var g = dy[p.dy_at + i];
    if SCALE != 0u { g *= gamma[i % p.features]; }
    let count = f32(p.features);
    var value = (g - sums[2u * s] / count - x_hat * (sums[2u * s + 1u] / count)) / deviation;
    if p.accumulate != 0u { value += dx[p.dx_at + i]; }
    dx[p.dx_at + i] = value;
}
