// All steps in one dispatch, for subgroups of 8 lanes that are the lanes of a CPU's vectors: loads are what costs there, one a lane,
// so that a row's gradients are loaded once, each lane one unit of them, and handed round. Workgroup = subgroup = ROWS rows of the batch,
// lane = every eighth unit of them. No step needs another workgroup.
const LANES: u32 = 8u; // also RUN, the units that are added up on their own
const ROWS: u32 = 8u;

@compute @workgroup_size(8)
fn lanes(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    for (var k = p.steps; k > 0u; k--) {
        lanes_step(step_number(k - 1u), group.y * ROWS, lane);
        storageBarrier();
    }
}

fn lanes_step(s: Step, first: u32, lane: u32) {
    let handed = any_hands_back(s, first, ROWS);
    for (var first_unit = 0u; first_unit < p.units; first_unit += LANES) {
        let unit = first_unit + lane;
        var dh: array<f32, ROWS>;
        if handed { dh = handed_back(s, first, min(unit, p.units - 1u), lane); }
        if unit < p.units {
            for (var r = 0u; r < min(ROWS, p.rows - first); r++) { update(s, first + r, unit, dh[r]); }
        }
    }
}

// What is handed back to a unit. Rows past the edge read the last one again, units past it count as 0.
fn handed_back(s: Step, first: u32, unit: u32, lane: u32) -> array<f32, ROWS> {
    var by_gate: array<vec4<f32>, ROWS>;
    var dh: array<f32, ROWS>;
    for (var k = 0u; k < p.units; k += LANES) {
        let own = min(k + lane, p.units - 1u);
        var held: array<vec4<f32>, ROWS>;
        for (var r = 0u; r < ROWS; r++) {
            let dz = gates[s.next + min(first + r, p.rows - 1u) * p.units + own];
            held[r] = select(vec4<f32>(), dz, vec4(own == k + lane));
        }
        if DROPOUT != 0u {
            var run: array<vec4<f32>, ROWS>;
            for (var l = 0u; l < LANES; l++) {
                let uv = u[unit * p.units + min(k + l, p.units - 1u)];
                for (var r = 0u; r < ROWS; r++) { run[r] += subgroupShuffle(held[r], l) * uv; }
            }
            for (var r = 0u; r < ROWS; r++) { by_gate[r] += run[r]; }
        } else {
            var run: array<f32, ROWS>;
            for (var l = 0u; l < LANES; l++) {
                let uv = u[unit * p.units + min(k + l, p.units - 1u)];
                for (var r = 0u; r < ROWS; r++) { run[r] += hand(subgroupShuffle(held[r], l), uv); }
            }
            for (var r = 0u; r < ROWS; r++) { dh[r] += run[r]; }
        }
    }
    if DROPOUT != 0u {
        for (var r = 0u; r < ROWS; r++) { dh[r] = sum_of_gates(by_gate[r], min(first + r, p.rows - 1u), unit); }
    }
    return dh;
}
