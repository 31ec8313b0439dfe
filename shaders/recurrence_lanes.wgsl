// All steps in one dispatch, for subgroups of 8 lanes that are the lanes of a CPU's vectors. What costs there is loads, each a loop over
// the lanes, so that what one loads serves many products: h of two rows is loaded at once, each lane one unit of one of them, and handed
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

// h of one of two rows, as each gate sees it. Rows past the edge read the last one again, units past it count as 0.
fn held_h(s: Step, first_row: u32, k: u32, lane: u32) -> vec4<f32> {
    let k_own = min(k + lane % TERMS, p.units - 1u);
    let row = min(first_row + lane / TERMS, p.rows - 1u);
    return select(vec4<f32>(), seen(h[own.h + s.read + row * p.units + k_own], row, k_own), vec4(k_own == k + lane % TERMS));
}

fn hand_h(held: vec4<f32>, from_lane: u32) -> vec4<f32> {
    if DROPOUT != 0u { return subgroupShuffle(held, from_lane); }
    return vec4(subgroupShuffle(held.x, from_lane));
}

// Leaves h·U of a lane's units.
fn recurrent(s: Step, first: u32, first_unit: u32, lane: u32) {
    var z: array<array<array<vec4<f32>, ACROSS>, 2>, PAIRS>;
    for (var k = 0u; k < p.units; k += TERMS) {
        var weights: array<mat4x4<f32>, ACROSS>;
        for (var i = 0u; i < ACROSS; i++) {
            let unit = min(first_unit + i * LANES, p.units - 1u);
            for (var l = 0u; l < TERMS; l++) { weights[i][l] = u[own.u + min(k + l, p.units - 1u) * p.units + unit]; }
        }
        for (var pair = 0u; pair < PAIRS; pair++) {
            let held = held_h(s, first + 2u * pair, k, lane);
            for (var half = 0u; half < 2u; half++) {
                let h0 = hand_h(held, half * TERMS);
                let h1 = hand_h(held, half * TERMS + 1u);
                let h2 = hand_h(held, half * TERMS + 2u);
                let h3 = hand_h(held, half * TERMS + 3u);
                for (var i = 0u; i < ACROSS; i++) {
                    z[pair][half][i] += (h0 * weights[i][0] + h1 * weights[i][1]) + (h2 * weights[i][2] + h3 * weights[i][3]);
                }
            }
        }
    }
    for (var pair = 0u; pair < PAIRS; pair++) {
        for (var half = 0u; half < 2u; half++) {
            for (var i = 0u; i < ACROSS; i++) { products[place(2u * pair + half, i, lane)] = z[pair][half][i]; }
        }
    }
}
