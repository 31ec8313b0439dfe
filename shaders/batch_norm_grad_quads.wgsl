// Barrier-free, for drivers that compute on a CPU: there each load is a loop over the lanes, a vec4's hardly dearer than a number's.
// Of one group whose statistics are those of all its rows, which come in one run. Thread = four features.
@group(1) @binding(0) var<storage, read> x4: array<vec4<f32>>;
@group(1) @binding(2) var<storage, read> dy4: array<vec4<f32>>;
@group(1) @binding(3) var<storage, read> statistics4: array<vec4<f32>>;
@group(1) @binding(4) var<storage, read> gamma4: array<vec4<f32>>;
@group(1) @binding(5) var<storage, read_write> sums4: array<vec4<f32>>;
@group(1) @binding(6) var<storage, read_write> of_variables4: array<vec4<f32>>;
@group(1) @binding(7) var<storage, read_write> dx4: array<vec4<f32>>;

struct Sums4 {
    dbeta: vec4<f32>,
    dgamma: vec4<f32>,
}

@compute @workgroup_size(8)
fn quads(@builtin(global_invocation_id) id: vec3<u32>) {
    let quads = p.features / 4u;
    let quad = id.x;
    if quad >= quads { return; }
    let center = statistics4[p.mean_at / 4u + quad];
    let deviation = sqrt(statistics4[p.variance_at / 4u + quad] + p.epsilon);
    let m = f32(p.total_rows);
    let x_at = p.x_at / 4u + quad;
    let dy_at = p.dy_at / 4u + quad;
    let dx_at = p.dx_at / 4u + quad;

    var total: Sums4;
    for (var block = 0u; block < p.rows; block += p.block_rows) {
        let end = min(p.rows, block + p.block_rows);
        var of_block: Sums4;
        for (var run = block; run < end; run += RUN) {
            var of_run: Sums4;
            for (var row = run; row < min(end, run + RUN); row++) {
                let d = dy4[dy_at + row * quads];
                of_run.dbeta += d;
                of_run.dgamma += d * ((x4[x_at + row * quads] - center) / deviation);
            }
            of_block.dbeta += of_run.dbeta;
            of_block.dgamma += of_run.dgamma;
        }
        total.dbeta += of_block.dbeta;
        total.dgamma += of_block.dgamma;
    }
    keep4(total, quad, quads);

    // What rounding leaves of all shares, which should add up to nothing.
    let of_beta = total.dbeta / m;
    let of_gamma = total.dgamma / m;
    var rest = vec4<f32>();
    for (var block = 0u; block < p.rows; block += p.block_rows) {
        let end = min(p.rows, block + p.block_rows);
        var of_block = vec4<f32>();
        for (var run = block; run < end; run += RUN) {
            var of_run = vec4<f32>();
            for (var row = run; row < min(end, run + RUN); row++) {
                let x_hat = (x4[x_at + row * quads] - center) / deviation;
                of_run += dy4[dy_at + row * quads] - of_beta - x_hat * of_gamma;
            }
            of_block += of_run;
        }
        rest += of_block;
    }
    sums4[2u * quads + quad] = rest;

    for (var row = 0u; row < p.rows; row++) {
        let x_hat = (x4[x_at + row * quads] - center) / deviation;
        // The rest joins the smaller term: taken from the difference it would be rounded away.
        var value = dy4[dy_at + row * quads] - of_beta - (x_hat * of_gamma + rest / m);
        value /= deviation;
        if SCALE != 0u { value *= gamma4[quad]; }
        if p.accumulate != 0u { value += dx4[dx_at + row * quads]; }
        dx4[dx_at + row * quads] = value;
    }
}

// Writes dbeta and dgamma.
fn keep4(total: Sums4, quad: u32, quads: u32) {
    sums4[quad] = total.dbeta;
    sums4[quads + quad] = total.dgamma;
    if p.of_beta != 0u {
        let at = p.beta_at / 4u + quad;
        of_variables4[at] = total.dbeta + select(vec4<f32>(), of_variables4[at], p.of_beta == 2u);
    }
    if p.of_gamma != 0u {
        let at = p.gamma_at / 4u + quad;
        of_variables4[at] = total.dgamma + select(vec4<f32>(), of_variables4[at], p.of_gamma == 2u);
    }
}
