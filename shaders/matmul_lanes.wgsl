// For subgroups of 8 lanes that are the lanes of a CPU's vectors: loads are what costs there, one a lane, so that a tile of A is
// loaded once, each lane one k of it, and handed round. Workgroup = subgroup = ROWS x 32 of C, lane = ROWS x 4.
const LANES: u32 = 8u; // also RUN, the terms that are added up on their own
const ROWS: u32 = 8u;
@group(1) @binding(1) var<storage, read> b4: array<vec4<f32>>;

// Where the rows of a tile of A begin. Rows past the edge read the last one again.
fn rows_of_a(first_row: u32) -> array<u32, ROWS> {
    var rows: array<u32, ROWS>;
    for (var i = 0u; i < ROWS; i++) { rows[i] = p.a_at + min(first_row + i, p.m - 1u) * p.a_row; }
    return rows;
}

// B's columns lie side by side: a lane loads four of them at each k.
@compute @workgroup_size(8)
fn along_n(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    let row = group.y * ROWS;
    let col = (group.x * LANES + lane) * 4u;
    let read_col = min(col, p.n - 4u);
    let first = group.z * p.k_part;
    let last = min(p.k, first + p.k_part);
    var rows = rows_of_a(row);
    var acc: array<vec4<f32>, ROWS>;
    for (var k = first; k < last; k += LANES) {
        var held: array<f32, ROWS>;
        var run: array<vec4<f32>, ROWS>;
        // Terms past the end read the last one again and count as 0 on both sides.
        let own = min(k + lane, last - 1u) * p.a_col;
        for (var i = 0u; i < ROWS; i++) { held[i] = select(0.0, a[rows[i] + own], k + lane < last); }
        for (var l = 0u; l < LANES; l++) {
            let loaded = b4[(p.b_at + min(k + l, last - 1u) * p.b_row + read_col) / 4u];
            let terms = select(vec4<f32>(), loaded, k + l < last);
            for (var i = 0u; i < ROWS; i++) { run[i] += subgroupShuffle(held[i], l) * terms; }
        }
        for (var i = 0u; i < ROWS; i++) { acc[i] += run[i]; }
    }
    let bias4 = bias_of(col);
    for (var i = 0u; i < ROWS; i++) { store(group.z, row + i, col, acc[i] + bias4); }
}

// B's terms lie side by side, a multiple of LANES of them: a lane loads four of each of its columns.
@compute @workgroup_size(8)
fn along_k(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    let row = group.y * ROWS;
    let col = (group.x * LANES + lane) * 4u;
    let read_col = min(col, p.n - 4u);
    let cols = p.b_at + (vec4(read_col) + vec4(0u, 1u, 2u, 3u)) * p.b_col;
    let first = group.z * p.k_part;
    let last = min(p.k, first + p.k_part);
    var rows = rows_of_a(row);
    var acc: array<vec4<f32>, ROWS>;
    for (var k = first; k < last; k += LANES) {
        var held: array<f32, ROWS>;
        var run: array<vec4<f32>, ROWS>;
        for (var i = 0u; i < ROWS; i++) { held[i] = a[rows[i] + (k + lane) * p.a_col]; }
        for (var half = 0u; half < LANES; half += 4u) {
            let at = (cols + k + half) / 4u;
            let turned = transpose(mat4x4(b4[at.x], b4[at.y], b4[at.z], b4[at.w]));
            for (var l = 0u; l < 4u; l++) {
                for (var i = 0u; i < ROWS; i++) { run[i] += subgroupShuffle(held[i], half + l) * turned[l]; }
            }
        }
        for (var i = 0u; i < ROWS; i++) { acc[i] += run[i]; }
    }
    let bias4 = bias_of(col);
    for (var i = 0u; i < ROWS; i++) { store(group.z, row + i, col, acc[i] + bias4); }
}
