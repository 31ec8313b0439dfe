// y (+)= gamma (x - mean) / sqrt(variance + epsilon) + beta (Ioffe & Szegedy 2015, algorithm 1). Mean and variance are the batch's in
// training and the moving ones in inference: the plan binds the right ones. Groups of rows, the time steps of a recurrent layer,
// may have a mean and a variance each. Thread = one element.
struct BatchNormApply {
    rows: u32, features: u32,
    group_rows: u32, // rows of one group
    row_at: u32,     // first row, where rows come in several runs
    last_group: u32, // rows behind it use its statistics
    epsilon: f32,
    accumulate: u32,
    x_at: u32, y_at: u32,
}
override SCALE: u32 = 0u;  // 1: gamma is there
override CENTER: u32 = 0u; // 1: beta is there
@group(0) @binding(0) var<uniform> p: BatchNormApply;
@group(1) @binding(0) var<storage, read> x: array<f32>;        // [rows, F]
@group(1) @binding(1) var<storage, read> mean: array<f32>;     // [groups, F]
@group(1) @binding(2) var<storage, read> variance: array<f32>; // [groups, F]
@group(1) @binding(3) var<storage, read> gamma: array<f32>;    // [F]
@group(1) @binding(4) var<storage, read> beta: array<f32>;     // [F]
@group(1) @binding(5) var<storage, read_write> y: array<f32>;  // [rows, F]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.rows * p.features { return; }
    let feature = i % p.features;
    let group = min((p.row_at + i / p.features) / p.group_rows, p.last_group);
    let s = group * p.features + feature;
    var value = (x[p.x_at + i] - mean[s]) / sqrt(variance[s] + p.epsilon);
    if SCALE != 0u { value *= gamma[feature]; }
    if CENTER != 0u { value += beta[feature]; }
    if p.accumulate != 0u { value += y[p.y_at + i]; }
    y[p.y_at + i] = value;
}
