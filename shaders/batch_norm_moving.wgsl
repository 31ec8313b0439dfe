// moving = moving momentum + batch (1 - momentum), for means and variances. Skipped once a gradient was not finite, so that the
// last good state survives. Thread = one number.
struct BatchNormMoving {
    n: u32,
    momentum: f32,
    one_minus_momentum: f32,
}
@group(0) @binding(0) var<uniform> p: BatchNormMoving;
@group(1) @binding(0) var<storage, read> batch: array<f32>;        // [n]
@group(1) @binding(1) var<storage, read> health: array<u32>;       // [2]: step and index of the first bad gradient
@group(1) @binding(2) var<storage, read_write> moving: array<f32>; // [n]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.n || health[0] != 0u { return; }
    moving[i] = moving[i] * p.momentum + batch[i] * p.one_minus_momentum;
}
