// mask = 0 with probability `rate`, else 1 / (1 - rate). Thread = one element.
struct DropoutMask {
    n: u32,
    key_0: u32, key_1: u32,
    threshold: u32, // rate 2^32
    rate: f32,
}
@group(0) @binding(0) var<uniform> p: DropoutMask;
@group(1) @binding(0) var<storage, read_write> mask: array<f32>; // [n]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i < p.n { mask[i] = dropout_factor(i, vec2<u32>(p.key_0, p.key_1), p.threshold, p.rate); }
}
