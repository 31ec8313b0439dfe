// A row's loss, the mean (or sum) over its outputs, times the row's weight, and in training the gradient of the batch's loss.
// LOSS says which, with p = prediction, y = truth, e = p - y:
// 0: binary cross-entropy from logits, max(p, 0) - p y + ln(1 + e^-|p|), gradient sigmoid(p) - y.
// 1: binary cross-entropy from probabilities clipped to [1e-7, 1 - 1e-7], as Keras clips them.
// 2: e^2. 3: |e|. 4: 100 |e| / max(|y|, 1e-7). 5: (ln(1 + max(p, 1e-7)) - ln(1 + max(y, 1e-7)))^2.
// 6: Huber, e^2 / 2 up to delta, then a line. 7: ln cosh e. 8: Poisson, p - y ln(p + 1e-7).
// 9: Kullback-Leibler, y ln(y / p), both clipped to [1e-7, 1].
struct Loss {
    rows: u32, outputs: u32, // of this run
    averaged: u32,           // what a row's sum is divided by: O, or 1
    total_rows: u32,         // what the batch's sum is divided by, where `divisor` is not there
    flags: u32,              // 1: write the gradient; 2: add to it; 4: `weights` is there; 8: `divisor` is there; 16: into the log
    columns: u32,            // of `values`
    column: u32,             // the one to write
    smoothing: f32,          // of binary labels
    delta: f32,              // Huber's
    loss_weight: f32,        // of the gradient
}
override LOSS: u32 = 0u;
@group(0) @binding(0) var<uniform> p: Loss;
@group(1) @binding(0) var<storage, read> prediction: array<f32>;        // [rows, O]
@group(1) @binding(1) var<storage, read> truth: array<f32>;             // [rows, O]
@group(1) @binding(2) var<storage, read> weights: array<f32>;           // [rows]
@group(1) @binding(3) var<storage, read> divisor: array<f32>;           // [1]
@group(1) @binding(4) var<storage, read_write> values: array<f32>;      // [rows, columns]; the log
@group(1) @binding(5) var<storage, read_write> dprediction: array<f32>; // [rows, O]

fn smoothed(y: f32) -> f32 {
    if p.smoothing == 0.0 { return y; }
    return y * (1.0 - p.smoothing) + 0.5 * p.smoothing;
}

// clamp and log turn NaN into a number on some drivers; what lies below 0 has no logarithm.
fn ln(x: f32) -> f32 {
    return select(log(x), zero_divided(), is_nan(x) || x < 0.0);
}

// Not a number. A constant expression must not be one, so it is made from a variable.
fn zero_divided() -> f32 {
    var bits = 0x7fc00000u;
    return bitcast<f32>(bits);
}

fn clipped(x: f32) -> f32 {
    return smaller(larger(x, 1e-7), 1.0);
}

// ln(1 + x) for x >= 0: the built-in may err by 5e-7 near 1.
fn ln_1p(x: f32) -> f32 {
    if x > 1.0 { return log(1.0 + x); }
    return log1p_unit(x);
}

fn value_of(z: f32, label: f32) -> f32 {
    let e = z - label;
    switch LOSS {
        case 0u: { return max(z, 0.0) - z * smoothed(label) + log1p_unit(exp_negative(-abs(z))); }
        case 1u: {
            let q = smaller(larger(z, 1e-7), 1.0 - 1e-7);
            let y = smoothed(label);
            return -(y * ln(q) + (1.0 - y) * ln(1.0 - q));
        }
        case 2u: { return e * e; }
        case 3u: { return abs(e); }
        case 4u: { return 100.0 * (abs(e) / larger(abs(label), 1e-7)); }
        case 5u: {
            let d = ln_1p(larger(z, 1e-7)) - ln_1p(larger(label, 1e-7));
            return d * d;
        }
        case 6u: {
            let bounded = smaller(abs(e), p.delta);
            return bounded * (abs(e) - 0.5 * bounded);
        }
        case 7u: { return abs(e) + log1p_unit(exp_negative(-2.0 * abs(e))) - 0.6931471805599453; }
        case 8u: { return z - label * ln(z + 1e-7); }
        default: { return clipped(label) * ln(clipped(label) / clipped(z)); }
    }
}

fn slope_of(z: f32, label: f32) -> f32 {
    let e = z - label;
    switch LOSS {
        case 0u: { return sigmoid(z) - smoothed(label); }
        case 1u: {
            if z < 1e-7 || z > 1.0 - 1e-7 { return 0.0; }
            let y = smoothed(label);
            return (1.0 - y) / (1.0 - z) - y / z;
        }
        case 2u: { return 2.0 * e; }
        case 3u: { return sign_of(e); }
        case 4u: { return 100.0 * (sign_of(e) / larger(abs(label), 1e-7)); }
        case 5u: {
            if z < 1e-7 { return 0.0; }
            return 2.0 * (ln_1p(larger(z, 1e-7)) - ln_1p(larger(label, 1e-7))) / (z + 1.0);
        }
        case 6u: { return larger(smaller(e, p.delta), -p.delta); }
        case 7u: { return tanh_safe(e); }
        case 8u: { return 1.0 - label / (z + 1e-7); }
        default: {
            if z < 1e-7 || z > 1.0 { return 0.0; }
            return -(clipped(label) / z);
        }
    }
}

fn of_row(row: u32) -> f32 {
    var weight = 1.0;
    if (p.flags & 4u) != 0u { weight = weights[row]; }
    var total = f32(p.total_rows);
    if (p.flags & 8u) != 0u { total = divisor[0]; }
    let count = f32(p.averaged);
    var sum = 0.0;
    for (var o = 0u; o < p.outputs; o++) {
        let i = row * p.outputs + o;
        sum += value_of(prediction[i], truth[i]);
        if (p.flags & 1u) != 0u {
            var slope = 0.0;
            if total != 0.0 { slope = slope_of(prediction[i], truth[i]) / count / total * weight * p.loss_weight; }
            if (p.flags & 2u) != 0u { slope += dprediction[i]; }
            dprediction[i] = slope;
        }
    }
    return sum / count * weight;
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
