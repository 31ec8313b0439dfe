// Adagrad (Duchi et al. 2011) over the whole arena, as Keras computes it: a += g²; w -= lr g / sqrt(a + epsilon).
// Skipped once a gradient was not finite. Thread = one element.
struct Adagrad {
    n: u32,
    epsilon: f32,
}
@group(0) @binding(0) var<uniform> p: Adagrad;
@group(1) @binding(0) var<storage, read> grads: array<f32>;             // [n]
@group(1) @binding(1) var<storage, read> health: array<u32>;            // [2]
@group(1) @binding(2) var<storage, read_write> params: array<f32>;      // [n]
@group(1) @binding(3) var<storage, read_write> accumulator: array<f32>; // [n]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.n || health[0] != 0u { return; }
    let g = grads[i];
    let sum = accumulator[i] + g * g;
    accumulator[i] = sum;
    params[i] = params[i] - scalars.learning_rate * g / sqrt(sum + p.epsilon);
}
