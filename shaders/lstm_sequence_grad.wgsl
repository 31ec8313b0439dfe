// Consecutive time steps of an LSTM backwards, the last done first: dh = dy + dz[next]·Uᵀ, then the cell's gradient. `main` does a single
// step (steps = 1), or what is left for dh of the state before all (steps = 0); thread = one unit of 4 rows of the batch.
// `gates` holds what the forward pass saved of step t, which becomes dz[t] in place, and dz of the step done after it, t's successor.
// A masked row hands dh and dc on to the step before, and its dz is 0.
struct LstmSequenceGrad {
    rows: u32,      // N
    units: u32,     // H
    steps: u32,
    reverse: u32,   // 1: the forward pass went backwards in time
    gates_at: u32,  // of the earliest step, in vec4
    c_at: u32,      // of the earliest state
    dy_at: u32,
    mask_at: u32,
    has_dy: u32,    // 0: only the next steps read the outputs; 1: more reads that of the step done last; 2: every step's
    has_next: u32,  // 0: the step done last has no successor
    carried: u32,   // what `carry` brings to the step done last: 0 nothing, 1 dc, 2 dc and dh
    initial: u32,   // 1: dh of the state before all goes into `carry`
}
override ACTIVATION: u32 = 0u;
override RECURRENT_ACTIVATION: u32 = 0u;
override PEEPHOLES: u32 = 0u;
override COUPLED: u32 = 0u;
override MASK: u32 = 0u;
override DROPOUT: u32 = 0u;
@group(0) @binding(0) var<uniform> p: LstmSequenceGrad;
@group(1) @binding(0) var<storage, read> u: array<vec4<f32>>;           // [H, H] x 4 gates
@group(1) @binding(1) var<storage, read> c: array<f32>;                 // [T+1, N, H]
@group(1) @binding(2) var<storage, read> dy: array<f32>;                // [T, N, H] or [N, H]
@group(1) @binding(3) var<storage, read_write> gates: array<vec4<f32>>; // [T, N, H] x 4 gates
@group(1) @binding(4) var<storage, read_write> carry: array<f32>;       // [2, N, H]: dc, dh, from step to step
@group(1) @binding(5) var<storage, read> mask: array<f32>;              // [T, N]
@group(1) @binding(6) var<storage, read> dropout: array<vec4<f32>>;     // [N, H] x 4 gates
@group(1) @binding(7) var<storage, read> peepholes: array<f32>;         // [3, H] of i, f, o

// Where dz of the successor begins.
fn next_at() -> u32 {
    let size = p.rows * p.units;
    if p.steps == 0u { return p.gates_at; }
    return select(p.gates_at + size, p.gates_at - size, p.reverse != 0u);
}

@compute @workgroup_size(16, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let unit = id.x;
    let row = id.y * 4u;
    if unit >= p.units || row >= p.rows { return; }
    let rows = min(vec4(row) + vec4(0u, 1u, 2u, 3u), vec4(p.rows - 1u)) * p.units;
    var dh = vec4<f32>();
    if p.has_next != 0u {
        if DROPOUT != 0u {
            dh = vec4(
                from_next_gates(rows.x, unit), from_next_gates(rows.y, unit),
                from_next_gates(rows.z, unit), from_next_gates(rows.w, unit),
            );
        } else {
            dh = from_next(rows + next_at(), unit);
        }
    }
    for (var r = 0u; r < 4u; r++) {
        if row + r < p.rows { update(row + r, unit, dh[r]); }
    }
}

// dz·Uᵀ of four rows.
fn from_next(rows: vec4<u32>, unit: u32) -> vec4<f32> {
    var dh = vec4<f32>();
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
    return dh;
}

// The same of one row where each gate saw h through a mask of its own.
fn from_next_gates(row: u32, unit: u32) -> f32 {
    var dh = vec4<f32>();
    for (var k_run = 0u; k_run < p.units; k_run += RUN) {
        var run = vec4<f32>();
        for (var k = k_run; k < min(p.units, k_run + RUN); k++) {
            run += gates[next_at() + row + k] * u[unit * p.units + k];
        }
        dh += run;
    }
    return dot(dh, dropout[row + unit]);
}

fn update(row: u32, unit: u32, recurrent: f32) {
    let i = row * p.units + unit;
    let dh_at = p.rows * p.units + i;
    var dh = recurrent;
    if p.has_dy != 0u { dh += dy[p.dy_at + i]; }
    if p.carried == 2u { dh += carry[dh_at]; }
    var dc_next = 0.0;
    if p.carried != 0u { dc_next = carry[i]; }
    if p.steps == 0u {
        carry[dh_at] = dh;
        return;
    }
    if MASK != 0u {
        if mask[p.mask_at + row] == 0.0 {
            gates[p.gates_at + i] = vec4<f32>();
            carry[i] = dc_next;
            carry[dh_at] = dh;
            return;
        }
        carry[dh_at] = 0.0;
    }
    var peephole = vec3<f32>();
    if PEEPHOLES != 0u { peephole = vec3(peepholes[unit], peepholes[p.units + unit], peepholes[2u * p.units + unit]); }
    let options = CellOptions(ACTIVATION, RECURRENT_ACTIVATION, PEEPHOLES, COUPLED);
    let saved = gates[p.gates_at + i];
    let size = p.rows * p.units;
    let c_prev = c[p.c_at + select(0u, size, p.reverse != 0u) + i];
    let c_made = c[p.c_at + select(size, 0u, p.reverse != 0u) + i];
    let grad = lstm_cell_grad(options, saved, c_prev, c_made, dh, dc_next, peephole);
    gates[p.gates_at + i] = grad.dz;
    carry[i] = grad.dc_prev;
}
