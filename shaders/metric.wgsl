// A row's metric, the mean over its outputs. Thread = one row.
// METRIC 0: binary accuracy with threshold 0.5; 1: mean absolute error; 2: mean squared error.
struct Metric {
    rows: u32, outputs: u32,
    columns: u32, // of `values`
    column: u32,  // the one to write
}
override METRIC: u32 = 0u;
@group(0) @binding(0) var<uniform> p: Metric;
@group(1) @binding(0) var<storage, read> prediction: array<f32>;   // [rows, O]
@group(1) @binding(1) var<storage, read> truth: array<f32>;        // [rows, O]
@group(1) @binding(2) var<storage, read_write> values: array<f32>; // [rows, columns]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = element(id);
    if row >= p.rows { return; }
    var sum = 0.0;
    for (var o = 0u; o < p.outputs; o++) {
        let q = prediction[row * p.outputs + o];
        let y = truth[row * p.outputs + o];
        switch METRIC {
            case 0u: { sum += select(0.0, 1.0, select(0.0, 1.0, q > 0.5) == y); }
            case 1u: { sum += abs(q - y); }
            default: { sum += (q - y) * (q - y); }
        }
    }
    values[row * p.columns + p.column] = sum / f32(p.outputs);
}
