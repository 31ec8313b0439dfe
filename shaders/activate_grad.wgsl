// dx = dy activation'(x), from y or x as activation_saved tells. Thread = one element.
struct ActivateGrad {
    n: u32,
    accumulate: u32,
}
override ACTIVATION: u32 = 0u;
@group(0) @binding(0) var<uniform> p: ActivateGrad;
@group(1) @binding(0) var<storage, read> saved: array<f32>;    // [n]
@group(1) @binding(1) var<storage, read> dy: array<f32>;       // [n]
@group(1) @binding(2) var<storage, read_write> dx: array<f32>; // [n]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.n { return; }
    var value = dy[i] * activation_slope(ACTIVATION, saved[i]);
    if p.accumulate != 0u { value += dx[i]; }
    dx[i] = value;
}
