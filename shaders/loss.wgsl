// A row's loss (the mean over its outputs) and, in training, the gradient of the mean loss. Thread = one row.
// LOSS 0: binary cross-entropy from logits, max(z, 0) - z y + ln(1 + e^-|z|), gradient sigmoid(z) - y.
// LOSS 1: binary cross-entropy from probabilities clipped to [1e-7, 1 - 1e-7], as Keras clips them.
// LOSS 2: mean squared error.
struct Loss {
    rows: u32, outputs: u32, // of this run
    total_rows: u32,         // of the batch, all time steps
    gradient: u32,           // 1: write it
    columns: u32,            // of `values`
    accumulate: u32,
}
override LOSS: u32 = 0u;
@group(0) @binding(0) var<uniform> p: Loss;
@group(1) @binding(0) var<storage, read> prediction: array<f32>;        // [rows, O]
@group(1) @binding(1) var<storage, read> truth: array<f32>;             // [rows, O]
@group(1) @binding(2) var<storage, read_write> values: array<f32>;      // [rows, columns]: the loss goes to column 0
@group(1) @binding(3) var<storage, read_write> dprediction: array<f32>; // [rows, O]

fn value_of(z: f32, y: f32) -> f32 {
    switch LOSS {
        case 0u: { return max(z, 0.0) - z * y + log1p_unit(exp_negative(-abs(z))); }
        case 1u: {
            let q = clamp(z, 1e-7, 1.0 - 1e-7);
            // clamp and log both turn NaN into a number on some drivers.
            return select(-(y * log(q) + (1.0 - y) * log(1.0 - q)), z, is_nan(z));
        }
        default: { return (z - y) * (z - y); }
    }
}

fn slope_of(z: f32, y: f32) -> f32 {
    switch LOSS {
        case 0u: { return sigmoid(z) - y; }
        case 1u: {
            if z < 1e-7 || z > 1.0 - 1e-7 { return 0.0; }
            return (1.0 - y) / (1.0 - z) - y / z;
        }
        default: { return 2.0 * (z - y); }
    }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = element(id);
    if row >= p.rows { return; }
    let count = f32(p.outputs);
    var sum = 0.0;
    for (var o = 0u; o < p.outputs; o++) {
        let i = row * p.outputs + o;
        sum += value_of(prediction[i], truth[i]);
        if p.gradient != 0u {
            var slope = slope_of(prediction[i], truth[i]) / count / f32(p.total_rows);
            if p.accumulate != 0u { slope += dprediction[i]; }
            dprediction[i] = slope;
        }
    }
    values[row * p.columns] = sum / count;
}
