// out = x, for slots that do not begin where a binding may. Thread = one element.
struct Copy {
    n: u32,
    x_at: u32,
    out_at: u32,
    accumulate: u32,
}
@group(0) @binding(0) var<uniform> p: Copy;
@group(1) @binding(0) var<storage, read> x: array<f32>;         // [x_at + n]
@group(1) @binding(1) var<storage, read_write> out: array<f32>; // [out_at + n]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.n { return; }
    var value = x[p.x_at + i];
    if p.accumulate != 0u { value += out[p.out_at + i]; }
    out[p.out_at + i] = value;
}
