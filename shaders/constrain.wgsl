// Holds a variable [outer, reduced, inner] to a constraint after an optimiser's update. CONSTRAINT 0: negative weights become 0.
// CONSTRAINT 1: w desired / (norm + 1e-7), desired = rate clip(norm, least, largest) + (1 - rate) norm, of the norm of its group, as
// in Keras. Skipped once a gradient was not finite. Thread = one element.
struct Constrain {
    n: u32,
    reduced: u32, inner: u32,
    least: f32, largest: f32,
    rate: f32,
    one_minus_rate: f32,
}
override CONSTRAINT: u32 = 0u;
@group(0) @binding(0) var<uniform> p: Constrain;
@group(1) @binding(0) var<storage, read> health: array<u32>;  // [2]
@group(1) @binding(1) var<storage, read> squares: array<f32>; // [outer, inner]
@group(1) @binding(2) var<storage, read_write> w: array<f32>; // [n]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.n || health[0] != 0u { return; }
    if CONSTRAINT == 0u {
        w[i] = larger(w[i], 0.0);
        return;
    }
    let norm = sqrt(squares[(i / (p.reduced * p.inner)) * p.inner + i % p.inner]);
    let desired = p.rate * smaller(larger(norm, p.least), p.largest) + p.one_minus_rate * norm;
    w[i] = w[i] * (desired / (norm + 1e-7));
}
