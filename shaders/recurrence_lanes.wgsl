// All steps in one dispatch, for subgroups of 8 lanes that are the lanes of a CPU's vectors. What costs there is loads, each a loop over
// the lanes, so that what one loads serves many products: h of four rows is loaded at once, each lane one unit of one of them, and handed
// round, and weights serve ROWS rows. Workgroup = subgroup = ROWS rows of the batch, lane = every eighth unit of them, ACROSS of these at
// a time. No step needs another workgroup. A barrier of the workgroup would do as well, but CPU drivers cut a kernel in pieces there.
var<workgroup> products: array<vec4<f32>, ROWS * ACROSS * LANES>;

@compute @workgroup_size(8)
fn lanes(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    take_direction(group.z);
    begin_rows(group.y * ROWS, ROWS, lane, LANES);
    for (var k = 0u; k < p.steps; k++) {
        lanes_step(step_number(k), group.y * ROWS, lane);
        subgroupBarrier();
    }
}

fn lanes_step(s: Step, first: u32, lane: u32) {
    let multiplies = recurs(s, first, ROWS);
    for (var first_unit = 0u; first_unit < p.units; first_unit += LANES * ACROSS) {
        if multiplies { recurrent(s, first, first_unit + lane, lane); }
        for (var i = 0u; i < units_across(first_unit); i++) {
            let unit = first_unit + i * LANES + lane;
            if unit < p.units {
                for (var r = 0u; r < min(ROWS, p.rows - first); r++) {
                    update(s, first + r, unit, select(vec4<f32>(), products[place(r, i, lane)], multiplies));
                }
            }
        }
    }
}

// h of one of four rows, as each gate sees it; terms past the last count as 0.
fn held_h(s: Step, first_row: u32, k: u32, lane: u32) -> vec4<f32> {
    let row = row_of_lane(first_row, lane);
    let k_own = term_of_lane(k, lane);
    return select(vec4<f32>(), seen(h[own.h + s.read + row * p.units + k_own], row, k_own), k_own == k + lane % TERMS);
}

fn hand_h(held: vec4<f32>, from_lane: u32) -> vec4<f32> {
    if DROPOUT != 0u { return subgroupShuffle(held, from_lane); }
    return vec4(subgroupShuffle(held.x, from_lane));
}

// Leaves h·U of a lane's units.
fn recurrent(s: Step, first: u32, first_unit: u32, lane: u32) {
    var z: Sums4;
    for (var k = 0u; k < p.units; k += TERMS) {
        let k1 = min(k + 1u, p.units - 1u);
        var weights0: array<vec4<f32>, ACROSS>;
        var weights1: array<vec4<f32>, ACROSS>;
        for (var i = 0u; i < ACROSS; i++) {
            let unit = min(first_unit + i * LANES, p.units - 1u);
            weights0[i] = u[own.u + k * p.units + unit];
            weights1[i] = u[own.u + k1 * p.units + unit];
        }
        for (var load = 0u; load < LOADS; load++) {
            let held = held_h(s, first + load * ROWS_OF_LOAD, k, lane);
            for (var row = 0u; row < ROWS_OF_LOAD; row++) {
                let h0 = hand_h(held, row * TERMS);
                let h1 = hand_h(held, row * TERMS + 1u);
                for (var i = 0u; i < ACROSS; i++) { z[load][row][i] += h0 * weights0[i] + h1 * weights1[i]; }
            }
        }
    }
    for (var load = 0u; load < LOADS; load++) {
        for (var row = 0u; row < ROWS_OF_LOAD; row++) {
            for (var i = 0u; i < ACROSS; i++) { products[place(load * ROWS_OF_LOAD + row, i, lane)] = z[load][row][i]; }
        }
    }
}
