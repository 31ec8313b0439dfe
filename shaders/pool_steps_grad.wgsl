// dx = dy / count in the steps that made the mean or the largest value, else 0 (+ dx). Thread = one element.
struct PoolStepsGrad {
    rows: u32, samples: u32, features: u32, // rows of this run, N, F
    row_at: u32,                            // its first row of T N
    accumulate: u32,
}
override MAXIMUM: u32 = 0u; // 0: the mean, 1: the largest
override MASK: u32 = 0u;
@group(0) @binding(0) var<uniform> p: PoolStepsGrad;
@group(1) @binding(0) var<storage, read> x: array<f32>;        // [rows, F]
@group(1) @binding(1) var<storage, read> y: array<f32>;        // [N, F]
@group(1) @binding(2) var<storage, read> counts: array<f32>;   // [N, F]
@group(1) @binding(3) var<storage, read> mask: array<f32>;     // [rows]
@group(1) @binding(4) var<storage, read> dy: array<f32>;       // [N, F]
@group(1) @binding(5) var<storage, read_write> dx: array<f32>; // [rows, F]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.rows * p.features { return; }
    let whole = (p.row_at + i / p.features) % p.samples * p.features + i % p.features;
    var counted = true;
    if MAXIMUM != 0u { counted = x[i] == y[whole] || is_nan(y[whole]); }
    else if MASK != 0u { counted = mask[i / p.features] != 0.0; }
    var value = select(0.0, dy[whole] / counts[whole], counted);
    if p.accumulate != 0u { value += dx[i]; }
    dx[i] = value;
}
