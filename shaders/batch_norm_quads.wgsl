// Barrier-free, for drivers that compute on a CPU: there each load is a loop over the lanes, a vec4's hardly dearer than a number's.
// Of one group whose rows all count and come in one run. Thread = four features.
@group(1) @binding(0) var<storage, read> x4: array<vec4<f32>>;
@group(1) @binding(2) var<storage, read> gamma4: array<vec4<f32>>;
@group(1) @binding(3) var<storage, read> beta4: array<vec4<f32>>;
@group(1) @binding(4) var<storage, read_write> mean4: array<vec4<f32>>;
@group(1) @binding(5) var<storage, read_write> variance4: array<vec4<f32>>;
@group(1) @binding(6) var<storage, read_write> y4: array<vec4<f32>>;

struct Moments4 {
    mean: vec4<f32>,
    m2: vec4<f32>,
}

@compute @workgroup_size(8)
fn quads(@builtin(global_invocation_id) id: vec3<u32>) {
    let quads = p.features / 4u;
    let quad = id.x;
    if quad >= quads { return; }
    let x_at = p.x_at / 4u + quad;
    var total: Moments4;
    for (var first = 0u; first < p.rows; first += p.block_rows) {
        let last = min(p.rows, first + p.block_rows);
        total = joined4(f32(first), total, f32(last - first), of_block4(x_at, quads, first, last));
    }
    let variance = total.m2 / f32(p.rows);
    mean4[p.group_at * quads + quad] = total.mean;
    variance4[p.group_at * quads + quad] = variance;
    let deviation = sqrt(variance + p.epsilon);
    let y_at = p.y_at / 4u + quad;
    for (var row = 0u; row < p.rows; row++) {
        var value = (x4[x_at + row * quads] - total.mean) / deviation;
        if SCALE != 0u { value *= gamma4[quad]; }
        if CENTER != 0u { value += beta4[quad]; }
        if p.accumulate != 0u { value += y4[y_at + row * quads]; }
        y4[y_at + row * quads] = value;
    }
}

fn of_block4(x_at: u32, quads: u32, first: u32, last: u32) -> Moments4 {
    let count = f32(last - first);
    var sum = vec4<f32>();
    for (var run = first; run < last; run += RUN) {
        var run_sum = vec4<f32>();
        for (var row = run; row < min(last, run + RUN); row++) { run_sum += x4[x_at + row * quads]; }
        sum += run_sum;
    }
    let rough = sum / count;
    var deviations = vec4<f32>();
    var squares = vec4<f32>();
    for (var run = first; run < last; run += RUN) {
        var of_run = vec4<f32>();
        var squares_of_run = vec4<f32>();
        for (var row = run; row < min(last, run + RUN); row++) {
            let d = x4[x_at + row * quads] - rough;
            of_run += d;
            squares_of_run += d * d;
        }
        deviations += of_run;
        squares += squares_of_run;
    }
    let shift = deviations / count;
    return Moments4(rough + shift, squares - deviations * shift);
}

fn joined4(a_count: f32, a: Moments4, b_count: f32, b: Moments4) -> Moments4 {
    if a_count == 0.0 { return b; }
    let share = b_count / (a_count + b_count);
    let delta = b.mean - a.mean;
    return Moments4(a.mean + delta * share, a.m2 + (b.m2 + delta * delta * a_count * share));
}
