// Batch normalisation in training (Ioffe & Szegedy 2015, algorithm 1): mean and biased variance of every feature over the rows of a
// group, and y (+)= gamma (x - mean) / sqrt(variance + epsilon) + beta. Blocks of rows by the corrected two-pass algorithm, joined
// in order (Chan, Golub & LeVeque 1983), which does not lose the variance of data with a large mean. Where rows are masked, Keras
// divides by their number + 1e-7: the mean shrinks by n / (n + 1e-7), and squared deviations are those from that mean.
struct BatchNorm {
    rows: u32, features: u32, // of this run
    group_rows: u32,          // rows of a group, which has a mean and a variance of its own
    group_at: u32,            // first group of this run
    block_rows: u32,
    before: u32,              // rows of earlier runs over the same group
    finish: u32,              // 0: more runs follow, and variance holds the sum of squared deviations until then
    epsilon: f32,
    task: u32,                // 0: everything, 1: statistics alone
    accumulate: u32,
    x_at: u32, y_at: u32,
}
override MASKED: u32 = 0u; // 1: only rows whose mask is 1 count, 2: only elements whose mask is 1
override SCALE: u32 = 0u;  // 1: gamma is there
override CENTER: u32 = 0u; // 1: beta is there
@group(0) @binding(0) var<uniform> p: BatchNorm;
@group(1) @binding(0) var<storage, read> x: array<f32>;              // [rows, F]
@group(1) @binding(1) var<storage, read> mask: array<f32>;           // [rows] or [rows, F]
@group(1) @binding(2) var<storage, read> gamma: array<f32>;          // [F]
@group(1) @binding(3) var<storage, read> beta: array<f32>;           // [F]
@group(1) @binding(4) var<storage, read_write> mean: array<f32>;     // [groups, F], masked: [2, F], the rows that count behind it
@group(1) @binding(5) var<storage, read_write> variance: array<f32>; // [groups, F]
@group(1) @binding(6) var<storage, read_write> y: array<f32>;        // [rows, F]

struct Moments {
    count: f32,
    mean: f32,
    m2: f32, // sum of squared deviations from the mean
}

// Barrier-free, for drivers that compute on a CPU. Thread = one feature of one group.
@compute @workgroup_size(8)
fn columns(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let feature = group.x * 8u + thread;
    if feature >= p.features { return; }
    let first = group.y * p.group_rows;
    let last = first + p.group_rows;
    var total = begun(group.y, feature);
    for (var row = first; row < last; row += p.block_rows) {
        total = joined(total, of_block(row, min(last, row + p.block_rows), feature));
    }
    total = finished(total);
    keep(total, group.y, feature);
    if p.task == 0u {
        let deviation = sqrt(total.m2 + p.epsilon);
        for (var row = first; row < last; row++) { normalise(row, feature, total.mean, deviation); }
    }
}

const LANES: u32 = 256u / COLUMNS; // COLUMNS: the variant's
var<workgroup> part: array<vec2<f32>, 256>;

// A workgroup has some features of one group, and LANES threads for each of them.
@compute @workgroup_size(256)
fn tree(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let feature = group.x * COLUMNS + thread % COLUMNS;
    let first = group.y * p.group_rows + thread / COLUMNS;
    let last = select(0u, (group.y + 1u) * p.group_rows, feature < p.features);
    var before = Moments(0.0, 0.0, 0.0);
    if feature < p.features { before = begun(group.y, feature); }
    var sum = vec2(0.0);
    for (var run = first; run < last; run += RUN * LANES) {
        var run_sum = 0.0;
        for (var row = run; row < min(last, run + RUN * LANES); row += LANES) {
            if is_counted(row, feature) {
                run_sum += x[p.x_at + row * p.features + feature];
                sum.y += 1.0;
            }
        }
        sum.x += run_sum;
    }
    sum = joined_lanes(sum, thread);
    let rough = sum.x / max(sum.y, 1.0);
    var deviations = vec2(0.0);
    for (var run = first; run < last; run += RUN * LANES) {
        var of_run = vec2(0.0);
        for (var row = run; row < min(last, run + RUN * LANES); row += LANES) {
            if is_counted(row, feature) {
                let d = x[p.x_at + row * p.features + feature] - rough;
                of_run += vec2(d, d * d);
            }
        }
        deviations += of_run;
    }
    deviations = joined_lanes(deviations, thread);
    let total = finished(joined(before, corrected(sum.y, rough, deviations)));
    if thread < COLUMNS && feature < p.features { keep(total, group.y, feature); }
    if p.task == 0u {
        let deviation = sqrt(total.m2 + p.epsilon);
        for (var row = first; row < last; row += LANES) { normalise(row, feature, total.mean, deviation); }
    }
}

