// The engine of recurrence_slice.wgsl for the GRU that multiplies twice in a step: h is held, and r h behind it.
@compute @workgroup_size(THREADS)
fn slice_twice(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    take_direction(group.z);
    let first = group.y * ROWS;
    hold_h(first, thread);
    for (var k = 0u; k < p.steps; k++) {
        let s = step_number(k);
        slice_step(s, first, thread, 0u, STATE);
        workgroupBarrier();
        slice_candidates(s, first, thread);
        workgroupBarrier();
    }
}

fn slice_candidates(s: Step, first: u32, thread: u32) {
    let multiplies = recurs(s, first, ROWS);
    for (var unit = thread; unit < p.units; unit += THREADS) {
        var sum: array<vec4<f32>, QUADS>;
        if multiplies { sum = reset_product(unit); }
        for (var r = 0u; r < min(ROWS, p.rows - first); r++) {
            hold(0u, unit, r, update_candidate(s, first + r, unit, sum[r / 4u][r % 4u]));
        }
    }
}

// (r h)·U_g of a unit.
fn reset_product(unit: u32) -> array<vec4<f32>, QUADS> {
    var sum: array<vec4<f32>, QUADS>;
    for (var k_run = 0u; k_run < p.units; k_run += RUN) {
        var run: array<vec4<f32>, QUADS>;
        for (var k = k_run; k < min(p.units, k_run + RUN); k++) {
            let uv = u[own.u + k * p.units + unit].w;
            for (var q = 0u; q < QUADS; q++) { run[q] += held[STATE + k * QUADS + q] * uv; }
        }
        for (var q = 0u; q < QUADS; q++) { sum[q] += run[q]; }
    }
    return sum;
}
