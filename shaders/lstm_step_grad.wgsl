// One time step of an LSTM backwards: dh = dy + dz[t+1]·Uᵀ, then the cell's gradient. Thread = one unit of 4 rows of the batch.
// `gates` holds the activated gates of step t, which become dz[t] in place, and dz[t+1] of the step done before.
struct LstmStepGrad {
    rows: u32,      // N
    units: u32,     // H
    gates_at: u32,  // of step t, in vec4
    next_at: u32,   // of step t+1, in vec4
    c_prev_at: u32, c_at: u32,
    dy_at: u32,
    has_dy: u32,    // 0: nothing reads this step's output but the next step
    last: u32,      // 1: the last time step, nothing comes from t+1
}
@group(0) @binding(0) var<uniform> p: LstmStepGrad;
@group(1) @binding(0) var<storage, read> u: array<vec4<f32>>;           // [H, H] x 4 gates
@group(1) @binding(1) var<storage, read> c: array<f32>;                 // [T+1, N, H]
@group(1) @binding(2) var<storage, read> dy: array<f32>;                // [T, N, H] or [N, H]
@group(1) @binding(3) var<storage, read_write> gates: array<vec4<f32>>; // [T, N, H] x 4 gates
@group(1) @binding(4) var<storage, read_write> dc: array<f32>;          // [N, H], carried to step t-1

@compute @workgroup_size(16, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let unit = id.x;
    let row = id.y * 4u;
    if unit >= p.units || row >= p.rows { return; }
    var dh = vec4<f32>();
    if p.last == 0u {
        let rows = min(vec4(row) + vec4(0u, 1u, 2u, 3u), vec4(p.rows - 1u)) * p.units + p.next_at;
        for (var k_run = 0u; k_run < p.units; k_run += RUN) {
            var run = vec4<f32>();
            for (var k = k_run; k < min(p.units, k_run + RUN); k++) {
                let uv = u[unit * p.units + k];
                run += vec4(
                    dot(gates[rows.x + k], uv),
                    dot(gates[rows.y + k], uv),
                    dot(gates[rows.z + k], uv),
                    dot(gates[rows.w + k], uv),
                );
            }
            dh += run;
        }
    }
    for (var r = 0u; r < 4u; r++) {
        if row + r < p.rows { update(row + r, unit, dh[r]); }
    }
}

fn update(row: u32, unit: u32, recurrent: f32) {
    let i = row * p.units + unit;
    var dh = recurrent;
    if p.has_dy != 0u { dh += dy[p.dy_at + i]; }
    var dc_next = 0.0;
    if p.last == 0u { dc_next = dc[i]; }
    let grad = lstm_cell_grad(gates[p.gates_at + i], c[p.c_prev_at + i], c[p.c_at + i], dh, dc_next);
    gates[p.gates_at + i] = grad.dz;
    dc[i] = grad.dc_prev;
}