// The sums over the lanes of a feature.
fn joined_lanes(value: vec2<f32>, thread: u32) -> vec2<f32> {
    part[thread] = value;
    workgroupBarrier();
    for (var half = 128u; half >= COLUMNS; half /= 2u) {
        if thread < half { part[thread] += part[thread + half]; }
        workgroupBarrier();
    }
    let sum = part[thread % COLUMNS];
    workgroupBarrier();
    return sum;
}

fn of_block(first: u32, last: u32, feature: u32) -> Moments {
    var count = 0.0;
    var sum = 0.0;
    for (var run = first; run < last; run += RUN) {
        var run_sum = 0.0;
        for (var row = run; row < min(last, run + RUN); row++) {
            if is_counted(row, feature) {
                run_sum += x[p.x_at + row * p.features + feature];
                count += 1.0;
            }
        }
        sum += run_sum;
    }
    let rough = sum / max(count, 1.0);
    var deviations = vec2(0.0);
    for (var run = first; run < last; run += RUN) {
        var of_run = vec2(0.0);
        for (var row = run; row < min(last, run + RUN); row++) {
            if is_counted(row, feature) {
                let d = x[p.x_at + row * p.features + feature] - rough;
                of_run += vec2(d, d * d);
            }
        }
        deviations += of_run;
    }
    return corrected(count, rough, deviations);
}

// From the sums of deviations from a mean, and of their squares: less what rounding left of that mean.
fn corrected(count: f32, rough: f32, deviations: vec2<f32>) -> Moments {
    let shift = deviations.x / max(count, 1.0);
    return Moments(count, rough + shift, deviations.y - deviations.x * shift);
}

fn joined(a: Moments, b: Moments) -> Moments {
    if b.count == 0.0 { return a; }
    if a.count == 0.0 { return b; }
    let count = a.count + b.count;
    let share = b.count / count;
    let delta = b.mean - a.mean;
    return Moments(count, a.mean + delta * share, a.m2 + (b.m2 + delta * delta * a.count * share));
}

// What earlier runs over the group found.
fn begun(group: u32, feature: u32) -> Moments {
    if p.before == 0u { return Moments(0.0, 0.0, 0.0); }
    let at = (p.group_at + group) * p.features + feature;
    var count = f32(p.before);
    if MASKED != 0u { count = mean[p.features + feature]; }
    return Moments(count, mean[at], variance[at]);
}

// With the variance instead of the sum, unless more runs follow.
fn finished(total: Moments) -> Moments {
    if p.finish == 0u { return total; }
    if MASKED == 0u { return Moments(total.count, total.mean, total.m2 / total.count); }
    let divisor = total.count + 1e-7;
    let shift = total.mean * (1e-7 / divisor);
    let m2 = total.m2 + total.count * shift * shift;
    return Moments(total.count, total.mean * (total.count / divisor), m2 / divisor);
}

fn keep(total: Moments, group: u32, feature: u32) {
    let at = (p.group_at + group) * p.features + feature;
    mean[at] = total.mean;
    variance[at] = total.m2;
    if MASKED != 0u { mean[p.features + feature] = total.count; }
}

fn normalise(row: u32, feature: u32, center: f32, deviation: f32) {
    let at = row * p.features + feature;
    var value = (x[p.x_at + at] - center) / deviation;
    if SCALE != 0u { value *= gamma[feature]; }
    if CENTER != 0u { value += beta[feature]; }
    if p.accumulate != 0u { value += y[p.y_at + at]; }
    y[p.y_at + at] = value;
}

fn is_counted(row: u32, feature: u32) -> bool {
    if MASKED == 0u { return true; }
    return mask[select(row, row * p.features + feature, MASKED == 2u)] != 0.0;
}
