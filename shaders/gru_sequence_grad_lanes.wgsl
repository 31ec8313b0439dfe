// The engine of recurrence_grad_lanes.wgsl for the GRU that multiplies twice in a step.
@compute @workgroup_size(8)
fn lanes_twice(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    take_direction(group.z);
    for (var k = p.steps; k > 0u; k--) {
        let s = step_number(k - 1u);
        lanes_step(s, group.y * ROWS, lane);
        subgroupBarrier();
        lanes_resets(s, group.y * ROWS, lane);
        subgroupBarrier();
    }
}

fn lanes_resets(s: Step, first: u32, lane: u32) {
    let multiplies = any_counts(s, first, ROWS);
    for (var first_unit = 0u; first_unit < p.units; first_unit += LANES * ACROSS) {
        if multiplies { candidate_product(s, first, first_unit + lane, lane); }
        for (var i = 0u; i < units_across(first_unit); i++) {
            let unit = first_unit + i * LANES + lane;
            if unit < p.units {
                for (var r = 0u; r < min(ROWS, p.rows - first); r++) {
                    let gradient = reset_gradient(s, first + r, unit, select(0.0, sums[place(r, i, lane)], multiplies));
                    gates[s.gates + (first + r) * p.units + unit].y = gradient;
                }
            }
        }
    }
}

// Leaves dg·U_gᵀ of a lane's units.
fn candidate_product(s: Step, first: u32, first_unit: u32, lane: u32) {
    var sum: Sums;
    for (var k = 0u; k < p.units; k += TERMS) {
        let k1 = min(k + 1u, p.units - 1u);
        var weights0: array<f32, ACROSS>;
        var weights1: array<f32, ACROSS>;
        for (var i = 0u; i < ACROSS; i++) {
            weights0[i] = u[weights_at(first_unit, i) + k].w;
            weights1[i] = u[weights_at(first_unit, i) + k1].w;
        }
        let k_own = term_of_lane(k, lane);
        for (var load = 0u; load < LOADS; load++) {
            let row_own = row_of_lane(first + load * ROWS_OF_LOAD, lane);
            let held = select(0.0, gates[s.gates + row_own * p.units + k_own].w, k_own == k + lane % TERMS);
            for (var row = 0u; row < ROWS_OF_LOAD; row++) {
                let dg0 = subgroupShuffle(held, row * TERMS);
                let dg1 = subgroupShuffle(held, row * TERMS + 1u);
                for (var i = 0u; i < ACROSS; i++) { sum[load][row][i] += dg0 * weights0[i] + dg1 * weights1[i]; }
            }
        }
    }
    for (var load = 0u; load < LOADS; load++) {
        for (var row = 0u; row < ROWS_OF_LOAD; row++) {
            for (var i = 0u; i < ACROSS; i++) { sums[place(load * ROWS_OF_LOAD + row, i, lane)] = sum[load][row][i]; }
        }
    }
}
