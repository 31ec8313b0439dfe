// For subgroups of 8 lanes that are the lanes of a CPU's vectors. What costs there is loads: each is a loop over the lanes, a vec4
// hardly dearer than one number, and a multiplication one instruction for all lanes. So four terms of eight rows of A are loaded as one
// vec4 a lane and handed round by shuffles. Workgroup = subgroup = BLOCKS x 8 rows by 32 columns of C, lane = BLOCKS x 8 x 4.
const LANES: u32 = 8u;
const BLOCKS: u32 = 4u;
const TERMS: u32 = 4u; // that are loaded, multiplied and added up at once; load_a, which loads them of A, stands in a file of its own
@group(1) @binding(1) var<storage, read> b4: array<vec4<f32>>;
@group(1) @binding(5) var<storage, read_write> c4: array<vec4<f32>>;
@group(1) @binding(6) var<storage, read_write> parts4: array<vec4<f32>>;

// A lane's sums.
alias Sums = array<array<vec4<f32>, 8>, BLOCKS>;

// Term k of the row'th of eight rows.
fn hand(held: vec4<f32>, row: u32, k: u32, turned: bool) -> f32 {
    if turned { return subgroupShuffle(held[row % 4u], row / 4u * 4u + k); }
    return subgroupShuffle(held[k], row);
}

// Four terms of four columns of B, a vec4 for each term.
fn load_b(col: u32, k: u32, last: u32, along_k: bool) -> mat4x4<f32> {
    if along_k {
        let at = (p.b_at + (vec4(col) + vec4(0u, 1u, 2u, 3u)) * p.b_col + k) / 4u;
        return transpose(mat4x4(b4[at.x], b4[at.y], b4[at.z], b4[at.w]));
    }
    var terms: mat4x4<f32>;
    for (var j = 0u; j < TERMS; j++) {
        let loaded = b4[(p.b_at + min(k + j, last - 1u) * p.b_row + col) / 4u];
        terms[j] = select(vec4<f32>(), loaded, k + j < last);
    }
    return terms;
}

fn product(group: vec3<u32>, lane: u32, turned: bool, along_k: bool) {
    let row = group.y * BLOCKS * 8u;
    let col = (group.x * LANES + lane) * 4u;
    let read_col = min(col, p.n - 4u);
    let first = group.z * p.k_part;
    let last = min(p.k, first + p.k_part);
    let scale = scales();
    var acc: Sums;
    for (var k = first; k < last; k += TERMS) {
        let loaded = load_b(read_col, k, last, along_k);
        let terms = mat4x4(operand4(loaded[0], scale.y), operand4(loaded[1], scale.y), operand4(loaded[2], scale.y), operand4(loaded[3], scale.y));
        for (var block = 0u; block < BLOCKS; block++) {
            let held = operand4(load_a(row + block * 8u, k, last, lane, turned), scale.x);
            for (var i = 0u; i < 8u; i++) {
                acc[block][i] += hand(held, i, 0u, turned) * terms[0] + hand(held, i, 1u, turned) * terms[1]
                    + hand(held, i, 2u, turned) * terms[2] + hand(held, i, 3u, turned) * terms[3];
            }
        }
    }
    let bias4 = bias_of(col);
    let rows = min(BLOCKS * 8u, p.m - row);
    for (var i = 0u; i < rows; i++) { store4(group.z, row + i, col, sum4(of_row(&acc, i), scale.z) + bias4); }
}

// The sums of a row. Which, drivers do not know, and are slow with arrays indexed by such: they put them into memory, where each use is a
// loop over the lanes, which takes long to compile, too. So it is selected. A pointer, since with runtime checks arrays are copied.
fn of_row(sums: ptr<function, Sums>, row: u32) -> vec4<f32> {
    var found = vec4<f32>();
    for (var block = 0u; block < BLOCKS; block++) {
        for (var i = 0u; i < 8u; i++) { found = select(found, (*sums)[block][i], row == block * 8u + i); }
    }
    return found;
}

fn store4(part: u32, row: u32, col: u32, values: vec4<f32>) {
    if col >= p.n { return; }
    let at = row * p.n + col;
    if p.to_parts != 0u {
        parts4[(part * p.m * p.n + at) / 4u] = values;
    } else if p.accumulate != 0u {
        c4[(p.c_at + at) / 4u] += values;
    } else {
        c4[(p.c_at + at) / 4u] = values;
    }
}

@compute @workgroup_size(8)
fn rows_n(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    product(group, lane, false, false);
}

@compute @workgroup_size(8)
fn rows_k(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    product(group, lane, false, true);
}

@compute @workgroup_size(8)
fn turned_n(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    product(group, lane, true, false);
}
