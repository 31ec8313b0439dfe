// Consecutive time steps of an LSTM backwards, the last done first: dh = dy + dz[next]·Uᵀ, then the cell's gradient. `gates` holds what the
// forward pass saved of step t, which becomes dz[t] in place, and dz of the step done after it, t's successor. A masked row hands dh
// and dc on to the step before; its dz is 0 and hands back nothing. `main` does a single step (steps = 1), or what is left for dh of
// the state before all (steps = 0, `gates_at` and `mask_at` of its successor); the variants' entry points do all steps.
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

// Where a step's values begin, and what it reads.
struct Step {
    gates: u32,
    next: u32, // dz of its successor
    has_next: bool,
    c_read: u32,
    c_made: u32,
    dy: u32,
    has_dy: bool,
    mask: u32,
    next_mask: u32,
    carries_dc: bool,
    carries_dh: bool,
}

fn step_number(k: u32) -> Step {
    let offset = select(k, max(p.steps, 1u) - 1u - k, p.reverse != 0u);
    let size = p.rows * p.units;
    var s: Step;
    s.gates = p.gates_at + offset * size;
    s.mask = p.mask_at + offset * p.rows;
    s.c_read = p.c_at + (offset + p.reverse) * size;
    s.c_made = p.c_at + (offset + 1u - p.reverse) * size;
    if p.steps == 0u {
        s.next = s.gates;
        s.next_mask = s.mask;
    } else if p.reverse != 0u {
        s.next = s.gates - size;
        s.next_mask = s.mask - p.rows;
    } else {
        s.next = s.gates + size;
        s.next_mask = s.mask + p.rows;
    }
    let last = k + 1u >= p.steps;
    s.has_next = !last || p.has_next != 0u;
    s.dy = p.dy_at + select(0u, offset * size, p.has_dy == 2u);
    s.has_dy = p.has_dy == 2u || (p.has_dy == 1u && last);
    s.carries_dc = !last || p.carried != 0u;
    s.carries_dh = select(MASK != 0u, p.carried == 2u, last);
    return s;
}

// Whether the successor of a step hands something back to one of some rows; where it does not, no products are needed.
fn any_hands_back(s: Step, first: u32, rows: u32) -> bool {
    if !s.has_next { return false; }
    if MASK == 0u { return true; }
    for (var row = first; row < min(first + rows, p.rows); row++) {
        if mask[s.next_mask + row] != 0.0 { return true; }
    }
    return false;
}

// The gradient of one row and unit; `handed_back` is dz[next]·Uᵀ.
fn update(s: Step, row: u32, unit: u32, handed_back: f32) -> vec4<f32> {
    let i = row * p.units + unit;
    let dh_at = p.rows * p.units + i;
    var dh = 0.0;
    if s.has_next {
        dh = handed_back;
        if MASK != 0u { dh = select(0.0, dh, mask[s.next_mask + row] != 0.0); }
    }
    if s.has_dy { dh += dy[s.dy + i]; }
    if s.carries_dh { dh += carry[dh_at]; }
    var dc_next = 0.0;
    if s.carries_dc { dc_next = carry[i]; }
    if p.steps == 0u {
        carry[dh_at] = dh;
        return vec4<f32>();
    }
    if MASK != 0u {
        if mask[s.mask + row] == 0.0 {
            gates[s.gates + i] = vec4<f32>();
            carry[i] = dc_next;
            carry[dh_at] = dh;
            return vec4<f32>();
        }
        carry[dh_at] = 0.0;
    }
    var peephole = vec3<f32>();
    if PEEPHOLES != 0u { peephole = vec3(peepholes[unit], peepholes[p.units + unit], peepholes[2u * p.units + unit]); }
    let options = CellOptions(ACTIVATION, RECURRENT_ACTIVATION, PEEPHOLES, COUPLED);
    let grad = lstm_cell_grad(options, gates[s.gates + i], c[s.c_read + i], c[s.c_made + i], dh, dc_next, peephole);
    gates[s.gates + i] = grad.dz;
    carry[i] = grad.dc_prev;
    return grad.dz;
}

// What the gates hand back to one unit together, each through the mask that it saw h through.
fn sum_of_gates(by_gate: vec4<f32>, row: u32, unit: u32) -> f32 {
    if DROPOUT != 0u { return dot(by_gate, dropout[row * p.units + unit]); }
    return (by_gate.x + by_gate.y) + (by_gate.z + by_gate.w);
}

// Thread = one unit of 4 rows of the batch.
@compute @workgroup_size(16, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let unit = id.x;
    let row = id.y * 4u;
    if unit >= p.units || row >= p.rows { return; }
    let s = step_number(0u);
    let rows = min(vec4(row) + vec4(0u, 1u, 2u, 3u), vec4(p.rows - 1u)) * p.units;
    var dh = vec4<f32>();
    if any_hands_back(s, row, 4u) {
        if DROPOUT != 0u {
            dh = vec4(
                from_next_gates(s, rows.x, unit), from_next_gates(s, rows.y, unit),
                from_next_gates(s, rows.z, unit), from_next_gates(s, rows.w, unit),
            );
        } else {
            dh = from_next(rows + s.next, unit);
        }
    }
    for (var r = 0u; r < 4u; r++) {
        if row + r < p.rows { update(s, row + r, unit, dh[r]); }
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
fn from_next_gates(s: Step, row: u32, unit: u32) -> f32 {
    var dh = vec4<f32>();
    for (var k_run = 0u; k_run < p.units; k_run += RUN) {
        var run = vec4<f32>();
        for (var k = k_run; k < min(p.units, k_run + RUN); k++) {
            run += gates[s.next + row + k] * u[unit * p.units + k];
        }
        dh += run;
    }
    return dot(dh, dropout[row + unit]);
}
