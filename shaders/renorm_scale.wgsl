// Batch renormalisation in terms of batch normalisation: (x̂ r + d) gamma + beta = x̂ scale + offset. Thread = one feature.
struct RenormScale {
    features: u32,
}
override SCALE: u32 = 0u;  // 1: gamma is there
override CENTER: u32 = 0u; // 1: beta is there
@group(0) @binding(0) var<uniform> p: RenormScale;
@group(1) @binding(0) var<storage, read> correction: array<f32>;   // [2, F]: r, d
@group(1) @binding(1) var<storage, read> gamma: array<f32>;        // [F]
@group(1) @binding(2) var<storage, read> beta: array<f32>;         // [F]
@group(1) @binding(3) var<storage, read_write> scale: array<f32>;  // [F]
@group(1) @binding(4) var<storage, read_write> offset: array<f32>; // [F]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.features { return; }
    var r = correction[i];
    var d = correction[p.features + i];
    if SCALE != 0u {
        r *= gamma[i];
        d *= gamma[i];
    }
    if CENTER != 0u { d += beta[i]; }
    scale[i] = r;
    offset[i] = d;
}
