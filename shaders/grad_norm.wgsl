// Joins the blocks of grad_norm_partial: the global gradient norm, and `health`, where the first step with a gradient that is
// not finite leaves its number and the element's index for good. One thread.
struct GradNorm {
    blocks: u32,
}
@group(0) @binding(0) var<uniform> p: GradNorm;
@group(1) @binding(0) var<storage, read> squares: array<f32>;      // [blocks]
@group(1) @binding(1) var<storage, read> bad: array<u32>;          // [blocks]
@group(1) @binding(2) var<storage, read_write> norm: array<f32>;   // [1]
@group(1) @binding(3) var<storage, read_write> health: array<u32>; // [2]: step (0 = healthy), index

@compute @workgroup_size(1)
fn main() {
    var sum = 0.0;
    var worst = 0xffffffffu;
    for (var i = 0u; i < p.blocks; i++) {
        sum += squares[i];
        worst = min(worst, bad[i]);
    }
    norm[0] = sqrt(sum);
    if worst != 0xffffffffu && health[0] == 0u {
        health[0] = scalars.step;
        health[1] = worst;
    }
}
