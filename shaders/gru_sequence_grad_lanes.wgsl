// The engine of recurrence_grad_lanes.wgsl for the GRU that multiplies twice in a step.
@compute @workgroup_size(8)
fn lanes_twice(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    for (var k = p.steps; k > 0u; k--) {
        let s = step_number(k - 1u);
        lanes_step(s, group.y * ROWS, lane);
        storageBarrier();
        lanes_resets(s, group.y * ROWS, lane);
        storageBarrier();
    }
}

fn lanes_resets(s: Step, first: u32, lane: u32) {
    let multiplies = any_counts(s, first, ROWS);
    for (var first_unit = 0u; first_unit < p.units; first_unit += LANES) {
        let unit = first_unit + lane;
        var sum: array<f32, ROWS>;
        if multiplies { sum = candidate_product(s, first, min(unit, p.units - 1u), lane); }
        if unit < p.units {
            for (var r = 0u; r < min(ROWS, p.rows - first); r++) {
                gates[s.gates + (first + r) * p.units + unit].y = reset_gradient(s, first + r, unit, sum[r]);
            }
        }
    }
}

// dg·U_gᵀ of a unit.
fn candidate_product(s: Step, first: u32, unit: u32, lane: u32) -> array<f32, ROWS> {
    var sum: array<f32, ROWS>;
    for (var k = 0u; k < p.units; k += LANES) {
        let own = min(k + lane, p.units - 1u);
        var dg: array<f32, ROWS>;
        for (var r = 0u; r < ROWS; r++) {
            let value = gates[s.gates + min(first + r, p.rows - 1u) * p.units + own].w;
            dg[r] = select(0.0, value, own == k + lane);
        }
        var run: array<f32, ROWS>;
        for (var l = 0u; l < LANES; l++) {
            let uv = u[unit * p.units + min(k + l, p.units - 1u)].w;
            for (var r = 0u; r < ROWS; r++) { run[r] += subgroupShuffle(dg[r], l) * uv; }
        }
        for (var r = 0u; r < ROWS; r++) { sum[r] += run[r]; }
    }
    return sum;
}
