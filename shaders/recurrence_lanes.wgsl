// All steps in one dispatch, for subgroups of 8 lanes that are the lanes of a CPU's vectors: loads are what costs there, one a lane,
// so that h of a row is loaded once, each lane one unit of it, and handed round. Workgroup = subgroup = ROWS rows of the batch, lane =
// every eighth unit of them. No step needs another workgroup.
const LANES: u32 = 8u; // also RUN, the terms that are added up on their own
const ROWS: u32 = 8u;

@compute @workgroup_size(8)
fn lanes(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    for (var k = 0u; k < p.steps; k++) {
        lanes_step(step_number(k), group.y * ROWS, lane);
        storageBarrier();
    }
}

fn lanes_step(s: Step, first: u32, lane: u32) {
    let multiplies = recurs(s, first, ROWS);
    for (var first_unit = 0u; first_unit < p.units; first_unit += LANES) {
        let unit = first_unit + lane;
        var z: array<vec4<f32>, ROWS>;
        if multiplies { z = recurrent(s, first, min(unit, p.units - 1u), lane); }
        if unit < p.units {
            for (var r = 0u; r < min(ROWS, p.rows - first); r++) { update(s, first + r, unit, z[r]); }
        }
    }
}

// h·U of a unit. Rows past the edge read the last one again, units past it count as 0.
fn recurrent(s: Step, first: u32, unit: u32, lane: u32) -> array<vec4<f32>, ROWS> {
    var z: array<vec4<f32>, ROWS>;
    let h_at = p.h_at + s.read;
    for (var k = 0u; k < p.units; k += LANES) {
        let own = min(k + lane, p.units - 1u);
        var run: array<vec4<f32>, ROWS>;
        if DROPOUT != 0u {
            var held: array<vec4<f32>, ROWS>;
            for (var r = 0u; r < ROWS; r++) {
                let row = min(first + r, p.rows - 1u);
                held[r] = select(vec4<f32>(), seen(h[h_at + row * p.units + own], row, own), vec4(own == k + lane));
            }
            for (var l = 0u; l < LANES; l++) {
                let uv = u[min(k + l, p.units - 1u) * p.units + unit];
                for (var r = 0u; r < ROWS; r++) { run[r] += subgroupShuffle(held[r], l) * uv; }
            }
        } else {
            var held: array<f32, ROWS>;
            for (var r = 0u; r < ROWS; r++) {
                let row = min(first + r, p.rows - 1u);
                held[r] = select(0.0, h[h_at + row * p.units + own], own == k + lane);
            }
            for (var l = 0u; l < LANES; l++) {
                let uv = u[min(k + l, p.units - 1u) * p.units + unit];
                for (var r = 0u; r < ROWS; r++) { run[r] += subgroupShuffle(held[r], l) * uv; }
            }
        }
        for (var r = 0u; r < ROWS; r++) { z[r] += run[r]; }
    }
    return z;
}
