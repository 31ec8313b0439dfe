// A row's metric times the row's weight, into a column. METRIC says which:
// 0: the share of outputs on the right side of the threshold. 1: 1 where the true class is the first of the likeliest.
// 2: 1 where less than k classes are likelier than the true one. 3: the cosine of the angle between prediction and truth, as Keras
// normalizes them. SPARSE 1: the truth is the number of the class, else the first of the largest of its row.
struct Metric {
    rows: u32, outputs: u32,
    weighted: u32, // 1: `weights` is there
    logged: u32,   // 1: into the log
    columns: u32,  // of `values`
    column: u32,   // the one to write
    k: u32,
    threshold: f32,
}
override METRIC: u32 = 0u;
override SPARSE: u32 = 0u;
@group(0) @binding(0) var<uniform> p: Metric;
@group(1) @binding(0) var<storage, read> prediction: array<f32>;   // [rows, O]
@group(1) @binding(1) var<storage, read> truth: array<f32>;        // [rows, O], or [rows] of class numbers
@group(1) @binding(2) var<storage, read> weights: array<f32>;      // [rows]
@group(1) @binding(3) var<storage, read_write> values: array<f32>; // [rows, columns]; the log

fn binary_accuracy(first: u32) -> f32 {
    var right = 0.0;
    for (var i = first; i < first + p.outputs; i++) {
        right += select(0.0, 1.0, select(0.0, 1.0, prediction[i] > p.threshold) == truth[i]);
    }
    return right / f32(p.outputs);
}

fn true_class(row: u32) -> u32 {
    if SPARSE != 0u { return u32(clamp(truth[row], 0.0, f32(p.outputs - 1u))); }
    var at = 0u;
    for (var o = 1u; o < p.outputs; o++) {
        if truth[row * p.outputs + o] > truth[row * p.outputs + at] { at = o; }
    }
    return at;
}

// Whether the true class is among the likeliest; never where a prediction is no number.
fn found(row: u32) -> f32 {
    let first = row * p.outputs;
    let c = true_class(row);
    let its = prediction[first + c];
    var before = 0u;
    for (var o = 0u; o < p.outputs; o++) {
        let other = prediction[first + o];
        if is_nan(other) { return 0.0; }
        if other > its || (METRIC == 1u && other == its && o < c) { before++; }
    }
    return select(0.0, 1.0, before < select(p.k, 1u, METRIC == 1u));
}

fn cosine(first: u32) -> f32 {
    var dot = 0.0;
    var of_prediction = 0.0;
    var of_truth = 0.0;
    for (var i = first; i < first + p.outputs; i++) {
        dot += prediction[i] * truth[i];
        of_prediction += prediction[i] * prediction[i];
        of_truth += truth[i] * truth[i];
    }
    return dot / larger(sqrt(of_prediction), 1e-7) / larger(sqrt(of_truth), 1e-7);
}

fn of_row(row: u32) -> f32 {
    var value = 0.0;
    switch METRIC {
        case 0u: { value = binary_accuracy(row * p.outputs); }
        case 3u: { value = cosine(row * p.outputs); }
        default: { value = found(row); }
    }
    if p.weighted != 0u { value *= weights[row]; }
    return value;
}

// Thread = one row.
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = element(id);
    if row >= p.rows { return; }
    values[row * p.columns + p.column] = of_row(row);
}

// The sum over all rows into the step's row of the log: one workgroup. Thread = one row.
@compute @workgroup_size(256)
fn logged(@builtin(local_invocation_index) row: u32) {
    var value = 0.0;
    if row < p.rows { value = of_row(row); }
    let sum = sum_of_workgroup(row, p.rows, value);
    if row == 0u { values[scalars.log_row * p.columns + p.column] = sum; }
}
