// The engine of recurrence_lanes.wgsl for the GRU that multiplies twice in a step.
@compute @workgroup_size(8)
fn lanes_twice(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    for (var k = 0u; k < p.steps; k++) {
        let s = step_number(k);
        lanes_step(s, group.y * ROWS, lane);
        storageBarrier();
        lanes_candidates(s, group.y * ROWS, lane);
        storageBarrier();
    }
}

fn lanes_candidates(s: Step, first: u32, lane: u32) {
    let multiplies = recurs(s, first, ROWS);
    for (var first_unit = 0u; first_unit < p.units; first_unit += LANES) {
        let unit = first_unit + lane;
        var sum: array<f32, ROWS>;
        if multiplies { sum = reset_product(s, first, min(unit, p.units - 1u), lane); }
        if unit < p.units {
            for (var r = 0u; r < min(ROWS, p.rows - first); r++) { update_candidate(s, first + r, unit, sum[r]); }
        }
    }
}

// (r h)·U_g of a unit.
fn reset_product(s: Step, first: u32, unit: u32, lane: u32) -> array<f32, ROWS> {
    var sum: array<f32, ROWS>;
    for (var k = 0u; k < p.units; k += LANES) {
        let own = min(k + lane, p.units - 1u);
        var held: array<f32, ROWS>;
        for (var r = 0u; r < ROWS; r++) {
            let value = reset[p.beside_at + s.at + min(first + r, p.rows - 1u) * p.units + own];
            held[r] = select(0.0, value, own == k + lane);
        }
        var run: array<f32, ROWS>;
        for (var l = 0u; l < LANES; l++) {
            let uv = u[min(k + l, p.units - 1u) * p.units + unit].w;
            for (var r = 0u; r < ROWS; r++) { run[r] += subgroupShuffle(held[r], l) * uv; }
        }
        for (var r = 0u; r < ROWS; r++) { sum[r] += run[r]; }
    }
    return sum;
}
