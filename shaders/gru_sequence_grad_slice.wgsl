// The engine of recurrence_grad_slice.wgsl for the GRU that multiplies twice in a step.
@compute @workgroup_size(THREADS)
fn slice_twice(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    take_direction(group.z);
    let first = group.y * ROWS;
    hold_next(first, thread);
    for (var k = p.steps; k > 0u; k--) {
        let s = step_number(k - 1u);
        slice_step(s, first, thread);
        workgroupBarrier();
        slice_resets(s, first, thread);
    }
}

fn slice_resets(s: Step, first: u32, thread: u32) {
    let multiplies = any_counts(s, first, ROWS);
    var sum: array<f32, TURNS * ROWS>;
    if multiplies {
        for (var turn = 0u; turn < TURNS; turn++) {
            let unit = thread + turn * THREADS;
            if unit < p.units {
                let of_unit = candidate_product(unit);
                for (var r = 0u; r < ROWS; r++) { sum[turn * ROWS + r] = of_unit[r]; }
            }
        }
    }
    workgroupBarrier();
    for (var turn = 0u; turn < TURNS; turn++) {
        let unit = thread + turn * THREADS;
        if unit < p.units {
            for (var r = 0u; r < min(ROWS, p.rows - first); r++) {
                let dr = reset_gradient(s, first + r, unit, sum[turn * ROWS + r]);
                gates[s.gates + (first + r) * p.units + unit].y = dr;
                held[unit * ROWS + r].y = dr;
            }
        }
    }
}

// dg·U_gᵀ of a unit.
fn candidate_product(unit: u32) -> array<f32, ROWS> {
    var sum: array<f32, ROWS>;
    for (var k_run = 0u; k_run < p.units; k_run += RUN) {
        var run: array<f32, ROWS>;
        for (var k = k_run; k < min(p.units, k_run + RUN); k++) {
            let uv = u[own.u + unit * p.units + k].w;
            for (var r = 0u; r < ROWS; r++) { run[r] += held[k * ROWS + r].w * uv; }
        }
        for (var r = 0u; r < ROWS; r++) { sum[r] += run[r]; }
    }
    return sum;
}
