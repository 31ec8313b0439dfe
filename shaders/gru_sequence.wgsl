// Consecutive time steps of a GRU (Cho et al. 2014), h' = z h + (1 - z) g. A unit's gates lie in four places: z, r, what x adds to the
// candidate, what h adds to it; x·W + b is there already. `gates` is overwritten with what the gradient needs of them. A masked row keeps h.
// RESET_AFTER 1: g = act(x_g + r (h·U_g + b)), all from one product (Keras's reset_after).
// RESET_AFTER 0: g = act(x_g + (r h)·U_g), from a second product with r h, which the first leaves.
// How the steps are dispatched stands in recurrence.wgsl and the engines' files.
override ACTIVATION: u32 = 0u;
override RECURRENT_ACTIVATION: u32 = 0u;
override RESET_AFTER: u32 = 0u;
override MASK: u32 = 0u;
override DROPOUT: u32 = 0u; // of h, a mask for each gate, the same in all time steps
@group(0) @binding(0) var<uniform> p: Sequence;
@group(1) @binding(0) var<storage, read> u: array<vec4<f32>>;           // [H, H] x 4: z, r, nothing, g
@group(1) @binding(1) var<storage, read_write> gates: array<vec4<f32>>; // [T, N, H] x 4
@group(1) @binding(2) var<storage, read_write> h: array<f32>;           // [T+1, N, H]: reads one step, writes the next
@group(1) @binding(3) var<storage, read_write> reset: array<f32>;       // [T, N, H]: r h, where it is multiplied
@group(1) @binding(4) var<storage, read> mask: array<f32>;              // [T, N]
@group(1) @binding(5) var<storage, read> dropout: array<vec4<f32>>;     // [N, H] x 4: of z, r, -, g

// Writes the zero that one row and unit begins with.
fn begin(s: Step, i: u32) {
    h[own.h + s.read + i] = 0.0;
}

// Makes the gates of one row and unit, and its new h or r h, which it gives.
fn update(s: Step, row: u32, unit: u32, recurrent: vec4<f32>) -> f32 {
    let i = row * p.units + unit;
    let before = h_before(s, i);
    if !counts(s, row) {
        if RESET_AFTER != 0u { return new_h(s, i, before); }
        return new_reset(s, i, 0.0);
    }
    var gate = gates[own.gates + s.at + i];
    gate.x = activation_saved(RECURRENT_ACTIVATION, gate.x + recurrent.x);
    gate.y = activation_saved(RECURRENT_ACTIVATION, gate.y + recurrent.y);
    let r = activation_restore(RECURRENT_ACTIVATION, gate.y);
    if RESET_AFTER != 0u {
        gate.w += recurrent.w;
        return close(s, i, before, gate, gate.z + r * gate.w);
    }
    gates[own.gates + s.at + i] = gate;
    return new_reset(s, i, r * seen(before, row, unit).w);
}

// The same of the second product; gives the new h.
fn update_candidate(s: Step, row: u32, unit: u32, recurrent: f32) -> f32 {
    let i = row * p.units + unit;
    let before = h_before(s, i);
    if !counts(s, row) { return new_h(s, i, before); }
    let gate = gates[own.gates + s.at + i];
    return close(s, i, before, gate, gate.z + recurrent);
}

fn close(s: Step, i: u32, before: f32, gate: vec4<f32>, candidate: f32) -> f32 {
    let z = activation_restore(RECURRENT_ACTIVATION, gate.x);
    gates[own.gates + s.at + i] = vec4(gate.xy, activation_saved(ACTIVATION, candidate), gate.w);
    return new_h(s, i, z * before + (1.0 - z) * activation_value(ACTIVATION, candidate));
}

fn new_h(s: Step, i: u32, value: f32) -> f32 {
    h[own.h + s.made + i] = value;
    return value;
}

fn new_reset(s: Step, i: u32, value: f32) -> f32 {
    reset[own.beside + s.at + i] = value;
    return value;
}

// The second product of a step. Thread = one unit of 4 rows of the batch.
@compute @workgroup_size(16, 4)
fn candidates(@builtin(global_invocation_id) id: vec3<u32>) {
    let unit = id.x;
    let row = id.y * 4u;
    if unit >= p.units || row >= p.rows { return; }
    take_direction(id.z);
    let s = step_number(0u);
    let at = min(vec4(row) + vec4(0u, 1u, 2u, 3u), vec4(p.rows - 1u)) * p.units + own.beside + s.at;
    var sum = vec4<f32>();
    let terms = select(0u, p.units, recurs(s, row, 4u));
    for (var k_run = 0u; k_run < terms; k_run += RUN) {
        var run = vec4<f32>();
        for (var k = k_run; k < min(terms, k_run + RUN); k++) {
            run += vec4(reset[at.x + k], reset[at.y + k], reset[at.z + k], reset[at.w + k]) * u[own.u + k * p.units + unit].w;
        }
        sum += run;
    }
    for (var r = 0u; r < min(4u, p.rows - row); r++) { update_candidate(s, row + r, unit, sum[r]); }
}
