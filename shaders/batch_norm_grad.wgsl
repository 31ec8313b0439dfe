// The gradients of batch normalisation (Ioffe & Szegedy 2015, section 3), where x̂ = (x - mean) / sqrt(variance + epsilon):
// sums over a group's rows of dy (dbeta) and of dy x̂ (dgamma), and through the batch's own statistics
// dx = gamma / sqrt(variance + epsilon) (dy - dbeta / M - x̂ dgamma / M), M = the group's rows. With one group, dx is less what rounding
// leaves of its own mean, the rest: dbeta / M and the mean in x̂ are rounded alike in every row, and that adds up in the bias of the
// layer before. Where rows are masked, M is the number of rows that count + 1e-7, which shrinks the mean, so that x̂ does not sum up
// to 0; rows that do not count, and statistics that are fixed, leave gamma / sqrt(variance + epsilon) dy.
struct BatchNormGrad {
    rows: u32, features: u32, // of this run
    group_rows: u32,          // rows of a group, which has statistics of its own
    row_at: u32,              // first row, where rows come in several runs
    last_group: u32,          // rows behind it use its statistics
    total_rows: u32,          // M
    block_rows: u32,
    task: u32,                // 0: everything, or of a run over some rows 1: the sums, 2: the rest, 3: dx
    before: u32,              // 1: earlier runs' sums or rest are there
    finish: u32,              // 1: sums are those of all rows when this run is done
    of_gamma: u32, of_beta: u32, // 0: not wanted, 1: written, 2: added
    epsilon: f32,
    accumulate: u32,
    mean_at: u32, variance_at: u32,
    gamma_at: u32, beta_at: u32, // in of_variables
    x_at: u32, dy_at: u32, dx_at: u32,
}
override SCALE: u32 = 0u;      // 1: gamma is there
override STATISTICS: u32 = 0u; // 0: of the batch, 1: of the batch's rows that count, 2: fixed, 3: of groups, 4: of the batch's elements that count
@group(0) @binding(0) var<uniform> p: BatchNormGrad;
@group(1) @binding(0) var<storage, read> x: array<f32>;          // [rows, F]
@group(1) @binding(1) var<storage, read> mask: array<f32>;       // [rows] or [rows, F]
@group(1) @binding(2) var<storage, read> dy: array<f32>;         // [rows, F]
@group(1) @binding(3) var<storage, read> statistics: array<f32>; // mean [groups, F], masked [2, F], with the rows that count; variance [groups, F]
@group(1) @binding(4) var<storage, read> gamma: array<f32>;      // [F]
@group(1) @binding(5) var<storage, read_write> sums: array<f32>; // [3, F]: dbeta, dgamma, rest; of groups [groups, 2, F]; masked [2, F]
@group(1) @binding(6) var<storage, read_write> of_variables: array<f32>; // the gradients of gamma and beta
@group(1) @binding(7) var<storage, read_write> dx: array<f32>;   // [rows, F]

// One feature of a group.
struct Known {
    at: u32, // its dbeta in `sums`; dgamma and the rest lie behind it
    mean: f32,
    deviation: f32,
}

// Barrier-free, for drivers that compute on a CPU. Thread = one feature of one group.
@compute @workgroup_size(8)
fn columns(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let feature = group.x * 8u + thread;
    if feature >= p.features { return; }
    let k = known(group.y, feature);
    let first = group.y * p.group_rows;
    let last = min(p.rows, first + p.group_rows);
    if p.task < 2u {
        var total = vec2(0.0);
        if p.before != 0u { total = vec2(sums[k.at], sums[k.at + p.features]); }
        for (var block = first; block < last; block += p.block_rows) {
            let end = min(last, block + p.block_rows);
            var of_block = vec2(0.0);
            for (var run = block; run < end; run += RUN) {
                var of_run = vec2(0.0);
                for (var row = run; row < min(end, run + RUN); row++) { of_run += terms(row, feature, k); }
                of_block += of_run;
            }
            total += of_block;
        }
        keep(total, feature, k);
    }
    if STATISTICS == 0u && (p.task == 0u || p.task == 2u) {
        let shares = vec2(sums[k.at], sums[k.at + p.features]) / f32(p.total_rows);
        var rest = 0.0;
        if p.before != 0u { rest = sums[k.at + 2u * p.features]; }
        for (var block = first; block < last; block += p.block_rows) {
            let end = min(last, block + p.block_rows);
            var of_block = 0.0;
            for (var run = block; run < end; run += RUN) {
                var of_run = 0.0;
                for (var row = run; row < min(end, run + RUN); row++) { of_run += left(row, feature, k, shares); }
                of_block += of_run;
            }
            rest += of_block;
        }
        sums[k.at + 2u * p.features] = rest;
    }
    if p.task == 0u {
        let s = known_sums(k);
        for (var row = first; row < last; row++) { input_gradient(row, feature, k, s); }
    }
}

const LANES: u32 = 256u / COLUMNS; // COLUMNS: the variant's
var<workgroup> part: array<vec2<f32>, 256>;

