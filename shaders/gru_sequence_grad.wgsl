// Consecutive time steps of a GRU backwards, the last done first. What was saved of a step (z, r, g and, with RESET_AFTER, what h added to the
// candidate) becomes the gradients dz, dr, dg of what x gave and dq of what h gave, all before activation.
// RESET_AFTER 1: dh = dy + carry + (dz, dr, dq)[next]·Uᵀ, then all four gradients.
// RESET_AFTER 0: the same without dq: dz and dg (dq = dg); dr waits for a second product, d(r h) = dg·U_gᵀ, from which dr and what
// reaches h through r h, which is carried too.
// `carry` hands on what reaches h beside the products: dh z. A masked row hands on dh.
// How the steps are dispatched stands in recurrence_grad.wgsl and the engines' files.
override ACTIVATION: u32 = 0u;
override RECURRENT_ACTIVATION: u32 = 0u;
override RESET_AFTER: u32 = 0u;
override MASK: u32 = 0u;
override DROPOUT: u32 = 0u;
@group(0) @binding(0) var<uniform> p: SequenceGrad; // its states are h
@group(1) @binding(0) var<storage, read> u: array<vec4<f32>>;           // [H, H] x 4: z, r, nothing, g
@group(1) @binding(1) var<storage, read> h: array<f32>;                 // [T+1, N, H]
@group(1) @binding(2) var<storage, read> dy: array<f32>;                // [T, N, H] or [N, H]
@group(1) @binding(3) var<storage, read_write> gates: array<vec4<f32>>; // [T, N, H] x 4
@group(1) @binding(4) var<storage, read_write> carry: array<f32>;       // [N, H]: dh, from step to step
@group(1) @binding(5) var<storage, read> mask: array<f32>;              // [T, N]
@group(1) @binding(6) var<storage, read> dropout: array<vec4<f32>>;     // [N, H] x 4: of z, r, -, g

// The third place is x's alone; without RESET_AFTER the candidate's part came by `carry`.
fn hand(dz: vec4<f32>, weights: vec4<f32>) -> f32 {
    if RESET_AFTER != 0u { return dot(dz.xyw, weights.xyw); }
    return dot(dz.xy, weights.xy);
}

fn sum_of_gates(by_gate: vec4<f32>, row: u32, unit: u32) -> f32 {
    var sum = by_gate;
    if DROPOUT != 0u { sum *= dropout[own.dropout + row * p.units + unit]; }
    if RESET_AFTER != 0u { return sum.x + sum.y + sum.w; }
    return sum.x + sum.y;
}

fn update(s: Step, row: u32, unit: u32, handed_back: f32) -> vec4<f32> {
    let i = row * p.units + unit;
    var dh = reaching(s, row, unit, handed_back);
    if !s.last || p.carried != 0u { dh += carry[own.carry + i]; }
    if p.steps == 0u {
        carry[own.carry + i] = dh;
        return vec4<f32>();
    }
    if !counts(s, row) {
        gates[s.gates + i] = vec4<f32>();
        carry[own.carry + i] = dh;
        return vec4<f32>();
    }
    dh = without_faint(dh);
    let saved = gates[s.gates + i];
    let z = activation_restore(RECURRENT_ACTIVATION, saved.x);
    let r = activation_restore(RECURRENT_ACTIVATION, saved.y);
    let g = activation_restore(ACTIVATION, saved.z);
    let dz = dh * (h[s.read + i] - g) * activation_slope(RECURRENT_ACTIVATION, saved.x);
    let dg = dh * (1.0 - z) * activation_slope(ACTIVATION, saved.z);
    carry[own.carry + i] = dh * z;
    var grad = vec4(dz, saved.y, dg, dg);
    if RESET_AFTER != 0u {
        grad = vec4(dz, dg * saved.w * activation_slope(RECURRENT_ACTIVATION, saved.y), dg, dg * r);
    }
    gates[s.gates + i] = grad;
    return grad;
}

// The second product of a step has come to `product`: gives dr, which it leaves to the caller to keep.
fn reset_gradient(s: Step, row: u32, unit: u32, product: f32) -> f32 {
    if !counts(s, row) { return 0.0; }
    let i = row * p.units + unit;
    var reaching = product;
    if DROPOUT != 0u { reaching *= dropout[own.dropout + i].w; }
    let saved = gates[s.gates + i].y;
    carry[own.carry + i] += reaching * activation_restore(RECURRENT_ACTIVATION, saved);
    return reaching * h[s.read + i] * activation_slope(RECURRENT_ACTIVATION, saved);
}

// Whether a step's second product is needed for one of some rows.
fn any_counts(s: Step, first: u32, rows: u32) -> bool {
    for (var row = first; row < min(first + rows, p.rows); row++) {
        if counts(s, row) { return true; }
    }
    return false;
}

// The second product. Thread = one unit of 4 rows of the batch. Others read the fourth place of the gates meanwhile.
@compute @workgroup_size(16, 4)
fn resets(@builtin(global_invocation_id) id: vec3<u32>) {
    let unit = id.x;
    let row = id.y * 4u;
    if unit >= p.units || row >= p.rows { return; }
    take_direction(id.z);
    let s = step_number(0u);
    let at = min(vec4(row) + vec4(0u, 1u, 2u, 3u), vec4(p.rows - 1u)) * p.units + s.gates;
    var sum = vec4<f32>();
    let terms = select(0u, p.units, any_counts(s, row, 4u));
    for (var k_run = 0u; k_run < terms; k_run += RUN) {
        var run = vec4<f32>();
        for (var k = k_run; k < min(terms, k_run + RUN); k++) {
            run += vec4(gates[at.x + k].w, gates[at.y + k].w, gates[at.z + k].w, gates[at.w + k].w)
                * u[own.u + unit * p.units + k].w;
        }
        sum += run;
    }
    for (var r = 0u; r < min(4u, p.rows - row); r++) {
        gates[s.gates + (row + r) * p.units + unit].y = reset_gradient(s, row + r, unit, sum[r]);
    }
}
