// All steps in one dispatch: a workgroup of THREADS owns 4 QUADS rows of the batch, whose gradients it keeps in workgroup memory; U is
// streamed from cache. Thread = every THREADS-th unit of these rows. No step needs another workgroup.
const ROWS: u32 = 4u * QUADS;
const TURNS: u32 = (MOST_UNITS + THREADS - 1u) / THREADS; // units of a thread
var<workgroup> held: array<vec4<f32>, MOST_UNITS * ROWS>; // [units, ROWS] x 4 gates, of the step done before

@compute @workgroup_size(THREADS)
fn slice(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    take_direction(group.z);
    let first = group.y * ROWS;
    hold_next(first, thread);
    for (var k = p.steps; k > 0u; k--) { slice_step(step_number(k - 1u), first, thread); }
}

// Holds the gradients of the successor of the step done last.
fn hold_next(first: u32, thread: u32) {
    if p.has_next == 0u || p.steps == 0u { return; }
    let s = step_number(p.steps - 1u);
    for (var unit = thread; unit < p.units; unit += THREADS) {
        for (var r = 0u; r < ROWS; r++) {
            held[unit * ROWS + r] = gates[s.next + min(first + r, p.rows - 1u) * p.units + unit];
        }
    }
}

fn slice_step(s: Step, first: u32, thread: u32) {
    let handed = any_hands_back(s, first, ROWS);
    workgroupBarrier();
    var dh: array<f32, TURNS * ROWS>;
    if handed {
        for (var turn = 0u; turn < TURNS; turn++) {
            let unit = thread + turn * THREADS;
            if unit < p.units {
                let of_unit = handed_back(first, unit);
                for (var r = 0u; r < ROWS; r++) { dh[turn * ROWS + r] = of_unit[r]; }
            }
        }
    }
    workgroupBarrier();
    for (var turn = 0u; turn < TURNS; turn++) {
        let unit = thread + turn * THREADS;
        if unit < p.units {
            for (var r = 0u; r < min(ROWS, p.rows - first); r++) {
                held[unit * ROWS + r] = update(s, first + r, unit, dh[turn * ROWS + r]);
            }
        }
    }
}

// What is handed back to a unit.
fn handed_back(first: u32, unit: u32) -> array<f32, ROWS> {
    var by_gate: array<vec4<f32>, ROWS>;
    for (var k_run = 0u; k_run < p.units; k_run += RUN) {
        var run: array<vec4<f32>, ROWS>;
        for (var k = k_run; k < min(p.units, k_run + RUN); k++) {
            let uv = u[own.u + unit * p.units + k];
            for (var r = 0u; r < ROWS; r++) { run[r] += held[k * ROWS + r] * uv; }
        }
        for (var r = 0u; r < ROWS; r++) { by_gate[r] += run[r]; }
    }
    var dh: array<f32, ROWS>;
    for (var r = 0u; r < ROWS; r++) { dh[r] = sum_of_gates(by_gate[r], min(first + r, p.rows - 1u), unit); }
    return dh;
}
