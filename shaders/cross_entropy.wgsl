// A row's cross-entropy of classes, -sum of y ln q over the C classes, times the row's weight, and in training the gradient of the
// batch's loss. LOGITS 1: q = softmax(z), through the logarithm of the sum; gradient q sum(y) - y. LOGITS 0: q = z / sum(z) clipped to
// [1e-7, 1 - 1e-7], as Keras clips it. SPARSE 1: the truth is the number of the class.
struct CrossEntropy {
    rows: u32, classes: u32, // of this run; C
    total_rows: u32,         // what the batch's sum is divided by, where `divisor` is not there
    flags: u32,              // 1: write the gradient; 2: add to it; 4: `weights` is there; 8: `divisor` is there; 16: into the log
    columns: u32,            // of `values`
    column: u32,             // the one to write
    smoothing: f32,          // of labels that are not sparse
    loss_weight: f32,        // of the gradient
}
override SPARSE: u32 = 0u;
override LOGITS: u32 = 0u;
@group(0) @binding(0) var<uniform> p: CrossEntropy;
@group(1) @binding(0) var<storage, read> prediction: array<f32>;        // [rows, C]
@group(1) @binding(1) var<storage, read> truth: array<f32>;             // [rows, C], or [rows] of class numbers
@group(1) @binding(2) var<storage, read> weights: array<f32>;           // [rows]
@group(1) @binding(3) var<storage, read> divisor: array<f32>;           // [1]
@group(1) @binding(4) var<storage, read_write> values: array<f32>;      // [rows, columns]; the log
@group(1) @binding(5) var<storage, read_write> dprediction: array<f32>; // [rows, C]

fn label(row: u32, which: u32) -> f32 {
    if SPARSE != 0u { return select(0.0, 1.0, truth[row] == f32(which)); }
    let y = truth[row * p.classes + which];
    if p.smoothing == 0.0 { return y; }
    return y * (1.0 - p.smoothing) + p.smoothing / f32(p.classes);
}

// The largest of the row, and the sum of e^(z - top) over the others.
fn top_and_rest(first: u32) -> vec2<f32> {
    var at = 0u;
    for (var c = 1u; c < p.classes; c++) {
        if prediction[first + c] > prediction[first + at] { at = c; }
    }
    let top = prediction[first + at];
    var rest = 0.0;
    for (var c = 0u; c < p.classes; c++) {
        if c != at { rest += exp_negative(prediction[first + c] - top); }
    }
    return vec2(top, rest);
}

// ln(1 + x) for x >= 0: the built-in may err by 5e-7 near 1.
fn ln_1p(x: f32) -> f32 {
    if x > 1.0 { return log(1.0 + x); }
    return log1p_unit(x);
}

// Whether a probability is left as it is.
fn within(q: f32) -> bool {
    return !(q < 1e-7 || q > 1.0 - 1e-7);
}

fn write_gradient(i: u32, slope: f32, weight: f32, total: f32) {
    var gradient = 0.0;
    if total != 0.0 { gradient = slope / total * weight * p.loss_weight; }
    if (p.flags & 2u) != 0u { gradient += dprediction[i]; }
    dprediction[i] = gradient;
}

fn from_logits(row: u32, weight: f32, total: f32) -> f32 {
    let first = row * p.classes;
    let found = top_and_rest(first);
    let log_sum = ln_1p(found.y);
    var loss = 0.0;
    var mass = 0.0;
    for (var c = 0u; c < p.classes; c++) {
        let y = label(row, c);
        mass += y;
        if !(y == 0.0) { loss += y * (log_sum - (prediction[first + c] - found.x)); }
    }
    if (p.flags & 1u) != 0u {
        for (var c = 0u; c < p.classes; c++) {
            let q = exp_negative(prediction[first + c] - found.x) / (1.0 + found.y);
            write_gradient(first + c, q * mass - label(row, c), weight, total);
        }
    }
    return loss;
}

fn from_probabilities(row: u32, weight: f32, total: f32) -> f32 {
    let first = row * p.classes;
    var sum = 0.0;
    for (var c = 0u; c < p.classes; c++) { sum += prediction[first + c]; }
    var loss = 0.0;
    var mass = 0.0;
    for (var c = 0u; c < p.classes; c++) {
        let q = prediction[first + c] / sum;
        let y = label(row, c);
        if within(q) { mass += y; }
        // log turns NaN into a number on some drivers.
        if !(y == 0.0) { loss -= y * select(log(clamp(q, 1e-7, 1.0 - 1e-7)), q, is_nan(q)); }
    }
    if (p.flags & 1u) != 0u {
        for (var c = 0u; c < p.classes; c++) {
            let z = prediction[first + c];
            var slope = mass / sum;
            if within(z / sum) { slope -= label(row, c) / z; }
            write_gradient(first + c, slope, weight, total);
        }
    }
    return loss;
}

fn of_row(row: u32) -> f32 {
    var weight = 1.0;
    if (p.flags & 4u) != 0u { weight = weights[row]; }
    var total = f32(p.total_rows);
    if (p.flags & 8u) != 0u { total = divisor[0]; }
    var loss = 0.0;
    if LOGITS != 0u { loss = from_logits(row, weight, total); } else { loss = from_probabilities(row, weight, total); }
    return loss * weight;
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
