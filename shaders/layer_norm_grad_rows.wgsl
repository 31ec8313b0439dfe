// What the gradient of layer normalisation needs of a row: the sums of g and of g x̂ over its features, where g = gamma dy and
// x̂ = (x - mean) / sqrt(variance + epsilon). Thread = one row.
struct LayerNormGradRows {
    rows: u32, features: u32,
    row_at: u32, // first row of mean, variance and sums
    epsilon: f32,
    x_at: u32, dy_at: u32,
}
override SCALE: u32 = 0u; // 1: gamma is there
@group(0) @binding(0) var<uniform> p: LayerNormGradRows;
@group(1) @binding(0) var<storage, read> x: array<f32>;          // [rows, F]
@group(1) @binding(1) var<storage, read> dy: array<f32>;         // [rows, F]
@group(1) @binding(2) var<storage, read> mean: array<f32>;       // [all rows]
@group(1) @binding(3) var<storage, read> variance: array<f32>;   // [all rows]
@group(1) @binding(4) var<storage, read> gamma: array<f32>;      // [F]
@group(1) @binding(5) var<storage, read_write> sums: array<f32>; // [all rows, 2]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = element(id);
    if row >= p.rows { return; }
    let s = p.row_at + row;
    let m = mean[s];
    let deviation = sqrt(variance[s] + p.epsilon);
    var sum = 0.0;
    var dot_sum = 0.0;
    for (var run = 0u; run < p.features; run += RUN) {
        var run_sum = 0.0;
        var run_dot = 0.0;
        for (var feature = run; feature < min(p.features, run + RUN); feature++) {
            let i = row * p.features + feature;
            var g = dy[p.dy_at + i];
            if SCALE != 0u { g *= gamma[feature]; }
            run_sum += g;
            run_dot += g * ((x[p.x_at + i] - m) / deviation);
        }
        sum += run_sum;
        dot_sum += run_dot;
    }
    sums[2u * s] = sum;
    sums[2u * s + 1u] = dot_sum;
}
