// One time step of a GRU backwards. Thread = one unit of one row. `gates` holds what the forward pass saved of step t (z, r, g and,
// in phase 0, what h added to the candidate), which becomes the gradients dz, dr, dg of what x gave and dq of what h gave, all
// before activation, in place; and those of t's successor.
// PHASE 0: dh = dy + carry + (dz, dr, dq)[next]·Uᵀ, then all four gradients.
// PHASE 1: the same where the reset comes before the product: dz and dg (dq = dg); dr waits for
// PHASE 2: d(r h) = dg·U_gᵀ, from which dr, and what reaches h through r h.
// `carry` hands on what reaches h beside the products: dh z. A masked row hands on dh, and its gradients are 0.
struct GruStepGrad {
    rows: u32,      // N
    units: u32,     // H
    gates_at: u32,  // of step t, in vec4
    next_at: u32,   // of its successor, in vec4
    h_prev_at: u32,
    dy_at: u32,
    mask_at: u32,
    has_dy: u32,    // 0: nothing reads this step's output but the next step
    has_next: u32,  // 0: the last time step has no successor
    carried: u32,   // 0: nothing in `carry` yet
    has_cell: u32,  // 0: only dh of the initial state is wanted
}
override ACTIVATION: u32 = 0u;
override RECURRENT_ACTIVATION: u32 = 0u;
override PHASE: u32 = 0u;
override MASK: u32 = 0u;
override DROPOUT: u32 = 0u;
@group(0) @binding(0) var<uniform> p: GruStepGrad;
@group(1) @binding(0) var<storage, read> u: array<vec4<f32>>;           // [H, H] x 4: z, r, 0, g
@group(1) @binding(1) var<storage, read> h: array<f32>;                 // [T+1, N, H]
@group(1) @binding(2) var<storage, read> dy: array<f32>;                // [T, N, H] or [N, H]
@group(1) @binding(3) var<storage, read_write> gates: array<vec4<f32>>; // [T, N, H] x 4
@group(1) @binding(4) var<storage, read_write> carry: array<f32>;       // [N, H]: dh, from step to step
@group(1) @binding(5) var<storage, read> mask: array<f32>;              // [T, N]
@group(1) @binding(6) var<storage, read> dropout: array<vec4<f32>>;     // [N, H] x 4: of z, r, -, g

// What the gradients of a row's gates at `at` hand back to one unit of h, gate by gate.
fn product(at: u32, unit: u32) -> vec4<f32> {
    var sum = vec4<f32>();
    for (var k_run = 0u; k_run < p.units; k_run += RUN) {
        var run = vec4<f32>();
        for (var k = k_run; k < min(p.units, k_run + RUN); k++) { run += gates[at + k] * u[unit * p.units + k]; }
        sum += run;
    }
    return sum;
}

@compute @workgroup_size(16, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let unit = id.x;
    let row = id.y;
    if unit >= p.units || row >= p.rows { return; }
    let i = row * p.units + unit;
    var seen = vec4(1.0);
    if DROPOUT != 0u { seen = dropout[i]; }
    if PHASE == 2u {
        reset_gradient(row, unit, seen.w);
        return;
    }
    var dh = 0.0;
    if p.has_next != 0u {
        let sum = product(p.next_at + row * p.units, unit);
        // The place between is x's alone; without reset_after the candidate's part came by `carry`.
        dh = sum.x * seen.x + sum.y * seen.y;
        if PHASE == 0u { dh += sum.w * seen.w; }
    }
    if p.has_dy != 0u { dh += dy[p.dy_at + i]; }
    if p.carried != 0u { dh += carry[i]; }
    if p.has_cell == 0u {
        carry[i] = dh;
        return;
    }
    if MASK != 0u {
        if mask[p.mask_at + row] == 0.0 {
            gates[p.gates_at + i] = vec4<f32>();
            carry[i] = dh;
            return;
        }
    }
    let saved = gates[p.gates_at + i];
    let z = activation_restore(RECURRENT_ACTIVATION, saved.x);
    let r = activation_restore(RECURRENT_ACTIVATION, saved.y);
    let g = activation_restore(ACTIVATION, saved.z);
    let dz = dh * (h[p.h_prev_at + i] - g) * activation_slope(RECURRENT_ACTIVATION, saved.x);
    let dg = dh * (1.0 - z) * activation_slope(ACTIVATION, saved.z);
    carry[i] = dh * z;
    if PHASE == 0u {
        let dr = dg * saved.w * activation_slope(RECURRENT_ACTIVATION, saved.y);
        gates[p.gates_at + i] = vec4(dz, dr, dg, dg * r);
    } else {
        gates[p.gates_at + i] = vec4(dz, saved.y, dg, dg);
    }
}

fn reset_gradient(row: u32, unit: u32, seen: f32) {
    let i = row * p.units + unit;
    if MASK != 0u {
        if mask[p.mask_at + row] == 0.0 { return; }
    }
    let sum = product_of_candidate(p.gates_at + row * p.units, unit);
    let saved = gates[p.gates_at + i].y;
    gates[p.gates_at + i].y = sum * seen * h[p.h_prev_at + i] * activation_slope(RECURRENT_ACTIVATION, saved);
    carry[i] += sum * seen * activation_restore(RECURRENT_ACTIVATION, saved);
}

// The candidate's part of `product`: the others' places are being written.
fn product_of_candidate(at: u32, unit: u32) -> f32 {
    var sum = 0.0;
    for (var k_run = 0u; k_run < p.units; k_run += RUN) {
        var run = 0.0;
        for (var k = k_run; k < min(p.units, k_run + RUN); k++) { run += gates[at + k].w * u[unit * p.units + k].w; }
        sum += run;
    }
    return sum;
}
