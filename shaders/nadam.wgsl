// Nadam (Dozat 2016) over the whole arena, as Keras computes it: m += (g - m)(1 - beta_1); v += (g² - v)(1 - beta_2);
// w -= (momentum_rate m + gradient_rate g) / (sqrt(variance_rate v) + epsilon), the rates as the host computes them for this step.
// Skipped once a gradient was not finite. Thread = one element.
struct Nadam {
    n: u32,
    one_minus_beta_1: f32,
    one_minus_beta_2: f32,
    epsilon: f32,
}
@group(0) @binding(0) var<uniform> p: Nadam;
@group(1) @binding(0) var<storage, read> grads: array<f32>;        // [n]
@group(1) @binding(1) var<storage, read> health: array<u32>;       // [2]
@group(1) @binding(2) var<storage, read_write> params: array<f32>; // [n]
@group(1) @binding(3) var<storage, read_write> m: array<f32>;      // [n]
@group(1) @binding(4) var<storage, read_write> v: array<f32>;      // [n]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.n || health[0] != 0u { return; }
    let g = grads[i];
    let m_new = m[i] + (g - m[i]) * p.one_minus_beta_1;
    let v_new = v[i] + (g * g - v[i]) * p.one_minus_beta_2;
    m[i] = m_new;
    v[i] = v_new;
    let change = scalars.momentum_rate * m_new + scalars.gradient_rate * g;
    params[i] = params[i] - change / (sqrt(scalars.variance_rate * v_new) + p.epsilon);
}
