// dx = y (dy - sum of dy y over the features of a row). Thread = one row.
struct SoftmaxGrad {
    rows: u32, features: u32, // of this run
    accumulate: u32,          // 1: add to what is there
}
@group(0) @binding(0) var<uniform> p: SoftmaxGrad;
@group(1) @binding(0) var<storage, read> y: array<f32>;        // [rows, F]
@group(1) @binding(1) var<storage, read> dy: array<f32>;       // [rows, F]
@group(1) @binding(2) var<storage, read_write> dx: array<f32>; // [rows, F]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = element(id);
    if row >= p.rows { return; }
    let first = row * p.features;
    var sum = 0.0;
    for (var i = first; i < first + p.features; i++) { sum += dy[i] * y[i]; }
    for (var i = first; i < first + p.features; i++) {
        var slope = y[i] * (dy[i] - sum);
        if p.accumulate != 0u { slope += dx[i]; }
        dx[i] = slope;
    }
}
