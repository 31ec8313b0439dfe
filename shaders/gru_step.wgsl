// One time step of a GRU (Cho et al. 2014), h' = z h + (1 - z) g. Thread = one unit of one row, all its gates.
// A unit's gates lie in four places: z, r, what x adds to the candidate, what h adds to it.
// PHASE 0: reset after the product (Keras's reset_after): g = act(x_g + r (h·U_g + b)), all in one run.
// PHASE 1 and 2: reset before it, in two runs: z, r and r h; then g = act(x_g + (r h)·U_g) and h'.
// `gates` is overwritten with what the gradient needs of them. A masked row keeps h.
struct GruStep {
    rows: u32,      // N
    units: u32,     // H
    gates_at: u32,  // of this step, in vec4
    h_prev_at: u32, h_at: u32,
    reset_at: u32,
    mask_at: u32,
}
override ACTIVATION: u32 = 0u;
override RECURRENT_ACTIVATION: u32 = 0u;
override PHASE: u32 = 0u;
override MASK: u32 = 0u;
override DROPOUT: u32 = 0u; // of h, a mask for each gate, the same in all time steps
@group(0) @binding(0) var<uniform> p: GruStep;
@group(1) @binding(0) var<storage, read> u: array<vec4<f32>>;           // [H, H] x 4: z, r, 0, g
@group(1) @binding(1) var<storage, read_write> gates: array<vec4<f32>>; // [T, N, H] x 4
@group(1) @binding(2) var<storage, read_write> h: array<f32>;           // [T+1, N, H]: reads one step, writes the next
@group(1) @binding(3) var<storage, read_write> reset: array<f32>;       // [T, N, H]: r h, in phases 1 and 2
@group(1) @binding(4) var<storage, read> mask: array<f32>;              // [T, N]
@group(1) @binding(5) var<storage, read> dropout: array<vec4<f32>>;     // [N, H] x 4: of z, r, -, g

// h of one row and unit as each gate sees it.
fn seen(row: u32, k: u32) -> vec4<f32> {
    let value = h[p.h_prev_at + row * p.units + k];
    if DROPOUT != 0u { return value * dropout[row * p.units + k]; }
    return vec4(value);
}

// What row `row` of h, or of r h, gives to one unit's gates.
fn product(row: u32, unit: u32) -> vec4<f32> {
    var sum = vec4<f32>();
    for (var k_run = 0u; k_run < p.units; k_run += RUN) {
        var run = vec4<f32>();
        for (var k = k_run; k < min(p.units, k_run + RUN); k++) {
            var value = vec4<f32>();
            if PHASE == 2u { value.w = reset[p.reset_at + row * p.units + k]; } else { value = seen(row, k); }
            run += value * u[k * p.units + unit];
        }
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
    let h_prev = h[p.h_prev_at + i];
    if MASK != 0u {
        if mask[p.mask_at + row] == 0.0 {
            if PHASE == 1u { reset[p.reset_at + i] = 0.0; } else { h[p.h_at + i] = h_prev; }
            return;
        }
    }
    let sum = product(row, unit);
    var gate = gates[p.gates_at + i];
    if PHASE != 2u {
        gate.x = activation_saved(RECURRENT_ACTIVATION, gate.x + sum.x);
        gate.y = activation_saved(RECURRENT_ACTIVATION, gate.y + sum.y);
    }
    if PHASE == 1u {
        gates[p.gates_at + i] = gate;
        reset[p.reset_at + i] = activation_restore(RECURRENT_ACTIVATION, gate.y) * seen(row, unit).w;
        return;
    }
    let z = activation_restore(RECURRENT_ACTIVATION, gate.x);
    var candidate = gate.z;
    if PHASE == 0u {
        gate.w += sum.w;
        candidate += activation_restore(RECURRENT_ACTIVATION, gate.y) * gate.w;
    } else {
        candidate += sum.w;
    }
    gate.z = activation_saved(ACTIVATION, candidate);
    gates[p.gates_at + i] = gate;
    h[p.h_at + i] = z * h_prev + (1.0 - z) * activation_value(ACTIVATION, candidate);
}
