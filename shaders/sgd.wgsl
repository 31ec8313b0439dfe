// Stochastic gradient descent with Keras's momentum: m = momentum m - lr g; w += m, or w += momentum m - lr g (NESTEROV);
// without MOMENTUM, w -= lr g. Skipped once a gradient was not finite. Thread = one element.
struct Sgd {
    n: u32,
    momentum: f32,
}
override MOMENTUM: u32 = 0u; // 1: `m` is there
override NESTEROV: u32 = 0u;
@group(0) @binding(0) var<uniform> p: Sgd;
@group(1) @binding(0) var<storage, read> grads: array<f32>;        // [n]
@group(1) @binding(1) var<storage, read> health: array<u32>;       // [2]
@group(1) @binding(2) var<storage, read_write> params: array<f32>; // [n]
@group(1) @binding(3) var<storage, read_write> m: array<f32>;      // [n]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.n || health[0] != 0u { return; }
    let step = scalars.learning_rate * grads[i];
    if MOMENTUM == 0u {
        params[i] = params[i] - step;
        return;
    }
    let velocity = p.momentum * m[i] - step;
    m[i] = velocity;
    if NESTEROV != 0u {
        params[i] = params[i] + (p.momentum * velocity - step);
    } else {
        params[i] = params[i] + velocity;
    }
}
