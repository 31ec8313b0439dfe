// What a regularizer adds to the loss, in blocks: out[block] = (l1 Σ|x| + l2 Σx²) / divisor over the elements of a block.
// Thread = one block.
struct Penalty {
    n: u32,
    block: u32, // elements of a block
    out_at: u32,
    divisor: u32,
    l1: f32,
    l2: f32,
}
@group(0) @binding(0) var<uniform> p: Penalty;
@group(1) @binding(0) var<storage, read> x: array<f32>;         // [n]
@group(1) @binding(1) var<storage, read_write> out: array<f32>; // [blocks]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    let first = i * p.block;
    if first >= p.n { return; }
    let last = min(p.n, first + p.block);
    var magnitudes = 0.0;
    var squares = 0.0;
    for (var run = first; run < last; run += RUN) {
        var run_magnitudes = 0.0;
        var run_squares = 0.0;
        for (var at = run; at < min(last, run + RUN); at++) {
            run_magnitudes += abs(x[at]);
            run_squares += x[at] * x[at];
        }
        magnitudes += run_magnitudes;
        squares += run_squares;
    }
    out[p.out_at + i] = (p.l1 * magnitudes + p.l2 * squares) / f32(p.divisor);
}
