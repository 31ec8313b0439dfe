// da = dy times what a counts for in a OP b / divisor (+ da); masks as in merge.wgsl. Of equal operands of a maximum or minimum
// each gets half. Thread = one element.
struct MergeGrad {
    rows: u32, features: u32,
    divisor: f32,    // of a difference's second operand its negative
    first: u32,      // 1: a is the first operand
    accumulate: u32,
}
override OP: u32 = 0u; // as in merge.wgsl
override MASK_A: u32 = 0u;
override MASK_B: u32 = 0u;
@group(0) @binding(0) var<uniform> p: MergeGrad;
@group(1) @binding(0) var<storage, read> a: array<f32>;        // [rows, F]
@group(1) @binding(1) var<storage, read> b: array<f32>;        // [rows, F]
@group(1) @binding(2) var<storage, read> mask_a: array<f32>;   // [rows]
@group(1) @binding(3) var<storage, read> mask_b: array<f32>;   // [rows]
@group(1) @binding(4) var<storage, read> dy: array<f32>;       // [rows, F]
@group(1) @binding(5) var<storage, read_write> da: array<f32>; // [rows, F]

fn passed(a: f32, b: f32, a_counts: bool, b_counts: bool, dy: f32) -> f32 {
    switch OP {
        case 0u, 1u: { return dy / p.divisor; }
        case 2u: {
            if !a_counts { return 0.0; }
            return dy * select(1.0, b, b_counts) / p.divisor;
        }
        default: {
            if !b_counts {
                return select(0.0, dy / p.divisor, a_counts || p.first != 0u);
            }
            if !a_counts { return 0.0; }
            if is_nan(a) || is_nan(b) { return a + b; }
            if a == b { return 0.5 * dy / p.divisor; }
            return select(0.0, dy / p.divisor, (a > b) == (OP == 3u));
        }
    }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.rows * p.features { return; }
    let row = i / p.features;
    var a_counts = true;
    var b_counts = true;
    if MASK_A != 0u { a_counts = mask_a[row] != 0.0; }
    if MASK_B != 0u { b_counts = mask_b[row] != 0.0; }
    var value = passed(a[i], b[i], a_counts, b_counts, dy[i]);
    if p.accumulate != 0u { value += da[i]; }
    da[i] = value;
}
