// Consecutive time steps of an LSTM: z = x·W + b (already in `gates`) + h·U, then the cell. `gates` is overwritten with what the gradient
// needs of them. A masked row keeps h and c. How the steps are dispatched stands in recurrence.wgsl and the engines' files.
override ACTIVATION: u32 = 0u;
override RECURRENT_ACTIVATION: u32 = 0u;
override PEEPHOLES: u32 = 0u;
override COUPLED: u32 = 0u;
override MASK: u32 = 0u;
override DROPOUT: u32 = 0u; // of h, a mask for each gate, the same in all time steps
@group(0) @binding(0) var<uniform> p: Sequence;
@group(1) @binding(0) var<storage, read> u: array<vec4<f32>>;           // [H, H] x 4 gates
@group(1) @binding(1) var<storage, read_write> gates: array<vec4<f32>>; // [T, N, H] x 4 gates
@group(1) @binding(2) var<storage, read_write> h: array<f32>;           // [T+1, N, H]: reads one step, writes the next
@group(1) @binding(3) var<storage, read_write> c: array<f32>;           // [T+1, N, H]
@group(1) @binding(4) var<storage, read> mask: array<f32>;              // [T, N]
@group(1) @binding(5) var<storage, read> dropout: array<vec4<f32>>;     // [N, H] x 4 gates
@group(1) @binding(6) var<storage, read> peepholes: array<f32>;         // [3, H] of i, f, o

// Writes the zero that one row and unit begins with.
fn begin(s: Step, i: u32) {
    c[own.beside + s.read + i] = 0.0;
    h[own.h + s.read + i] = 0.0;
}

// Makes the state of one row and unit; gives the new h.
fn update(s: Step, row: u32, unit: u32, recurrent: vec4<f32>) -> f32 {
    let i = row * p.units + unit;
    let made = s.made + i;
    let c_read = own.beside + s.read + i;
    let c_prev = select(c[c_read], 0.0, s.begins);
    if !counts(s, row) {
        let kept = h_before(s, i);
        c[own.beside + made] = c_prev;
        h[own.h + made] = kept;
        return kept;
    }
    var peephole = vec3<f32>();
    if PEEPHOLES != 0u {
        let at = own.peepholes + unit;
        peephole = vec3(peepholes[at], peepholes[at + p.units], peepholes[at + 2u * p.units]);
    }
    let options = CellOptions(ACTIVATION, RECURRENT_ACTIVATION, PEEPHOLES, COUPLED);
    let gates_at = own.gates + s.at + i;
    let cell = lstm_cell(options, gates[gates_at] + recurrent, c_prev, peephole);
    gates[gates_at] = cell.saved;
    c[own.beside + made] = cell.c;
    h[own.h + made] = cell.h;
    return cell.h;
}
