// All steps in one dispatch: a workgroup of THREADS owns 4 QUADS rows of the batch, whose h it keeps in workgroup memory, of this step and
// of the next; U is streamed from cache. Thread = every THREADS-th unit of these rows. No step needs another workgroup.
const ROWS: u32 = 4u * QUADS;
const STATE: u32 = MOST_UNITS * QUADS;
var<workgroup> held: array<vec4<f32>, 2u * STATE>; // [2, units, QUADS] of 4 rows

@compute @workgroup_size(THREADS)
fn slice(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    take_direction(group.z);
    let first = group.y * ROWS;
    hold_h(first, thread);
    for (var k = 0u; k < p.steps; k++) {
        let before = (k % 2u) * STATE;
        slice_step(step_number(k), first, thread, before, STATE - before);
        workgroupBarrier();
    }
}

// Holds h before the first step; zeros it needs not.
fn hold_h(first: u32, thread: u32) {
    begin_rows(first, ROWS, thread, THREADS);
    if p.begins != 0u { return; }
    let h_at = own.h + step_number(0u).read;
    for (var unit = thread; unit < p.units; unit += THREADS) {
        for (var r = 0u; r < ROWS; r++) {
            hold(0u, unit, r, h[h_at + min(first + r, p.rows - 1u) * p.units + unit]);
        }
    }
    workgroupBarrier();
}

fn hold(at: u32, unit: u32, row: u32, value: f32) {
    held[at + unit * QUADS + row / 4u][row % 4u] = value;
}

// A step's products of what is held at `before`; what follows from them is held at `next`.
fn slice_step(s: Step, first: u32, thread: u32, before: u32, next: u32) {
    let multiplies = recurs(s, first, ROWS);
    for (var unit = thread; unit < p.units; unit += THREADS) {
        var z: array<vec4<f32>, ROWS>;
        if multiplies { z = recurrent(before, first, unit); }
        for (var r = 0u; r < min(ROWS, p.rows - first); r++) { hold(next, unit, r, update(s, first + r, unit, z[r])); }
    }
}

// h·U of a unit.
fn recurrent(before: u32, first: u32, unit: u32) -> array<vec4<f32>, ROWS> {
    var z: array<vec4<f32>, ROWS>;
    for (var k_run = 0u; k_run < p.units; k_run += RUN) {
        var run: array<vec4<f32>, ROWS>;
        for (var k = k_run; k < min(p.units, k_run + RUN); k++) {
            let uv = u[own.u + k * p.units + unit];
            for (var q = 0u; q < QUADS; q++) {
                let four = held[before + k * QUADS + q];
                run[4u * q] += seen_by(four.x, first + 4u * q, k) * uv;
                run[4u * q + 1u] += seen_by(four.y, first + 4u * q + 1u, k) * uv;
                run[4u * q + 2u] += seen_by(four.z, first + 4u * q + 2u, k) * uv;
                run[4u * q + 3u] += seen_by(four.w, first + 4u * q + 3u, k) * uv;
            }
        }
        for (var r = 0u; r < ROWS; r++) { z[r] += run[r]; }
    }
    return z;
}

// The same of a row that may lie past the edge.
fn seen_by(value: f32, row: u32, k: u32) -> vec4<f32> {
    return seen(value, min(row, p.rows - 1u), k);
}
