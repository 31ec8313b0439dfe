// Consecutive time steps of a recurrence, whatever its cell: what its engines share, and the one that takes a dispatch for each step. The
// kernel before this has the parameters `p`, the bindings u, h, mask and dropout, `begin`, which writes the zero state of one row and unit,
// and `update`, which makes of the products of one with U what follows from them: the new h, or, of a cell that multiplies twice in a step,
// what is multiplied next.
// One direction or two at once: the grid's z is the direction, the second of which goes against the first.
struct Sequence {
    rows: u32,         // N
    units: u32,        // H
    steps: u32,
    directions: u32,
    reverse: u32,      // of the first direction
    begins: u32,       // 1: the state before the first step done is zero, and is written
    u_at: u32,         // of the first direction, in vec4
    gates_at: u32,     // of the earliest step, in vec4
    h_at: u32,         // of the earliest state
    beside_at: u32,    // of what lies beside h: the earliest c, or r h of the earliest step
    mask_at: u32,
    dropout_at: u32,   // in vec4
    peepholes_at: u32,
    second_u_at: u32,  // the same of the second direction
    second_gates_at: u32,
    second_h_at: u32,
    second_beside_at: u32,
    second_mask_at: u32,
    second_dropout_at: u32,
    second_peepholes_at: u32,
}

// The direction of a thread: which way it goes, and where what is its own begins.
struct Direction {
    reverse: u32,
    u: u32,
    gates: u32,
    h: u32,
    beside: u32,
    mask: u32,
    dropout: u32,
    peepholes: u32,
}
var<private> own: Direction;

// What an entry point begins with.
fn take_direction(number: u32) {
    own = Direction(p.reverse, p.u_at, p.gates_at, p.h_at, p.beside_at, p.mask_at, p.dropout_at, p.peepholes_at);
    if number != 0u {
        own = Direction(
            1u - p.reverse, p.second_u_at, p.second_gates_at, p.second_h_at, p.second_beside_at, p.second_mask_at,
            p.second_dropout_at, p.second_peepholes_at,
        );
    }
}

// Where a step's values begin.
struct Step {
    at: u32,      // behind those of the earliest step
    read: u32,    // the state that it reads, behind the earliest
    made: u32,    // the state that it makes
    mask: u32,
    begins: bool, // the state that it reads is zero
}

// Forwards in time a step reads the state at its own place and makes the next one, backwards the other way round.
fn step_number(k: u32) -> Step {
    let offset = select(k, p.steps - 1u - k, own.reverse != 0u);
    let size = p.rows * p.units;
    return Step(
        offset * size, (offset + own.reverse) * size, (offset + 1u - own.reverse) * size, own.mask + offset * p.rows,
        p.begins != 0u && k == 0u,
    );
}

fn counts(s: Step, row: u32) -> bool {
    if MASK == 0u { return true; }
    return mask[s.mask + row] != 0.0;
}

// Whether a step multiplies anything for any of some rows.
fn recurs(s: Step, first: u32, rows: u32) -> bool {
    if s.begins { return false; }
    if MASK == 0u { return true; }
    for (var row = first; row < min(first + rows, p.rows); row++) {
        if mask[s.mask + row] != 0.0 { return true; }
    }
    return false;
}

// h of one row and unit before a step.
fn h_before(s: Step, i: u32) -> f32 {
    return select(h[own.h + s.read + i], 0.0, s.begins);
}

// Writes the zeros that some rows begin with, a thread's units of them, where they do.
fn begin_rows(first: u32, rows: u32, thread: u32, threads: u32) {
    if p.begins == 0u { return; }
    let s = step_number(0u);
    for (var unit = thread; unit < p.units; unit += threads) {
        for (var row = first; row < min(first + rows, p.rows); row++) { begin(s, row * p.units + unit); }
    }
}

// h of one row and unit as each gate sees it.
fn seen(value: f32, row: u32, k: u32) -> vec4<f32> {
    if DROPOUT != 0u { return value * dropout[own.dropout + row * p.units + k]; }
    return vec4(value);
}

// Thread = one unit of 4 rows of the batch, all four gates of it, so that U is loaded once for 4 rows.
@compute @workgroup_size(16, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let unit = id.x;
    let row = id.y * 4u;
    if unit >= p.units || row >= p.rows { return; }
    take_direction(id.z);
    let s = step_number(0u);
    begin_rows(row, 4u, unit, p.units);
    let rows = min(vec4(row) + vec4(0u, 1u, 2u, 3u), vec4(p.rows - 1u));
    let at = rows * p.units + own.h + s.read;
    var z0 = vec4<f32>();
    var z1 = vec4<f32>();
    var z2 = vec4<f32>();
    var z3 = vec4<f32>();
    let terms = select(0u, p.units, recurs(s, row, 4u));
    for (var k_run = 0u; k_run < terms; k_run += RUN) {
        var run0 = vec4<f32>();
        var run1 = vec4<f32>();
        var run2 = vec4<f32>();
        var run3 = vec4<f32>();
        for (var k = k_run; k < min(terms, k_run + RUN); k++) {
            let uv = u[own.u + k * p.units + unit];
            run0 += seen(h[at.x + k], rows.x, k) * uv;
            run1 += seen(h[at.y + k], rows.y, k) * uv;
            run2 += seen(h[at.z + k], rows.z, k) * uv;
            run3 += seen(h[at.w + k], rows.w, k) * uv;
        }
        z0 += run0;
        z1 += run1;
        z2 += run2;
        z3 += run3;
    }
    update(s, row, unit, z0);
    if row + 1u < p.rows { update(s, row + 1u, unit, z1); }
    if row + 2u < p.rows { update(s, row + 2u, unit, z2); }
    if row + 3u < p.rows { update(s, row + 3u, unit, z3); }
}
