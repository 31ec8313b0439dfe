// The moving average of the weights (Polyak & Juditsky 1992) after an optimiser's update, over the whole arena:
// a = momentum a + (1 - momentum) w, the first step's a = w; every `frequency` steps w = a. Skipped once a gradient was not
// finite. Thread = one element.
struct WeightAverage {
    n: u32,
    momentum: f32,
    one_minus_momentum: f32,
    frequency: u32, // 0: never
}
@group(0) @binding(0) var<uniform> p: WeightAverage;
@group(1) @binding(0) var<storage, read> health: array<u32>;        // [2]
@group(1) @binding(1) var<storage, read_write> params: array<f32>;  // [n]
@group(1) @binding(2) var<storage, read_write> average: array<f32>; // [n]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.n || health[0] != 0u { return; }
    var a = params[i];
    if scalars.step != 1u { a = p.momentum * average[i] + p.one_minus_momentum * a; }
    average[i] = a;
    // A driver may divide by a zero that a short circuit would skip.
    if p.frequency != 0u && scalars.step % max(p.frequency, 1u) == 0u { params[i] = a; }
}
