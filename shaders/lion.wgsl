// Lion (Chen et al. 2023) over the whole arena: w -= lr sign(beta_1 m + (1 - beta_1) g); m = beta_2 m + (1 - beta_2) g.
// Skipped once a gradient was not finite. Thread = one element.
struct Lion {
    n: u32,
    beta_1: f32,
    one_minus_beta_1: f32,
    beta_2: f32,
    one_minus_beta_2: f32,
}
@group(0) @binding(0) var<uniform> p: Lion;
@group(1) @binding(0) var<storage, read> grads: array<f32>;        // [n]
@group(1) @binding(1) var<storage, read> health: array<u32>;       // [2]
@group(1) @binding(2) var<storage, read_write> params: array<f32>; // [n]
@group(1) @binding(3) var<storage, read_write> m: array<f32>;      // [n]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.n || health[0] != 0u { return; }
    let g = grads[i];
    params[i] = params[i] - scalars.learning_rate * sign_of(p.beta_1 * m[i] + p.one_minus_beta_1 * g);
    m[i] = p.beta_2 * m[i] + p.one_minus_beta_2 * g;
}
