// Clips the gradient arena in place. CLIP 0: every element to [-limit, limit]; 1: all together to the norm `limit`, of norms[0];
// 2: every variable to the norm `limit`, of the squares in norms[owner]. Thread = one element.
struct Clip {
    n: u32,
    limit: f32,
}
override CLIP: u32 = 0u;
@group(0) @binding(0) var<uniform> p: Clip;
@group(1) @binding(0) var<storage, read> norms: array<f32>;       // [1] the norm, or [variables] sums of squares
@group(1) @binding(1) var<storage, read> owners: array<u32>;      // [n / 64], the variable of every 64 elements
@group(1) @binding(2) var<storage, read_write> grads: array<f32>; // [n]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.n { return; }
    let g = grads[i];
    if CLIP == 0u {
        grads[i] = smaller(larger(g, -p.limit), p.limit);
        return;
    }
    var norm = norms[0];
    if CLIP == 2u { norm = sqrt(norms[owners[i / 64u]]); }
    if norm > p.limit { grads[i] = g * (p.limit / norm); }
}
