// The engine of recurrence_lanes.wgsl for the GRU that multiplies twice in a step.
@compute @workgroup_size(8)
fn lanes_twice(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    take_direction(group.z);
    begin_rows(group.y * ROWS, ROWS, lane, LANES);
    for (var k = 0u; k < p.steps; k++) {
        let s = step_number(k);
        lanes_step(s, group.y * ROWS, lane);
        subgroupBarrier();
        lanes_candidates(s, group.y * ROWS, lane);
        subgroupBarrier();
    }
}

fn lanes_candidates(s: Step, first: u32, lane: u32) {
    let multiplies = recurs(s, first, ROWS);
    for (var first_unit = 0u; first_unit < p.units; first_unit += LANES * ACROSS) {
        if multiplies { reset_product(s, first, first_unit + lane, lane); }
        for (var i = 0u; i < units_across(first_unit); i++) {
            let unit = first_unit + i * LANES + lane;
            if unit < p.units {
                for (var r = 0u; r < min(ROWS, p.rows - first); r++) {
                    update_candidate(s, first + r, unit, select(0.0, products[place(r, i, lane)].w, multiplies));
                }
            }
        }
    }
}

// Leaves (r h)·U_g of a lane's units.
fn reset_product(s: Step, first: u32, first_unit: u32, lane: u32) {
    var sum: Sums;
    for (var k = 0u; k < p.units; k += TERMS) {
        let k1 = min(k + 1u, p.units - 1u);
        var weights0: array<f32, ACROSS>;
        var weights1: array<f32, ACROSS>;
        for (var i = 0u; i < ACROSS; i++) {
            let unit = min(first_unit + i * LANES, p.units - 1u);
            weights0[i] = u[own.u + k * p.units + unit].w;
            weights1[i] = u[own.u + k1 * p.units + unit].w;
        }
        let k_own = term_of_lane(k, lane);
        for (var load = 0u; load < LOADS; load++) {
            let row_own = row_of_lane(first + load * ROWS_OF_LOAD, lane);
            let held = select(0.0, reset[own.beside + s.at + row_own * p.units + k_own], k_own == k + lane % TERMS);
            for (var row = 0u; row < ROWS_OF_LOAD; row++) {
                let h0 = subgroupShuffle(held, row * TERMS);
                let h1 = subgroupShuffle(held, row * TERMS + 1u);
                for (var i = 0u; i < ACROSS; i++) { sum[load][row][i] += h0 * weights0[i] + h1 * weights1[i]; }
            }
        }
    }
    for (var load = 0u; load < LOADS; load++) {
        for (var row = 0u; row < ROWS_OF_LOAD; row++) {
            for (var i = 0u; i < ACROSS; i++) { products[place(load * ROWS_OF_LOAD + row, i, lane)].w = sum[load][row][i]; }
        }
    }
}
