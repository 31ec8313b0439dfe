// C = A·B (+ C) (+ bias). Strides make op(A) and op(B): A[m, k] lies at a_at + m a_row + k a_col. Few results with many terms
// each are split over K: each z of the grid forms a part, and add_parts adds the parts in order.
struct Matmul {
    m: u32, n: u32, k: u32,
    a_at: u32, a_row: u32, a_col: u32,
    b_at: u32, b_row: u32, b_col: u32,
    c_at: u32,
    k_part: u32,     // terms of one part
    most_parts: u32, // parts that there is room for
    to_parts: u32,   // 1: results are parts, part z of C at z m n
    accumulate: u32,
    has_bias: u32,
}
@group(0) @binding(0) var<uniform> p: Matmul;
@group(1) @binding(0) var<storage, read> a: array<f32>;           // [M, K] by strides
@group(1) @binding(1) var<storage, read> b: array<f32>;           // [K, N] by strides
@group(1) @binding(2) var<storage, read> bias: array<f32>;        // [N]
@group(1) @binding(3) var<storage, read> a_largest4: array<vec4<u32>>; // [64] of magnitudes as bits, with HALF
@group(1) @binding(4) var<storage, read> b_largest4: array<vec4<u32>>; // [64]
@group(1) @binding(5) var<storage, read_write> c: array<f32>;     // [M, N]
@group(1) @binding(6) var<storage, read_write> parts: array<f32>; // [most_parts, M, N]

// 1: A and B are rounded to half precision, scaled by powers of two that bring their largest to between 2^14 and 2^15. Products of
// such numbers are exact in f32, in which they are added up.
override HALF: u32 = 0u;

// What A and B are multiplied by before they are rounded, and what undoes that in a sum.
fn scales() -> vec3<f32> {
    if HALF == 0u { return vec3(1.0); }
    var of_a = vec4<u32>();
    var of_b = vec4<u32>();
    for (var i = 0u; i < 16u; i++) {
        of_a = max(of_a, a_largest4[i]);
        of_b = max(of_b, b_largest4[i]);
    }
    let a_power = power_of(of_a);
    let b_power = power_of(of_b);
    return vec3(two_to(a_power), two_to(b_power), two_to(clamp(-a_power - b_power, -126, 127)));
}

fn power_of(parts: vec4<u32>) -> i32 {
    let largest = max(max(parts.x, parts.y), max(parts.z, parts.w));
    return select(clamp(141 - i32(largest >> 23u), -100, 100), 0, largest == 0u);
}

fn two_to(power: i32) -> f32 {
    return bitcast<f32>(u32(power + 127) << 23u);
}

// The nearest of 11 bits, of two the even one; 0 below 2^-14, where half precision has subnormal numbers, which devices treat
// differently. Infinity and NaN stay.
fn half4(x: vec4<f32>) -> vec4<f32> {
    let bits = bitcast<vec4<u32>>(x);
    let exponent = bits & vec4(0x7f800000u);
    let even = (bits >> vec4(13u)) & vec4(1u);
    let rounded = bitcast<vec4<f32>>((bits + 0xfffu + even) & vec4(0xffffe000u));
    let or_zero = select(rounded, vec4<f32>(), exponent < vec4(113u << 23u));
    return select(or_zero, x, exponent == vec4(0x7f800000u));
}

// Numbers of A or B as they are multiplied.
fn operand(x: f32, scale: f32) -> f32 {
    if HALF == 0u { return x; }
    return half4(vec4(x * scale)).x;
}

fn operand4(x: vec4<f32>, scale: f32) -> vec4<f32> {
    if HALF == 0u { return x; }
    return half4(x * scale);
}

// Sums of products as they count.
fn sum4(x: vec4<f32>, scale: f32) -> vec4<f32> {
    if HALF == 0u { return x; }
    return x * scale;
}

