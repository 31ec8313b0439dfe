// The gradient of batch renormalisation's gamma: (+)= the sum over all rows of dy (x̂ r + d), where r and d are constants.
// Thread = one feature.
struct RenormGrad {
    features: u32,
    accumulate: u32,
}
@group(0) @binding(0) var<uniform> p: RenormGrad;
@group(1) @binding(0) var<storage, read> correction: array<f32>;   // [2, F]: r, d
@group(1) @binding(1) var<storage, read> sums: array<f32>;         // [2, F]: of dy, of dy x̂
@group(1) @binding(2) var<storage, read_write> dgamma: array<f32>; // [F]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.features { return; }
    var value = correction[i] * sums[p.features + i] + correction[p.features + i] * sums[i];
    if p.accumulate != 0u { value += dgamma[i]; }
    dgamma[i] = value;
}
