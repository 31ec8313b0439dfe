// All steps in one dispatch, for subgroups of 8 lanes that are the lanes of a CPU's vectors. What costs there is loads, each a loop over
// the lanes, so that what one loads serves many products: gradients of two rows are loaded at once, each lane one unit of one of them, and
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

// Gradients of the gates of one of two rows. Rows past the edge read the last one again, units past it count as 0.
fn held_gates(s: Step, first_row: u32, k: u32, lane: u32) -> vec4<f32> {
    let k_own = min(k + lane % TERMS, p.units - 1u);
    let row = min(first_row + lane / TERMS, p.rows - 1u);
    return select(vec4<f32>(), gates[s.next + row * p.units + k_own], vec4(k_own == k + lane % TERMS));
}

// The weights of a lane's i'th unit with four units.
fn weights_of(first_unit: u32, i: u32, k: u32) -> mat4x4<f32> {
    let row = own.u + min(first_unit + i * LANES, p.units - 1u) * p.units;
    let k_own = min(vec4(k) + vec4(0u, 1u, 2u, 3u), vec4(p.units - 1u));
    return mat4x4(u[row + k_own.x], u[row + k_own.y], u[row + k_own.z], u[row + k_own.w]);
}

// Leaves what is handed back to a lane's units.
fn handed_back(s: Step, first: u32, first_unit: u32, lane: u32) {
    var dh: array<array<array<f32, ACROSS>, 2>, PAIRS>;
    for (var k = 0u; k < p.units; k += TERMS) {
        var weights: array<mat4x4<f32>, ACROSS>;
        for (var i = 0u; i < ACROSS; i++) { weights[i] = weights_of(first_unit, i, k); }
        for (var pair = 0u; pair < PAIRS; pair++) {
            let held = held_gates(s, first + 2u * pair, k, lane);
            for (var half = 0u; half < 2u; half++) {
                let dz0 = subgroupShuffle(held, half * TERMS);
                let dz1 = subgroupShuffle(held, half * TERMS + 1u);
                let dz2 = subgroupShuffle(held, half * TERMS + 2u);
                let dz3 = subgroupShuffle(held, half * TERMS + 3u);
                for (var i = 0u; i < ACROSS; i++) {
                    dh[pair][half][i] += (hand(dz0, weights[i][0]) + hand(dz1, weights[i][1]))
                        + (hand(dz2, weights[i][2]) + hand(dz3, weights[i][3]));
                }
            }
        }
    }
    for (var pair = 0u; pair < PAIRS; pair++) {
        for (var half = 0u; half < 2u; half++) {
            for (var i = 0u; i < ACROSS; i++) { sums[place(2u * pair + half, i, lane)] = dh[pair][half][i]; }
        }
    }
}

// The same gate by gate, where each saw h through a mask of its own.
fn handed_back_by_gate(s: Step, first: u32, first_unit: u32, lane: u32) {
    var dh: array<array<array<vec4<f32>, ACROSS>, 2>, PAIRS>;
    for (var k = 0u; k < p.units; k += TERMS) {
        var weights: array<mat4x4<f32>, ACROSS>;
        for (var i = 0u; i < ACROSS; i++) { weights[i] = weights_of(first_unit, i, k); }
        for (var pair = 0u; pair < PAIRS; pair++) {
            let held = held_gates(s, first + 2u * pair, k, lane);
            for (var half = 0u; half < 2u; half++) {
                let dz0 = subgroupShuffle(held, half * TERMS);
                let dz1 = subgroupShuffle(held, half * TERMS + 1u);
                let dz2 = subgroupShuffle(held, half * TERMS + 2u);
                let dz3 = subgroupShuffle(held, half * TERMS + 3u);
                for (var i = 0u; i < ACROSS; i++) {
                    dh[pair][half][i] += (dz0 * weights[i][0] + dz1 * weights[i][1]) + (dz2 * weights[i][2] + dz3 * weights[i][3]);
                }
            }
        }
    }
    for (var pair = 0u; pair < PAIRS; pair++) {
        for (var half = 0u; half < 2u; half++) {
            let row = min(first + 2u * pair + half, p.rows - 1u);
            for (var i = 0u; i < ACROSS; i++) {
                let unit = min(first_unit + i * LANES, p.units - 1u);
                sums[place(2u * pair + half, i, lane)] = sum_of_gates(dh[pair][half][i], row, unit);
            }
        }
    }
}