// A workgroup has some features of one group, and LANES threads for each of them.
@compute @workgroup_size(256)
fn tree(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let wanted = group.x * COLUMNS + thread % COLUMNS;
    let there = wanted < p.features;
    let feature = min(wanted, p.features - 1u);
    let k = known(group.y, feature);
    let first = group.y * p.group_rows + thread / COLUMNS;
    let last = select(0u, min(p.rows, group.y * p.group_rows + p.group_rows), there);
    var s = vec3(0.0);
    if p.before != 0u || p.task > 1u { s = known_sums(k); }
    if p.task < 2u {
        var total = vec2(0.0);
        for (var run = first; run < last; run += RUN * LANES) {
            var of_run = vec2(0.0);
            for (var row = run; row < min(last, run + RUN * LANES); row += LANES) { of_run += terms(row, feature, k); }
            total += of_run;
        }
        total = joined_lanes(total, thread);
        if p.before != 0u { total += s.xy; }
        s = vec3(total, 0.0);
        if thread < COLUMNS && there { keep(total, feature, k); }
    }
    if STATISTICS == 0u && (p.task == 0u || p.task == 2u) {
        let shares = s.xy / f32(p.total_rows);
        var rest = 0.0;
        for (var run = first; run < last; run += RUN * LANES) {
            var of_run = 0.0;
            for (var row = run; row < min(last, run + RUN * LANES); row += LANES) { of_run += left(row, feature, k, shares); }
            rest += of_run;
        }
        rest = joined_lanes(vec2(rest, 0.0), thread).x;
        if p.task == 2u && p.before != 0u { rest += s.z; }
        s.z = rest;
        if thread < COLUMNS && there { sums[k.at + 2u * p.features] = rest; }
    }
    if p.task == 0u {
        for (var row = first; row < last; row += LANES) { input_gradient(row, feature, k, s); }
    }
}

// dx alone. Thread = one element.
@compute @workgroup_size(64)
fn elements(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.rows * p.features { return; }
    let feature = i % p.features;
    let row = i / p.features;
    let k = known(row / p.group_rows, feature);
    input_gradient(row, feature, k, known_sums(k));
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

// Of a group of this run.
fn known(group: u32, feature: u32) -> Known {
    let g = min(p.row_at / p.group_rows + group, p.last_group);
    let s = g * p.features + feature;
    let deviation = sqrt(statistics[p.variance_at + s] + p.epsilon);
    return Known(select(2u, 3u, STATISTICS == 0u) * g * p.features + feature, statistics[p.mean_at + s], deviation);
}

fn known_sums(k: Known) -> vec3<f32> {
    if STATISTICS == 2u { return vec3(0.0); }
    var rest = 0.0;
    if STATISTICS == 0u { rest = sums[k.at + 2u * p.features]; }
    return vec3(sums[k.at], sums[k.at + p.features], rest);
}

// What a row adds to dbeta and dgamma.
fn terms(row: u32, feature: u32, k: Known) -> vec2<f32> {
    let at = row * p.features + feature;
    let d = dy[p.dy_at + at];
    return vec2(d, d * ((x[p.x_at + at] - k.mean) / k.deviation));
}

// What rounding leaves of a row's share, all of which should add up to nothing.
fn left(row: u32, feature: u32, k: Known, shares: vec2<f32>) -> f32 {
    let at = row * p.features + feature;
    return dy[p.dy_at + at] - shares.x - (x[p.x_at + at] - k.mean) / k.deviation * shares.y;
}

// Writes dbeta and dgamma.
fn keep(total: vec2<f32>, feature: u32, k: Known) {
    sums[k.at] = total.x;
    sums[k.at + p.features] = total.y;
    if p.finish != 0u && p.of_beta != 0u {
        let at = p.beta_at + feature;
        of_variables[at] = total.x + select(0.0, of_variables[at], p.of_beta == 2u);
    }
    if p.finish != 0u && p.of_gamma != 0u {
        let at = p.gamma_at + feature;
        of_variables[at] = total.y + select(0.0, of_variables[at], p.of_gamma == 2u);
    }
}

fn input_gradient(row: u32, feature: u32, k: Known, s: vec3<f32>) {
    let i = row * p.features + feature;
    var value = dy[p.dy_at + i];
    let masked = STATISTICS == 1u || STATISTICS == 4u;
    if STATISTICS != 2u && (!masked || mask[select(row, i, STATISTICS == 4u)] != 0.0) {
        var x_hat = (x[p.x_at + i] - k.mean) / k.deviation;
        var m = f32(p.total_rows);
        if masked {
            m = statistics[p.mean_at + p.features + feature] + 1e-7;
            x_hat -= k.mean * (1e-7 / m) / k.deviation;
        }
        // The rest joins the smaller term: taken from the difference it would be rounded away.
        var of_scale = x_hat * (s.y / m);
        if STATISTICS == 0u { of_scale += s.z / m; }
        value = value - s.x / m - of_scale;
    }
    value /= k.deviation;
    if SCALE != 0u { value *= gamma[feature]; }
    if p.accumulate != 0u { value += dx[p.dx_at + i]; }
    dx[p.dx_at + i] = value;
}
