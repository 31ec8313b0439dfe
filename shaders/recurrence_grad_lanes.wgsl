// All steps in one dispatch, for subgroups of 8 lanes that are the lanes of a CPU's vectors. What costs there is loads, each a loop over
// the lanes, so that what one loads serves many products: gradients of four rows are loaded at once, each lane one unit of one of them, and
// handed round, and weights serve ROWS rows. Workgroup = subgroup = ROWS rows of the batch, lane = every eighth unit of them, ACROSS of
// these at a time. No step needs another workgroup. A barrier of the workgroup would do as well, but CPU drivers cut a kernel in pieces there.
var<workgroup> sums: array<f32, ROWS * ACROSS * LANES>;

@compute @workgroup_size(8)
fn lanes(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    take_direction(group.z);
    for (var k = p.steps; k > 0u; k--) {
        lanes_step(step_number(k - 1u), group.y * ROWS, lane);
        subgroupBarrier();
    }
}

fn lanes_step(s: Step, first: u32, lane: u32) {
    let handed = any_hands_back(s, first, ROWS);
    for (var first_unit = 0u; first_unit < p.units; first_unit += LANES * ACROSS) {
        if handed {
            if DROPOUT != 0u {
                handed_back_by_gate(s, first, first_unit + lane, lane);
            } else {
                handed_back(s, first, first_unit + lane, lane);
            }
        }
        for (var i = 0u; i < units_across(first_unit); i++) {
            let unit = first_unit + i * LANES + lane;
            if unit < p.units {
                for (var r = 0u; r < min(ROWS, p.rows - first); r++) {
                    update(s, first + r, unit, select(0.0, sums[place(r, i, lane)], handed));
                }
            }
        }
    }
}

// Gradients of the gates of one of four rows; terms past the last count as 0.
fn held_gates(s: Step, first_row: u32, k: u32, lane: u32) -> vec4<f32> {
    let k_own = term_of_lane(k, lane);
    let dz = gates[s.next + row_of_lane(first_row, lane) * p.units + k_own];
    return select(vec4<f32>(), dz, k_own == k + lane % TERMS);
}

// Where the weights of a lane's i'th unit begin.
fn weights_at(first_unit: u32, i: u32) -> u32 {
    return own.u + min(first_unit + i * LANES, p.units - 1u) * p.units;
}

// Leaves what is handed back to a lane's units.
fn handed_back(s: Step, first: u32, first_unit: u32, lane: u32) {
    var dh: Sums;
    for (var k = 0u; k < p.units; k += TERMS) {
        let k1 = min(k + 1u, p.units - 1u);
        var weights0: array<vec4<f32>, ACROSS>;
        var weights1: array<vec4<f32>, ACROSS>;
        for (var i = 0u; i < ACROSS; i++) {
            weights0[i] = u[weights_at(first_unit, i) + k];
            weights1[i] = u[weights_at(first_unit, i) + k1];
        }
        for (var load = 0u; load < LOADS; load++) {
            let held = held_gates(s, first + load * ROWS_OF_LOAD, k, lane);
            for (var row = 0u; row < ROWS_OF_LOAD; row++) {
                let dz0 = subgroupShuffle(held, row * TERMS);
                let dz1 = subgroupShuffle(held, row * TERMS + 1u);
                for (var i = 0u; i < ACROSS; i++) { dh[load][row][i] += hand(dz0, weights0[i]) + hand(dz1, weights1[i]); }
            }
        }
    }
    for (var load = 0u; load < LOADS; load++) {
        for (var row = 0u; row < ROWS_OF_LOAD; row++) {
            for (var i = 0u; i < ACROSS; i++) { sums[place(load * ROWS_OF_LOAD + row, i, lane)] = dh[load][row][i]; }
        }
    }
}

// The same gate by gate, where each saw h through a mask of its own.
fn handed_back_by_gate(s: Step, first: u32, first_unit: u32, lane: u32) {
    var dh: Sums4;
    for (var k = 0u; k < p.units; k += TERMS) {
        let k1 = min(k + 1u, p.units - 1u);
        var weights0: array<vec4<f32>, ACROSS>;
        var weights1: array<vec4<f32>, ACROSS>;
        for (var i = 0u; i < ACROSS; i++) {
            weights0[i] = u[weights_at(first_unit, i) + k];
            weights1[i] = u[weights_at(first_unit, i) + k1];
        }
        for (var load = 0u; load < LOADS; load++) {
            let held = held_gates(s, first + load * ROWS_OF_LOAD, k, lane);
            for (var row = 0u; row < ROWS_OF_LOAD; row++) {
                let dz0 = subgroupShuffle(held, row * TERMS);
                let dz1 = subgroupShuffle(held, row * TERMS + 1u);
                for (var i = 0u; i < ACROSS; i++) { dh[load][row][i] += dz0 * weights0[i] + dz1 * weights1[i]; }
            }
        }
    }
    for (var load = 0u; load < LOADS; load++) {
        for (var of_load = 0u; of_load < ROWS_OF_LOAD; of_load++) {
            let row = load * ROWS_OF_LOAD + of_load;
            for (var i = 0u; i < ACROSS; i++) {
                let unit = min(first_unit + i * LANES, p.units - 1u);
                sums[place(row, i, lane)] = sum_of_gates(dh[load][of_load][i], min(first + row, p.rows - 1u), unit);
            }
        }
    }
}
