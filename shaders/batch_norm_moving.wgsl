// moving = moving momentum + batch (1 - momentum), for mean and variance. Skipped once a gradient was not finite, so that the
// last good state survives. Thread = one feature.
struct BatchNormMoving {
    features: u32,
    momentum: f32,
    one_minus_momentum: f32,
}
@group(0) @binding(0) var<uniform> p: BatchNormMoving;
@group(1) @binding(0) var<storage, read> mean: array<f32>;                  // [F]
@group(1) @binding(1) var<storage, read> variance: array<f32>;              // [F]
@group(1) @binding(2) var<storage, read> health: array<u32>;                // [2]: step and index of the first bad gradient
@group(1) @binding(3) var<storage, read_write> moving_mean: array<f32>;     // [F]
@group(1) @binding(4) var<storage, read_write> moving_variance: array<f32>; // [F]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.features || health[0] != 0u { return; }
    moving_mean[i] = moving_mean[i] * p.momentum + mean[i] * p.one_minus_momentum;
    moving_variance[i] = moving_variance[i] * p.momentum + variance[i] * p.one_minus_momentum;
}
