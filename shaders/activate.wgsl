// y = activation(x). Thread = one element.
struct Activate {
    n: u32,
}
override ACTIVATION: u32 = 0u;
@group(0) @binding(0) var<uniform> p: Activate;
@group(1) @binding(0) var<storage, read> x: array<f32>;       // [n]
@group(1) @binding(1) var<storage, read_write> y: array<f32>; // [n]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i < p.n { y[i] = activation_value(ACTIVATION, x[i]); }
}
