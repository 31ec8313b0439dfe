// Mean and sum of squared deviations of every feature over a block of rows, by the corrected two-pass algorithm (Chan, Golub &
// LeVeque 1983), which does not lose the variance of data with a large mean. Thread = one feature of one block.
struct BatchNormPartial {
    rows: u32, features: u32,
    block_rows: u32,
    block_at: u32, // first block, where rows come in several runs
    x_at: u32,
    divide: u32,   // 1: the biased variance instead of the sum
}
override MASKED: u32 = 0u; // 1: only rows whose mask is 1 count, 2: only elements whose mask is 1
@group(0) @binding(0) var<uniform> p: BatchNormPartial;
@group(1) @binding(0) var<storage, read> x: array<f32>;            // [rows, F]
@group(1) @binding(1) var<storage, read> mask: array<f32>;         // [rows] or [rows, F]
@group(1) @binding(2) var<storage, read_write> means: array<f32>;  // [blocks, F]
@group(1) @binding(3) var<storage, read_write> m2s: array<f32>;    // [blocks, F]
@group(1) @binding(4) var<storage, read_write> counts: array<f32>; // [blocks] or [blocks, F]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    let blocks = (p.rows + p.block_rows - 1u) / p.block_rows;
    if i >= blocks * p.features { return; }
    let feature = i % p.features;
    let first = (i / p.features) * p.block_rows;
    let last = min(p.rows, first + p.block_rows);
    var count = f32(last - first);
    if MASKED != 0u {
        count = 0.0;
        for (var row = first; row < last; row++) { count += select(0.0, 1.0, is_counted(row, feature)); }
        if MASKED == 2u {
            counts[p.block_at * p.features + i] = count;
        } else if feature == 0u {
            counts[p.block_at + i / p.features] = count;
        }
        count = max(count, 1.0);
    }
    var sum = 0.0;
    for (var run = first; run < last; run += RUN) {
        var run_sum = 0.0;
        for (var row = run; row < min(last, run + RUN); row++) {
            if is_counted(row, feature) { run_sum += x[p.x_at + row * p.features + feature]; }
        }
        sum += run_sum;
    }
    let mean = sum / count;
    var deviation = 0.0;
    var squares = 0.0;
    for (var run = first; run < last; run += RUN) {
        var run_deviation = 0.0;
        var run_squares = 0.0;
        for (var row = run; row < min(last, run + RUN); row++) {
            if is_counted(row, feature) {
                let d = x[p.x_at + row * p.features + feature] - mean;
                run_deviation += d;
                run_squares += d * d;
            }
        }
        deviation += run_deviation;
        squares += run_squares;
    }
    let shift = deviation / count; // what rounding left of the mean
    means[p.block_at * p.features + i] = mean + shift;
    var m2 = squares - deviation * shift;
    if p.divide != 0u { m2 /= count; }
    m2s[p.block_at * p.features + i] = m2;
}

fn is_counted(row: u32, feature: u32) -> bool {
    if MASKED == 0u { return true; }
    return mask[select(row, row * p.features + feature, MASKED == 2u)] != 0.0;
}
