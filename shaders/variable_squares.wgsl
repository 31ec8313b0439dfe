// Sums of squares of each variable's gradient, in `parts` parts of about one length: squares[part, variable]. Thread = one part of
// one variable.
struct VariableSquares {
    variables: u32,
    parts: u32,
}
@group(0) @binding(0) var<uniform> p: VariableSquares;
@group(1) @binding(0) var<storage, read> grads: array<f32>;         // [n]
@group(1) @binding(1) var<storage, read> spans: array<u32>;         // [variables, 2]: first element, elements
@group(1) @binding(2) var<storage, read_write> squares: array<f32>; // [parts, variables]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.variables * p.parts { return; }
    let variable = i % p.variables;
    let len = spans[2u * variable + 1u];
    let part_len = (len + p.parts - 1u) / p.parts;
    let begin = min(len, (i / p.variables) * part_len);
    let first = spans[2u * variable] + begin;
    let last = first + min(len - begin, part_len);
    var sum = 0.0;
    for (var run = first; run < last; run += RUN) {
        var run_sum = 0.0;
        for (var at = run; at < min(last, run + RUN); at++) { run_sum += grads[at] * grads[at]; }
        sum += run_sum;
    }
    squares[i] = sum;
}
