// Adam (Kingma & Ba 2015) over the whole arena, with Keras's placement of epsilon:
// m += (g - m)(1 - beta_1); v += (g² - v)(1 - beta_2); w -= rate m / (sqrt(v) + epsilon), rate = lr sqrt(1 - beta_2^t) / (1 - beta_1^t).
// AMSGRAD (Reddi et al. 2018): v_hat = max(v_hat, v) takes v's place under the root.
// Skipped once a gradient was not finite. Thread = one element.
struct Adam {
    n: u32,
    one_minus_beta_1: f32,
    one_minus_beta_2: f32,
    epsilon: f32,
}
override AMSGRAD: u32 = 0u; // 1: `v_hat` is there
@group(0) @binding(0) var<uniform> p: Adam;
@group(1) @binding(0) var<storage, read> grads: array<f32>;        // [n]
@group(1) @binding(1) var<storage, read> health: array<u32>;       // [2]
@group(1) @binding(2) var<storage, read_write> params: array<f32>; // [n]
@group(1) @binding(3) var<storage, read_write> m: array<f32>;      // [n]
@group(1) @binding(4) var<storage, read_write> v: array<f32>;      // [n]
@group(1) @binding(5) var<storage, read_write> v_hat: array<f32>;  // [n]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.n || health[0] != 0u { return; }
    let g = grads[i];
    let m_new = m[i] + (g - m[i]) * p.one_minus_beta_1;
    let v_new = v[i] + (g * g - v[i]) * p.one_minus_beta_2;
    m[i] = m_new;
    v[i] = v_new;
    var scale = v_new;
    if AMSGRAD != 0u {
        scale = larger(v_hat[i], v_new);
        v_hat[i] = scale;
    }
    params[i] = params[i] - scalars.adam_rate * m_new / (sqrt(scale) + p.epsilon);
}
