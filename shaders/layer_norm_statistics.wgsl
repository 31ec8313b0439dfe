// Mean and biased variance of every row, by the corrected two-pass algorithm (Chan, Golub & LeVeque 1983). Thread = one row.
struct LayerNormStatistics {
    rows: u32, features: u32,
    x_at: u32,
    row_at: u32, // first row of mean and variance
}
@group(0) @binding(0) var<uniform> p: LayerNormStatistics;
@group(1) @binding(0) var<storage, read> x: array<f32>;              // [rows, F]
@group(1) @binding(1) var<storage, read_write> mean: array<f32>;     // [all rows]
@group(1) @binding(2) var<storage, read_write> variance: array<f32>; // [all rows]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = element(id);
    if row >= p.rows { return; }
    let first = p.x_at + row * p.features;
    let last = first + p.features;
    let count = f32(p.features);
    var sum = 0.0;
    for (var run = first; run < last; run += RUN) {
        var run_sum = 0.0;
        for (var at = run; at < min(last, run + RUN); at++) { run_sum += x[at]; }
        sum += run_sum;
    }
    let m = sum / count;
    var deviation = 0.0;
    var squares = 0.0;
    for (var run = first; run < last; run += RUN) {
        var run_deviation = 0.0;
        var run_squares = 0.0;
        for (var at = run; at < min(last, run + RUN); at++) {
            let d = x[at] - m;
            run_deviation += d;
            run_squares += d * d;
        }
        deviation += run_deviation;
        squares += run_squares;
    }
    let shift = deviation / count; // what rounding left of the mean
    mean[p.row_at + row] = m + shift;
    variance[p.row_at + row] = (squares - deviation * shift) / count;
}
