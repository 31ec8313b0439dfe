// y = e^(x - max x) / sum of e^(x - max x) over the features of a row. Thread = one row.
struct Softmax {
    rows: u32, features: u32, // of this run
}
@group(0) @binding(0) var<uniform> p: Softmax;
@group(1) @binding(0) var<storage, read> x: array<f32>;       // [rows, F]
@group(1) @binding(1) var<storage, read_write> y: array<f32>; // [rows, F]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = element(id);
    if row >= p.rows { return; }
    let first = row * p.features;
    var top = x[first];
    for (var f = 1u; f < p.features; f++) { top = larger(top, x[first + f]); }
    var sum = 0.0;
    for (var f = 0u; f < p.features; f++) {
        let e = exp_negative(x[first + f] - top);
        y[first + f] = e;
        sum += e;
    }
    for (var f = 0u; f < p.features; f++) { y[first + f] = y[first + f] / sum; }
}
