// y = scale * x + offset (+ y). Called by Rescaling: forward, and backward with offset 0. Thread = one element.
struct Rescale {
    n: u32,
    scale: f32,
    offset: f32,
    accumulate: u32,
}
@group(0) @binding(0) var<uniform> p: Rescale;
@group(1) @binding(0) var<storage, read> x: array<f32>;       // [n]
@group(1) @binding(1) var<storage, read_write> y: array<f32>; // [n]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.n { return; }
    var value = x[i] * p.scale + p.offset;
    if p.accumulate != 0u { value += y[i]; }
    y[i] = value;
}
