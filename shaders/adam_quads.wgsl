// For drivers that compute on a CPU: there each load is a loop over the lanes, a vec4's hardly dearer than a number's. Thread = four
// elements.
@group(1) @binding(0) var<storage, read> grads4: array<vec4<f32>>;
@group(1) @binding(2) var<storage, read_write> params4: array<vec4<f32>>;
@group(1) @binding(3) var<storage, read_write> m4: array<vec4<f32>>;
@group(1) @binding(4) var<storage, read_write> v4: array<vec4<f32>>;
@group(1) @binding(5) var<storage, read_write> v_hat4: array<vec4<f32>>;

@compute @workgroup_size(64)
fn quads(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.n / 4u || health[0] != 0u { return; }
    let g = grads4[i];
    let m_new = m4[i] + (g - m4[i]) * p.one_minus_beta_1;
    let v_new = v4[i] + (g * g - v4[i]) * p.one_minus_beta_2;
    m4[i] = m_new;
    v4[i] = v_new;
    var scale = v_new;
    if AMSGRAD != 0u {
        let before = v_hat4[i];
        scale = vec4(larger(before.x, scale.x), larger(before.y, scale.y), larger(before.z, scale.z), larger(before.w, scale.w));
        v_hat4[i] = scale;
    }
    params4[i] = params4[i] - scalars.adam_rate * m_new / (sqrt(scale) + p.epsilon);
}
