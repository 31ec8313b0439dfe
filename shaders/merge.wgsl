// y = a OP b / divisor, masked as Keras masks it: multiplied, what is masked counts as 1, and 0 comes out where all is; of a maximum
// or minimum the other operand comes out (a, if both are masked). Sums and differences take no notice of masks.
// Thread = one element.
struct Merge {
    rows: u32, features: u32,
    divisor: f32,
}
override OP: u32 = 0u; // 0: a + b, 1: a - b, 2: a b, 3: the larger, 4: the smaller
override MASK_A: u32 = 0u;
override MASK_B: u32 = 0u;
@group(0) @binding(0) var<uniform> p: Merge;
@group(1) @binding(0) var<storage, read> a: array<f32>;       // [rows, F]
@group(1) @binding(1) var<storage, read> b: array<f32>;       // [rows, F]
@group(1) @binding(2) var<storage, read> mask_a: array<f32>;  // [rows]
@group(1) @binding(3) var<storage, read> mask_b: array<f32>;  // [rows]
@group(1) @binding(4) var<storage, read_write> y: array<f32>; // [rows, F]

fn merged(a: f32, b: f32, a_counts: bool, b_counts: bool) -> f32 {
    switch OP {
        case 0u: { return (a + b) / p.divisor; }
        case 1u: { return (a - b) / p.divisor; }
        case 2u: {
            if !a_counts && !b_counts { return 0.0; }
            return select(1.0, a, a_counts) * select(1.0, b, b_counts) / p.divisor;
        }
        default: {
            if !b_counts { return a / p.divisor; }
            if !a_counts { return b / p.divisor; }
            if OP == 3u { return larger(a, b) / p.divisor; }
            return smaller(a, b) / p.divisor;
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
    y[i] = merged(a[i], b[i], a_counts, b_counts);
}
