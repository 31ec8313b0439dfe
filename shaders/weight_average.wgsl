// The moving average of the weights (Polyak & Juditsky 1992) after an optimiser's update, over the whole arena:
// a = momentum a + (1 - momentum) w, the first update's a = w; every `frequency` updates w = a. As in Keras, each of the training
// steps of an update does this. Skipped once a gradient was not finite. Thread = one element.
struct WeightAverage {
    n: u32,
    momentum: f32,
    one_minus_momentum: f32,
    frequency: u32, // 0: never
    accumulation: u32, // training steps of an update
}
@group(0) @binding(0) var<uniform> p: WeightAverage;
@group(1) @binding(0) var<storage, read> health: array<u32>;        // [2]
@group(1) @binding(1) var<storage, read_write> params: array<f32>;  // [n]
@group(1) @binding(2) var<storage, read_write> average: array<f32>; // [n]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.n || health[0] != 0u { return; }
    // A driver may divide by a zero that a short circuit would skip.
    let update = (scalars.step - 1u) / max(p.accumulation, 1u) + 1u;
    var a = params[i];
    if update != 1u { a = p.momentum * average[i] + p.one_minus_momentum * a; }
    average[i] = a;
    if p.frequency != 0u && update % max(p.frequency, 1u) == 0u { params[i] = a; }
}
