// Consecutive time steps of an LSTM backwards, the last done first: dh = dy + dz[next]·Uᵀ, then the cell's gradient. A masked row hands dh
// and dc on to the step before. How the steps are dispatched stands in recurrence_grad.wgsl and the engines' files.
override ACTIVATION: u32 = 0u;
override RECURRENT_ACTIVATION: u32 = 0u;
override PEEPHOLES: u32 = 0u;
override COUPLED: u32 = 0u;
override MASK: u32 = 0u;
override DROPOUT: u32 = 0u;
@group(0) @binding(0) var<uniform> p: SequenceGrad; // its states are c; carried: 1 dc, 2 dc and dh
@group(1) @binding(0) var<storage, read> u: array<vec4<f32>>;           // [H, H] x 4 gates
@group(1) @binding(1) var<storage, read> c: array<f32>;                 // [T+1, N, H]
@group(1) @binding(2) var<storage, read> dy: array<f32>;                // [T, N, H] or [N, H]
@group(1) @binding(3) var<storage, read_write> gates: array<vec4<f32>>; // [T, N, H] x 4 gates
@group(1) @binding(4) var<storage, read_write> carry: array<f32>;       // [2, N, H]: dc, dh, from step to step
@group(1) @binding(5) var<storage, read> mask: array<f32>;              // [T, N]
@group(1) @binding(6) var<storage, read> dropout: array<vec4<f32>>;     // [N, H] x 4 gates
@group(1) @binding(7) var<storage, read> peepholes: array<f32>;         // [3, H] of i, f, o

fn hand(dz: vec4<f32>, weights: vec4<f32>) -> f32 {
    return dot(dz, weights);
}

// What the gates hand back to one unit together, each through the mask that it saw h through.
fn sum_of_gates(by_gate: vec4<f32>, row: u32, unit: u32) -> f32 {
    if DROPOUT != 0u { return dot(by_gate, dropout[own.dropout + row * p.units + unit]); }
    return (by_gate.x + by_gate.y) + (by_gate.z + by_gate.w);
}

fn update(s: Step, row: u32, unit: u32, handed_back: f32) -> vec4<f32> {
    let i = row * p.units + unit;
    let dc_at = own.carry + i;
    let dh_at = dc_at + p.rows * p.units;
    var dh = reaching(s, row, unit, handed_back);
    if select(MASK != 0u, p.carried == 2u, s.last) { dh += carry[dh_at]; }
    var dc_next = 0.0;
    if !s.last || p.carried != 0u { dc_next = carry[dc_at]; }
    if p.steps == 0u {
        carry[dh_at] = dh;
        return vec4<f32>();
    }
    if !counts(s, row) {
        gates[s.gates + i] = vec4<f32>();
        carry[dc_at] = dc_next;
        carry[dh_at] = dh;
        return vec4<f32>();
    }
    if MASK != 0u { carry[dh_at] = 0.0; }
    var peephole = vec3<f32>();
    if PEEPHOLES != 0u {
        let at = own.peepholes + unit;
        peephole = vec3(peepholes[at], peepholes[at + p.units], peepholes[at + 2u * p.units]);
    }
    let options = CellOptions(ACTIVATION, RECURRENT_ACTIVATION, PEEPHOLES, COUPLED);
    dh = without_faint(dh);
    dc_next = without_faint(dc_next);
    let grad = lstm_cell_grad(options, gates[s.gates + i], c[s.read + i], c[s.made + i], dh, dc_next, peephole);
    gates[s.gates + i] = grad.dz;
    carry[dc_at] = grad.dc_prev;
    return grad.dz;
}
