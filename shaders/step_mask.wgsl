// mask = 1 for rows with a feature other than `value`, else 0. Thread = one row.
struct StepMask {
    rows: u32, features: u32,
    value: f32,
}
@group(0) @binding(0) var<uniform> p: StepMask;
@group(1) @binding(0) var<storage, read> x: array<f32>;          // [rows, F]
@group(1) @binding(1) var<storage, read_write> mask: array<f32>; // [rows]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = element(id);
    if row >= p.rows { return; }
    var counts = 0.0;
    for (var f = 0u; f < p.features; f++) {
        let value = x[row * p.features + f];
        if value != p.value || is_nan(value) { counts = 1.0; }
    }
    mask[row] = counts;
}
