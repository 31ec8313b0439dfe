// Decoupled weight decay (Loshchilov & Hutter 2019) before an optimiser's update, over the whole arena: w -= w decay lr, where `kept`
// is 0: variables may be kept out. Skipped once a gradient was not finite. Thread = one element.
struct WeightDecay {
    n: u32,
    decay: f32,
}
@group(0) @binding(0) var<uniform> p: WeightDecay;
@group(1) @binding(0) var<storage, read> health: array<u32>;       // [2]
@group(1) @binding(1) var<storage, read> kept: array<u32>;         // [n / 64], one for every 64 elements
@group(1) @binding(2) var<storage, read_write> params: array<f32>; // [n]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.n || health[0] != 0u { return; }
    if kept[i / 64u] == 0u { params[i] = params[i] - params[i] * p.decay * scalars.learning_rate; }
}
