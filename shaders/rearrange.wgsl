// out[i, j, k] = x[i, j, k] (+ out), each with strides and a beginning of its own. Thread = one element.
struct Rearrange {
    count_0: u32, count_1: u32, count_2: u32,
    x_at: u32, x_stride_0: u32, x_stride_1: u32, x_stride_2: u32,
    out_at: u32, out_stride_0: u32, out_stride_1: u32, out_stride_2: u32,
    accumulate: u32,
}
@group(0) @binding(0) var<uniform> p: Rearrange;
@group(1) @binding(0) var<storage, read> x: array<f32>;
@group(1) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.count_0 * p.count_1 * p.count_2 { return; }
    let k = i % p.count_2;
    let j = i / p.count_2 % p.count_1;
    let h = i / (p.count_2 * p.count_1);
    let at = p.out_at + h * p.out_stride_0 + j * p.out_stride_1 + k * p.out_stride_2;
    var value = x[p.x_at + h * p.x_stride_0 + j * p.x_stride_1 + k * p.x_stride_2];
    if p.accumulate != 0u { value += out[at]; }
    out[at] = value;
}
