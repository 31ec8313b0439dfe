// RMSprop (Hinton 2012) over the whole arena, as Keras computes it: v = rho v + (1 - rho) g²; step = lr g / sqrt(v + epsilon);
// CENTERED: a = rho a + (1 - rho) g, and v - a² takes v's place, at least 0, which rounding could make it miss;
// MOMENTUM: m = momentum m + step takes the step's place. Skipped once a gradient was not finite. Thread = one element.
struct Rmsprop {
    n: u32,
    rho: f32,
    one_minus_rho: f32,
    epsilon: f32,
    momentum: f32,
}
override CENTERED: u32 = 0u; // 1: `average` is there
override MOMENTUM: u32 = 0u; // 1: `m` is there
@group(0) @binding(0) var<uniform> p: Rmsprop;
@group(1) @binding(0) var<storage, read> grads: array<f32>;         // [n]
@group(1) @binding(1) var<storage, read> health: array<u32>;        // [2]
@group(1) @binding(2) var<storage, read_write> params: array<f32>;  // [n]
@group(1) @binding(3) var<storage, read_write> v: array<f32>;       // [n]
@group(1) @binding(4) var<storage, read_write> m: array<f32>;       // [n]
@group(1) @binding(5) var<storage, read_write> average: array<f32>; // [n]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.n || health[0] != 0u { return; }
    let g = grads[i];
    let v_new = p.rho * v[i] + p.one_minus_rho * (g * g);
    v[i] = v_new;
    var variance = v_new;
    if CENTERED != 0u {
        let a = p.rho * average[i] + p.one_minus_rho * g;
        average[i] = a;
        variance = larger(v_new - a * a, 0.0);
    }
    var change = scalars.learning_rate * g / sqrt(variance + p.epsilon);
    if MOMENTUM != 0u {
        change = p.momentum * m[i] + change;
        m[i] = change;
    }
    params[i] = params[i] - change;
}