// Thread = a 4 x 4 tile of C; no barrier.
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y * 4u;
    let col = id.x * 4u;
    if row >= p.m || col >= p.n { return; }
    // Rows and columns past the edge read the last one again and are not stored.
    let rows = min(vec4(row) + vec4(0u, 1u, 2u, 3u), vec4(p.m - 1u)) * p.a_row + p.a_at;
    let cols = min(vec4(col) + vec4(0u, 1u, 2u, 3u), vec4(p.n - 1u)) * p.b_col + p.b_at;
    let scale = scales();
    var acc0 = vec4<f32>();
    var acc1 = vec4<f32>();
    var acc2 = vec4<f32>();
    var acc3 = vec4<f32>();
    let first = id.z * p.k_part;
    let last = min(p.k, first + p.k_part);
    // Runs of RUN terms are added up on their own first: rounding errors grow with the longest chain of additions.
    for (var k_run = first; k_run < last; k_run += RUN) {
        var run0 = vec4<f32>();
        var run1 = vec4<f32>();
        var run2 = vec4<f32>();
        var run3 = vec4<f32>();
        for (var k = k_run; k < min(last, k_run + RUN); k++) {
            let ai = rows + k * p.a_col;
            let bi = cols + k * p.b_row;
            let bv = operand4(vec4(b[bi.x], b[bi.y], b[bi.z], b[bi.w]), scale.y);
            run0 += operand(a[ai.x], scale.x) * bv;
            run1 += operand(a[ai.y], scale.x) * bv;
            run2 += operand(a[ai.z], scale.x) * bv;
            run3 += operand(a[ai.w], scale.x) * bv;
        }
        acc0 += run0;
        acc1 += run1;
        acc2 += run2;
        acc3 += run3;
    }
    let bias4 = bias_of(col);
    store(id.z, row, col, sum4(acc0, scale.z) + bias4);
    store(id.z, row + 1u, col, sum4(acc1, scale.z) + bias4);
    store(id.z, row + 2u, col, sum4(acc2, scale.z) + bias4);
    store(id.z, row + 3u, col, sum4(acc3, scale.z) + bias4);
}

// Four results that lie side by side, those of them that are within C. The loops' end is not known, so that drivers leave them
// loops: software drivers take long to compile what they do.
fn store(part: u32, row: u32, col: u32, values: vec4<f32>) {
    if row >= p.m { return; }
    let count = min(4u, p.n - min(col, p.n));
    if p.to_parts != 0u {
        let at = (part * p.m + row) * p.n + col;
        for (var j = 0u; j < count; j++) { parts[at + j] = values[j]; }
        return;
    }
    let at = p.c_at + row * p.n + col;
    if p.accumulate != 0u {
        for (var j = 0u; j < count; j++) { c[at + j] = values[j] + c[at + j]; }
    } else {
        for (var j = 0u; j < count; j++) { c[at + j] = values[j]; }
    }
}

// What is added to four columns of every row.
fn bias_of(col: u32) -> vec4<f32> {
    if p.has_bias == 0u || p.to_parts != 0u { return vec4<f32>(); }
    let cols = min(vec4(col) + vec4(0u, 1u, 2u, 3u), vec4(p.n - 1u));
    return vec4(bias[cols.x], bias[cols.y], bias[cols.z], bias[cols.w]);
}

// Thread = one element of C.
@compute @workgroup_size(64)
fn add_parts(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    let size = p.m * p.n;
    if i >= size { return; }
    let count = (p.k + p.k_part - 1u) / p.k_part;
    var sum = 0.0;
    for (var run = 0u; run < count; run += RUN) {
        var run_sum = 0.0;
        for (var part = run; part < min(count, run + RUN); part++) { run_sum += parts[part * size + i]; }
        sum += run_sum;
    }
    if p.has_bias != 0u { sum += bias[i % p.n]; }
    if p.accumulate != 0u { sum += c[p.c_at + i]; }
    c[p.c_at + i] = sum;
}
