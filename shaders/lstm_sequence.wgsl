// Consecutive time steps of an LSTM: z = x·W + b (already in `gates`) + h·U, then the cell. `gates` is overwritten with what the gradient
// needs of them. A masked row keeps h and c. Forwards in time a step reads the state at its own place and makes the next one,
// backwards the other way round. `main` does a single step; thread = one unit of 4 rows of the batch, all four gates of it, so
// that U is loaded once for 4 rows.
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

// Where the state that a single step reads lies behind the earliest, and the one that it makes.
fn read_place() -> u32 {
    return select(0u, p.rows * p.units, p.reverse != 0u);
}

fn made_place() -> u32 {
    return select(p.rows * p.units, 0u, p.reverse != 0u);
}

// h of one row and unit as each gate sees it.
fn seen(row: u32, k: u32) -> vec4<f32> {
    let value = h[p.h_at + read_place() + row * p.units + k];
    if DROPOUT != 0u { return value * dropout[row * p.units + k]; }
    return vec4(value);
}

@compute @workgroup_size(16, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let unit = id.x;
    let row = id.y * 4u;
    if unit >= p.units || row >= p.rows { return; }
    let rows = min(vec4(row) + vec4(0u, 1u, 2u, 3u), vec4(p.rows - 1u));
    var z0 = vec4<f32>();
    var z1 = vec4<f32>();
    var z2 = vec4<f32>();
    var z3 = vec4<f32>();
    let terms = select(p.units, 0u, p.begins != 0u);
    for (var k_run = 0u; k_run < terms; k_run += RUN) {
        var run0 = vec4<f32>();
        var run1 = vec4<f32>();
        var run2 = vec4<f32>();
        var run3 = vec4<f32>();
        for (var k = k_run; k < min(terms, k_run + RUN); k++) {
            let uv = u[k * p.units + unit];
            run0 += seen(rows.x, k) * uv;
            run1 += seen(rows.y, k) * uv;
            run2 += seen(rows.z, k) * uv;
            run3 += seen(rows.w, k) * uv;
        }
        z0 += run0;
        z1 += run1;
        z2 += run2;
        z3 += run3;
    }
    update(row, unit, z0);
    update(row + 1u, unit, z1);
    update(row + 2u, unit, z2);
    update(row + 3u, unit, z3);
}

fn update(row: u32, unit: u32, recurrent: vec4<f32>) {
    if row >= p.rows { return; }
    let i = row * p.units + unit;
    let before = read_place() + i;
    let after = made_place() + i;
    if p.begins != 0u {
        c[p.c_at + before] = 0.0;
        h[p.h_at + before] = 0.0;
    }
    let c_prev = select(c[p.c_at + before], 0.0, p.begins != 0u);
    if MASK != 0u {
        if mask[p.mask_at + row] == 0.0 {
            c[p.c_at + after] = c_prev;
            h[p.h_at + after] = select(h[p.h_at + before], 0.0, p.begins != 0u);
            return;
        }
    }
    var peephole = vec3<f32>();
    if PEEPHOLES != 0u { peephole = vec3(peepholes[unit], peepholes[p.units + unit], peepholes[2u * p.units + unit]); }
    let options = CellOptions(ACTIVATION, RECURRENT_ACTIVATION, PEEPHOLES, COUPLED);
    let cell = lstm_cell(options, gates[p.gates_at + i] + recurrent, c_prev, peephole);
    gates[p.gates_at + i] = cell.saved;
    c[p.c_at + after] = cell.c;
    h[p.h_at + after] = cell.h;
}
