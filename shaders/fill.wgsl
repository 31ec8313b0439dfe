// out = value. Thread = one element.
struct Fill {
    n: u32,
    at: u32,
    value: f32,
}
@group(0) @binding(0) var<uniform> p: Fill;
@group(1) @binding(0) var<storage, read_write> out: array<f32>; // [at + n]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i < p.n { out[p.at + i] = p.value; }
}
