// y = x in rows whose mask is 1, else 0 (+ y): what is masked is left out even where it is no number. Thread = one element.
struct MaskRows {
    rows: u32, features: u32,
    accumulate: u32,
}
@group(0) @binding(0) var<uniform> p: MaskRows;
@group(1) @binding(0) var<storage, read> x: array<f32>;       // [rows, F]
@group(1) @binding(1) var<storage, read> mask: array<f32>;    // [rows]
@group(1) @binding(2) var<storage, read_write> y: array<f32>; // [rows, F]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.rows * p.features { return; }
    var value = select(0.0, x[i], mask[i / p.features] != 0.0);
    if p.accumulate != 0u { value += y[i]; }
    y[i] = value;
}
