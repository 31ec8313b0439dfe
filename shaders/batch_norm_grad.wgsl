// dx of batch normalisation (Ioffe & Szegedy 2015, section 3). Through the batch's own statistics:
// dx = gamma / sqrt(variance + epsilon) (dy - dbeta / M - x̂ dgamma / M), M = all rows, less what rounding of the means leaves of
// dx's own mean; or M = the rows of a group. Where rows are masked, M is
// the number of rows that count + 1e-7, which shrinks the mean, so that x̂ does not sum up to 0; rows that do not count, and
// statistics that are fixed, leave gamma / sqrt(variance + epsilon) dy. Thread = one element.
struct BatchNormGrad {
    rows: u32, features: u32, // of this run
    group_rows: u32,          // rows of one group, which has statistics of its own
    row_at: u32,              // first row, where rows come in several runs
    last_group: u32,          // rows behind it use its statistics
    total_rows: u32,          // M
    epsilon: f32,
    accumulate: u32,
    x_at: u32, dy_at: u32, dx_at: u32,
}
override SCALE: u32 = 0u;      // 1: gamma is there
override STATISTICS: u32 = 0u; // 0: of the batch, 1: of the batch's rows that count, 2: fixed, 3: of groups, 4: of the batch's elements that count
@group(0) @binding(0) var<uniform> p: BatchNormGrad;
@group(1) @binding(0) var<storage, read> x: array<f32>;        // [rows, F]
@group(1) @binding(1) var<storage, read> mask: array<f32>;     // [rows] or [rows, F]
@group(1) @binding(2) var<storage, read> dy: array<f32>;       // [rows, F]
@group(1) @binding(3) var<storage, read> mean: array<f32>;     // [groups, F]; masked [F + 1] or [2, F], with the rows that count
@group(1) @binding(4) var<storage, read> variance: array<f32>; // [groups, F]
@group(1) @binding(5) var<storage, read> gamma: array<f32>;    // [F]
@group(1) @binding(6) var<storage, read> sums: array<f32>;     // [3, F] over all rows: dbeta, dgamma, batch_norm_grad_rest's; of groups [groups, 2, F]
@group(1) @binding(7) var<storage, read_write> dx: array<f32>; // [rows, F]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.rows * p.features { return; }
    let feature = i % p.features;
    let group = min((p.row_at + i / p.features) / p.group_rows, p.last_group);
    let s = group * p.features + feature;
    let deviation = sqrt(variance[s] + p.epsilon);
    var value = dy[p.dy_at + i];
    let masked = STATISTICS == 1u || STATISTICS == 4u;
    if STATISTICS != 2u && (!masked || mask[select(i / p.features, i, STATISTICS == 4u)] != 0.0) {
        let at = 2u * group * p.features + feature;
        var x_hat = (x[p.x_at + i] - mean[s]) / deviation;
        var m = f32(p.total_rows);
        if masked {
            m = mean[p.features + select(0u, feature, STATISTICS == 4u)] + 1e-7;
            x_hat -= mean[s] * (1e-7 / m) / deviation;
        }
        var of_scale = x_hat * (sums[at + p.features] / m);
        // The rest joins the smaller term: taken from the difference it would be rounded away.
        if STATISTICS == 0u { of_scale += sums[at + 2u * p.features] / m; }
        value = value - sums[at] / m - of_scale;
    }
    value /= deviation;
    if SCALE != 0u { value *= gamma[feature]; }
    if p.accumulate != 0u { value += dx[p.dx_at + i]; }
    dx[p.dx_at + i] = value;
}
