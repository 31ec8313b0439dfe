// The gradient of what a regularizer adds to the loss: dx (+)= (l1 sign(x) + 2 l2 x) / divisor. Thread = one element.
struct PenaltyGrad {
    n: u32,
    accumulate: u32,
    divisor: u32,
    l1: f32,
    l2: f32,
}
@group(0) @binding(0) var<uniform> p: PenaltyGrad;
@group(1) @binding(0) var<storage, read> x: array<f32>;        // [n]
@group(1) @binding(1) var<storage, read_write> dx: array<f32>; // [n]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.n { return; }
    var value = (p.l1 * sign_of(x[i]) + 2.0 * p.l2 * x[i]) / f32(p.divisor);
    if p.accumulate != 0u { value += dx[i]; }
    dx[i] = value;
}
