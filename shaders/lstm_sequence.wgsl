// Consecutive time steps of an LSTM: z = x·W + b (already in `gates`) + h·U, then the cell. `gates` is overwritten with what the gradient
// needs of them. A masked row keeps h and c. Forwards in time a step reads the state at its own place and makes the next one,
// backwards the other way round. `main` does a single step; the variants' entry points do all.
struct LstmSequence {
    rows: u32,     // N
    units: u32,    // H
    steps: u32,
    reverse: u32,
    begins: u32,   // 1: the state before the first step done is zero, and is written
    gates_at: u32, // of the earliest step, in vec4
    h_at: u32,     // of the earliest state
    c_at: u32,
    mask_at: u32,
}
override ACTIVATION: u32 = 0u;
override RECURRENT_ACTIVATION: u32 = 0u;
override PEEPHOLES: u32 = 0u;
override COUPLED: u32 = 0u;
override MASK: u32 = 0u;
override DROPOUT: u32 = 0u; // of h, a mask for each gate, the same in all time steps
@group(0) @binding(0) var<uniform> p: LstmSequence;
@group(1) @binding(0) var<storage, read> u: array<vec4<f32>>;           // [H, H] x 4 gates
@group(1) @binding(1) var<storage, read_write> gates: array<vec4<f32>>; // [T, N, H] x 4 gates
@group(1) @binding(2) var<storage, read_write> h: array<f32>;           // [T+1, N, H]: reads one step, writes the next
@group(1) @binding(3) var<storage, read_write> c: array<f32>;           // [T+1, N, H]
@group(1) @binding(4) var<storage, read> mask: array<f32>;              // [T, N]
@group(1) @binding(5) var<storage, read> dropout: array<vec4<f32>>;     // [N, H] x 4 gates
@group(1) @binding(6) var<storage, read> peepholes: array<f32>;         // [3, H] of i, f, o

// Where a step's values begin.
struct Step {
    gates: u32,
    h_read: u32,
    h_made: u32,
    c_read: u32,
    c_made: u32,
    mask: u32,
    begins: bool, // its state is zero
}

fn step_number(k: u32) -> Step {
    let offset = select(k, p.steps - 1u - k, p.reverse != 0u);
    let size = p.rows * p.units;
    let read = (offset + p.reverse) * size;
    let made = (offset + 1u - p.reverse) * size;
    return Step(
        p.gates_at + offset * size, p.h_at + read, p.h_at + made, p.c_at + read, p.c_at + made,
        p.mask_at + offset * p.rows, p.begins != 0u && k == 0u,
    );
}

fn counts(s: Step, row: u32) -> bool {
    if MASK == 0u { return true; }
    return mask[s.mask + row] != 0.0;
}

// Whether a step counts for any of some rows; where it does not, no products are needed.
fn any_counts(s: Step, first: u32, rows: u32) -> bool {
    if MASK == 0u { return true; }
    for (var row = first; row < min(first + rows, p.rows); row++) {
        if mask[s.mask + row] != 0.0 { return true; }
    }
    return false;
}

// h of one row and unit as each gate sees it.
fn seen(value: f32, row: u32, k: u32) -> vec4<f32> {
    if DROPOUT != 0u { return value * dropout[row * p.units + k]; }
    return vec4(value);
}

// Makes the state of one row and unit; gives the new h.
fn update(s: Step, row: u32, unit: u32, recurrent: vec4<f32>) -> f32 {
    let i = row * p.units + unit;
    if s.begins {
        c[s.c_read + i] = 0.0;
        h[s.h_read + i] = 0.0;
    }
    let c_prev = select(c[s.c_read + i], 0.0, s.begins);
    if !counts(s, row) {
        let kept = select(h[s.h_read + i], 0.0, s.begins);
        c[s.c_made + i] = c_prev;
        h[s.h_made + i] = kept;
        return kept;
    }
    var peephole = vec3<f32>();
    if PEEPHOLES != 0u { peephole = vec3(peepholes[unit], peepholes[p.units + unit], peepholes[2u * p.units + unit]); }
    let options = CellOptions(ACTIVATION, RECURRENT_ACTIVATION, PEEPHOLES, COUPLED);
    let cell = lstm_cell(options, gates[s.gates + i] + recurrent, c_prev, peephole);
    gates[s.gates + i] = cell.saved;
    c[s.c_made + i] = cell.c;
    h[s.h_made + i] = cell.h;
    return cell.h;
}

// Thread = one unit of 4 rows of the batch, all four gates of it, so that U is loaded once for 4 rows.
@compute @workgroup_size(16, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let unit = id.x;
    let row = id.y * 4u;
    if unit >= p.units || row >= p.rows { return; }
    let s = step_number(0u);
    let rows = min(vec4(row) + vec4(0u, 1u, 2u, 3u), vec4(p.rows - 1u));
    let at = rows * p.units + s.h_read;
    var z0 = vec4<f32>();
    var z1 = vec4<f32>();
    var z2 = vec4<f32>();
    var z3 = vec4<f32>();
    let terms = select(p.units, 0u, s.begins || !any_counts(s, row, 4u));
    for (var k_run = 0u; k_run < terms; k_run += RUN) {
        var run0 = vec4<f32>();
        var run1 = vec4<f32>();
        var run2 = vec4<f32>();
        var run3 = vec4<f32>();
        for (var k = k_run; k < min(terms, k_run + RUN); k++) {
            let uv = u[k * p.units + unit];
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
