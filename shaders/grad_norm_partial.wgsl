// Sum of squares over a block of the gradient arena, and the index of the first element there that is not finite. Thread = one block.
struct GradNormPartial {
    n: u32,
    block: u32, // elements of a block
}
@group(0) @binding(0) var<uniform> p: GradNormPartial;
@group(1) @binding(0) var<storage, read> grads: array<f32>;         // [n]
@group(1) @binding(1) var<storage, read_write> squares: array<f32>; // [blocks]
@group(1) @binding(2) var<storage, read_write> bad: array<u32>;     // [blocks]: 0xffffffff where all are finite

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    let first = i * p.block;
    if first >= p.n { return; }
    let last = min(p.n, first + p.block);
    var sum = 0.0;
    var worst = 0xffffffffu;
    for (var at = first; at < last; at++) {
        let g = grads[at];
        sum += g * g;
        if !is_finite(g) { worst = min(worst, at); }
    }
    squares[i] = sum;
    bad[i] = worst;
}
