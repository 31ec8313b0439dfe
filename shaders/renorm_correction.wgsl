// r and d of batch renormalisation (Ioffe 2017, algorithm 1), clipped: what leads from a batch's mean and deviation to the moving
// ones. The moving deviation is taken as sqrt(epsilon) at least, as Keras does. Thread = one feature.
struct RenormCorrection {
    features: u32,
    epsilon: f32,
    r_min: f32, r_max: f32,
    d_max: f32,
}
@group(0) @binding(0) var<uniform> p: RenormCorrection;
@group(1) @binding(0) var<storage, read> mean: array<f32>;             // [F]
@group(1) @binding(1) var<storage, read> variance: array<f32>;         // [F]
@group(1) @binding(2) var<storage, read> renorm_mean: array<f32>;      // [F]
@group(1) @binding(3) var<storage, read> renorm_stddev: array<f32>;    // [F]
@group(1) @binding(4) var<storage, read_write> correction: array<f32>; // [2, F]: r, d

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.features { return; }
    let deviation = larger(renorm_stddev[i], sqrt(p.epsilon));
    let r = sqrt(variance[i] + p.epsilon) / deviation;
    let d = (mean[i] - renorm_mean[i]) / deviation;
    correction[i] = smaller(larger(r, p.r_min), p.r_max);
    correction[p.features + i] = smaller(larger(d, -p.d_max), p.d_max);
}
