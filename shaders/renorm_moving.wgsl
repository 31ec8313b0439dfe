// Moving statistics of batch renormalisation (Ioffe 2017), with Keras's two momenta: of the correction, and of inference, whose
// variance follows from its moving deviation. Skipped once a gradient was not finite, so that the last good state survives.
// Thread = one feature.
struct RenormMoving {
    features: u32,
    epsilon: f32,
    momentum: f32, one_minus_momentum: f32,
    renorm_momentum: f32, one_minus_renorm_momentum: f32,
}
@group(0) @binding(0) var<uniform> p: RenormMoving;
@group(1) @binding(0) var<storage, read> mean: array<f32>;                  // [F]
@group(1) @binding(1) var<storage, read> variance: array<f32>;              // [F]
@group(1) @binding(2) var<storage, read> health: array<u32>;                // [2]: step and index of the first bad gradient
@group(1) @binding(3) var<storage, read_write> moving_mean: array<f32>;     // [F]
@group(1) @binding(4) var<storage, read_write> moving_variance: array<f32>; // [F]
@group(1) @binding(5) var<storage, read_write> moving_stddev: array<f32>;   // [F]
@group(1) @binding(6) var<storage, read_write> renorm_mean: array<f32>;     // [F]
@group(1) @binding(7) var<storage, read_write> renorm_stddev: array<f32>;   // [F]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.features || health[0] != 0u { return; }
    let stddev = sqrt(variance[i] + p.epsilon);
    renorm_mean[i] = renorm_mean[i] * p.renorm_momentum + mean[i] * p.one_minus_renorm_momentum;
    renorm_stddev[i] = renorm_stddev[i] * p.renorm_momentum + stddev * p.one_minus_renorm_momentum;
    moving_mean[i] = moving_mean[i] * p.momentum + mean[i] * p.one_minus_momentum;
    let moved = moving_stddev[i] * p.momentum + stddev * p.one_minus_momentum;
    moving_stddev[i] = moved;
    moving_variance[i] = larger(moved * moved - p.epsilon, 0.0);
}
