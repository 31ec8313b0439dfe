// One time step of an LSTM: z = x·W + b (already in `gates`) + h·U, then the cell. Thread = one unit of 4 rows of the batch,
// all four gates of it, so that U is loaded once for 4 rows. `gates` is overwritten with what the gradient needs of them.
// A masked row keeps h and c.
struct LstmStep {
    rows: u32,      // N
    units: u32,     // H
    gates_at: u32,  // of this step, in vec4
    h_prev_at: u32, h_at: u32,
    c_prev_at: u32, c_at: u32,
    mask_at: u32,
}
override ACTIVATION: u32 = 0u;
override RECURRENT_ACTIVATION: u32 = 0u;
override PEEPHOLES: u32 = 0u;
override COUPLED: u32 = 0u;
override MASK: u32 = 0u;
override DROPOUT: u32 = 0u; // of h, a mask for each gate, the same in all time steps
@group(0) @binding(0) var<uniform> p: LstmStep;
@group(1) @binding(0) var<storage, read> u: array<vec4<f32>>;           // [H, H] x 4 gates
@group(1) @binding(1) var<storage, read_write> gates: array<vec4<f32>>; // [T, N, H] x 4 gates
@group(1) @binding(2) var<storage, read_write> h: array<f32>;           // [T+1, N, H]: reads one step, writes the next
@group(1) @binding(3) var<storage, read_write> c: array<f32>;           // [T+1, N, H]
@group(1) @binding(4) var<storage, read> mask: array<f32>;              // [T, N]
@group(1) @binding(5) var<storage, read> dropout: array<vec4<f32>>;     // [N, H] x 4 gates
@group(1) @binding(6) var<storage, read> peepholes: array<f32>;         // [3, H] of i, f, o

// h of one row and unit as each gate sees it.
fn seen(row: u32, k: u32) -> vec4<f32> {
    let value = h[p.h_prev_at + row * p.units + k];
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
    for (var k_run = 0u; k_run < p.units; k_run += RUN) {
        var run0 = vec4<f32>();
        var run1 = vec4<f32>();
        var run2 = vec4<f32>();
        var run3 = vec4<f32>();
        for (var k = k_run; k < min(p.units, k_run + RUN); k++) {
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
    let c_prev = c[p.c_prev_at + i];
    if MASK != 0u {
        if mask[p.mask_at + row] == 0.0 {
            c[p.c_at + i] = c_prev;
            h[p.h_at + i] = h[p.h_prev_at + i];
            return;
        }
    }
    var peephole = vec3<f32>();
    if PEEPHOLES != 0u { peephole = vec3(peepholes[unit], peepholes[p.units + unit], peepholes[2u * p.units + unit]); }
    let options = CellOptions(ACTIVATION, RECURRENT_ACTIVATION, PEEPHOLES, COUPLED);
    let cell = lstm_cell(options, gates[p.gates_at + i] + recurrent, c_prev, peephole);
    gates[p.gates_at + i] = cell.saved;
    c[p.c_at + i] = cell.c;
    h[p.h_at + i] = cell.h;
}
