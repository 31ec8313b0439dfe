// Sums of squares of the groups of a variable [outer, reduced, inner], a group being the elements that differ in `reduced` alone, in
// `parts` parts of about one length: squares[part, group]. Thread = one part of one group.
struct GroupSquares {
    outer: u32, reduced: u32, inner: u32,
    parts: u32,
}
@group(0) @binding(0) var<uniform> p: GroupSquares;
@group(1) @binding(0) var<storage, read> w: array<f32>;             // [outer, reduced, inner]
@group(1) @binding(1) var<storage, read_write> squares: array<f32>; // [parts, outer, inner]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    let groups = p.outer * p.inner;
    if i >= groups * p.parts { return; }
    let group = i % groups;
    let first_of_group = (group / p.inner) * p.reduced * p.inner + group % p.inner;
    let part_len = (p.reduced + p.parts - 1u) / p.parts;
    let first = min(p.reduced, (i / groups) * part_len);
    let last = min(p.reduced, first + part_len);
    var sum = 0.0;
    for (var run = first; run < last; run += RUN) {
        var run_sum = 0.0;
        for (var at = run; at < min(last, run + RUN); at++) {
            let value = w[first_of_group + at * p.inner];
            run_sum += value * value;
        }
        sum += run_sum;
    }
    squares[i] = sum;
}
