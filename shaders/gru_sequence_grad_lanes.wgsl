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
    var sum: array<array<array<f32, ACROSS>, 2>, PAIRS>;
    for (var k = 0u; k < p.units; k += TERMS) {
        var weights: array<vec4<f32>, ACROSS>;
        for (var i = 0u; i < ACROSS; i++) {
            let row = own.u + min(first_unit + i * LANES, p.units - 1u) * p.units;
            for (var l = 0u; l < TERMS; l++) { weights[i][l] = u[row + min(k + l, p.units - 1u)].w; }
        }
        let k_own = min(k + lane % TERMS, p.units - 1u);
        for (var pair = 0u; pair < PAIRS; pair++) {
            let row = min(first + 2u * pair + lane / TERMS, p.rows - 1u);
            let held = select(0.0, gates[s.gates + row * p.units + k_own].w, k_own == k + lane % TERMS);
            for (var half = 0u; half < 2u; half++) {
                let values = vec4(
                    subgroupShuffle(held, half * TERMS), subgroupShuffle(held, half * TERMS + 1u),
                    subgroupShuffle(held, half * TERMS + 2u), subgroupShuffle(held, half * TERMS + 3u),
                );
                for (var i = 0u; i < ACROSS; i++) { sum[pair][half][i] += dot(values, weights[i]); }
            }
        }
    }
    for (var pair = 0u; pair < PAIRS; pair++) {
        for (var half = 0u; half < 2u; half++) {
            for (var i = 0u; i < ACROSS; i++) { sums[place(2u * pair + half, i, lane)] = sum[pair][half][i]; }
        }
    }
}
