// Consecutive time steps of a recurrence backwards, the last done first, whatever its cell: what its engines share, and the one that takes a
// dispatch for each step: a single step (steps = 1), or what is left for dh of the state before all (steps = 0, `gates_at` and `mask_at` of
// its successor). `gates` holds what the forward pass saved of step t, which becomes their gradients before activation, in place, and those
// of the step done after it, t's successor. A masked row's gradients are 0 and hand back nothing. The kernel before this has the
// parameters `p`, the bindings u, dy, gates, mask and dropout, and
//   hand          what one unit's gradients hand back through its weights, of the gates that saw h
//   sum_of_gates  the same where it is already multiplied and summed, gate by gate
//   update        makes of what all units hand back to one row and unit the gradients of its gates, which it gives.
// One direction or two at once, as forwards.
struct SequenceGrad {
    rows: u32,         // N
    units: u32,        // H
    steps: u32,
    directions: u32,
    reverse: u32,      // 1: the forward pass of the first direction went backwards in time
    has_dy: u32,       // 0: only the next steps read the outputs; 1: more reads that of the step done last; 2: every step's
    has_next: u32,     // 0: the step done last has no successor
    carried: u32,      // what `carry` brings to the step done last; 0: nothing
    initial: u32,      // 1: dh of the state before all goes into `carry`
    u_at: u32,         // of the first direction, in vec4
    gates_at: u32,     // of the earliest step, in vec4
    states_at: u32,    // of the earliest of the states that the cell's gradient reads
    dy_at: u32,
    carry_at: u32,
    mask_at: u32,
    dropout_at: u32,   // in vec4
    peepholes_at: u32,
    second_u_at: u32,  // the same of the second direction
    second_gates_at: u32,
    second_states_at: u32,
    second_dy_at: u32,
    second_carry_at: u32,
    second_mask_at: u32,
    second_dropout_at: u32,
    second_peepholes_at: u32,
}

// The direction of a thread: which way the forward pass went, and where what is its own begins.
struct Direction {
    reverse: u32,
    u: u32,
    gates: u32,
    states: u32,
    dy: u32,
    carry: u32,
    mask: u32,
    dropout: u32,
    peepholes: u32,
}
var<private> own: Direction;

// What an entry point begins with.
fn take_direction(number: u32) {
    own = Direction(
        p.reverse, p.u_at, p.gates_at, p.states_at, p.dy_at, p.carry_at, p.mask_at, p.dropout_at, p.peepholes_at,
    );
    if number != 0u {
        own = Direction(
            1u - p.reverse, p.second_u_at, p.second_gates_at, p.second_states_at, p.second_dy_at, p.second_carry_at,
            p.second_mask_at, p.second_dropout_at, p.second_peepholes_at,
        );
    }
}

// Where a step's values begin, and what it reads.
struct Step {
    gates: u32,
    next: u32, // gradients of its successor
    has_next: bool,
    read: u32, // the state that it read
    made: u32, // the state that it made
    dy: u32,
    has_dy: bool,
    mask: u32,
    next_mask: u32,
    last: bool,
}

fn step_number(k: u32) -> Step {
    let offset = select(k, max(p.steps, 1u) - 1u - k, own.reverse != 0u);
    let size = p.rows * p.units;
    var s: Step;
    s.gates = own.gates + offset * size;
    s.mask = own.mask + offset * p.rows;
    s.read = own.states + (offset + own.reverse) * size;
    s.made = own.states + (offset + 1u - own.reverse) * size;
    if p.steps == 0u {
        s.next = s.gates;
        s.next_mask = s.mask;
    } else if own.reverse != 0u {
        s.next = s.gates - size;
        s.next_mask = s.mask - p.rows;
    } else {
        s.next = s.gates + size;
        s.next_mask = s.mask + p.rows;
    }
    s.last = k + 1u >= p.steps;
    s.has_next = !s.last || p.has_next != 0u;
    s.dy = own.dy + select(0u, offset * size, p.has_dy == 2u);
    s.has_dy = p.has_dy == 2u || (p.has_dy == 1u && s.last);
    return s;
}

fn counts(s: Step, row: u32) -> bool {
    if MASK == 0u { return true; }
    return mask[s.mask + row] != 0.0;
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

// What reaches h of one row and unit beside what is carried; `handed_back` is the product of the successor's gradients with Uᵀ.
fn reaching(s: Step, row: u32, unit: u32, handed_back: f32) -> f32 {
    var dh = 0.0;
    if s.has_next {
        dh = handed_back;
        if MASK != 0u { dh = select(0.0, dh, mask[s.next_mask + row] != 0.0); }
    }
    if s.has_dy { dh += dy[s.dy + row * p.units + unit]; }
    return dh;
}

// Thread = one unit of 4 rows of the batch.
@compute @workgroup_size(16, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let unit = id.x;
    let row = id.y * 4u;
    if unit >= p.units || row >= p.rows { return; }
    take_direction(id.z);
    let s = step_number(0u);
    let rows = min(vec4(row) + vec4(0u, 1u, 2u, 3u), vec4(p.rows - 1u));
    var dh = vec4<f32>();
    if any_hands_back(s, row, 4u) {
        if DROPOUT != 0u {
            dh = vec4(
                from_next_gates(s, rows.x, unit), from_next_gates(s, rows.y, unit),
                from_next_gates(s, rows.z, unit), from_next_gates(s, rows.w, unit),
            );
        } else {
            dh = from_next(rows * p.units + s.next, unit);
        }
    }
    for (var r = 0u; r < 4u; r++) {
        if row + r < p.rows { update(s, row + r, unit, dh[r]); }
    }
}

// What four rows hand back.
fn from_next(rows: vec4<u32>, unit: u32) -> vec4<f32> {
    var dh = vec4<f32>();
    for (var k_run = 0u; k_run < p.units; k_run += RUN) {
        var run = vec4<f32>();
        for (var k = k_run; k < min(p.units, k_run + RUN); k++) {
            let uv = u[own.u + unit * p.units + k];
            run += vec4(
                hand(gates[rows.x + k], uv),
                hand(gates[rows.y + k], uv),
                hand(gates[rows.z + k], uv),
                hand(gates[rows.w + k], uv),
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
            run += gates[s.next + row * p.units + k] * u[own.u + unit * p.units + k];
        }
        dh += run;
    }
    return sum_of_gates(dh, row, unit);
}
