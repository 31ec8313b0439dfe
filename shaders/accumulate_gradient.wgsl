// Gradient accumulation over the whole arena, for updates of several batches: a += g, and with MEAN, in the batch of the update,
// g = (g + a) / steps, a = 0. Skipped once a gradient was not finite. Thread = one element.
struct AccumulateGradient {
    n: u32,
    steps: f32,
}
override MEAN: u32 = 0u;
@group(0) @binding(0) var<uniform> p: AccumulateGradient;
@group(1) @binding(0) var<storage, read> health: array<u32>;            // [2]
@group(1) @binding(1) var<storage, read_write> grads: array<f32>;       // [n]
@group(1) @binding(2) var<storage, read_write> accumulator: array<f32>; // [n]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.n || health[0] != 0u { return; }
    let sum = grads[i] + accumulator[i];
    if MEAN == 0u {
        accumulator[i] = sum;
        return;
    }
    grads[i] = sum / p.steps;
    accumulator[i] = 0.0;
}
