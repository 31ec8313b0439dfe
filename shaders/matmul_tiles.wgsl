// For GPUs: SIDE x SIDE threads hold a tile of A and one of B, DEPTH terms deep, in workgroup memory. Thread = QUADS x QUADS
// blocks of 4 x 4 of C, SIDE blocks apart, so that neighbours read neighbouring vec4s.
const BLOCKS: u32 = SIDE * QUADS;              // of 4 rows or columns along the tile's edge
const LOADS: u32 = DEPTH * BLOCKS / (SIDE * SIDE); // vec4s of each tile that a thread loads
const PITCH: u32 = BLOCKS + 1u;                // keeps the vec4s of one block in different banks
var<workgroup> a_tile: array<vec4<f32>, DEPTH * PITCH>; // [DEPTH, BLOCKS] of 4 rows of A
var<workgroup> b_tile: array<vec4<f32>, DEPTH * PITCH>; // [DEPTH, BLOCKS] of 4 columns of B

// Which block and term of a tile a thread loads: threads side by side read what lies side by side.
fn place(i: u32, along_k: bool) -> vec2<u32> {
    return select(vec2(i % BLOCKS, i / BLOCKS), vec2(i / DEPTH, i % DEPTH), along_k);
}

// Rows past the edge read the last one again, terms past the end are 0 on both sides.
fn load_a(row: u32, k: u32, last: u32) -> vec4<f32> {
    let at = min(vec4(row) + vec4(0u, 1u, 2u, 3u), vec4(p.m - 1u)) * p.a_row + p.a_at + min(k, last - 1u) * p.a_col;
    return select(vec4<f32>(), vec4(a[at.x], a[at.y], a[at.z], a[at.w]), k < last);
}

fn load_b(col: u32, k: u32, last: u32) -> vec4<f32> {
    let at = min(vec4(col) + vec4(0u, 1u, 2u, 3u), vec4(p.n - 1u)) * p.b_col + p.b_at + min(k, last - 1u) * p.b_row;
    return select(vec4<f32>(), vec4(b[at.x], b[at.y], b[at.z], b[at.w]), k < last);
}

@compute @workgroup_size(SIDE, SIDE)
fn tiles(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let row = group.y * BLOCKS * 4u;
    let col = group.x * BLOCKS * 4u;
    let first = group.z * p.k_part;
    let last = min(p.k, first + p.k_part);
    let scale = scales();
    var acc: array<vec4<f32>, 4u * QUADS * QUADS>;
    var next_a: array<vec4<f32>, LOADS>;
    var next_b: array<vec4<f32>, LOADS>;
    for (var i = 0u; i < LOADS; i++) {
        let of_a = place(thread + i * SIDE * SIDE, p.a_col == 1u);
        let of_b = place(thread + i * SIDE * SIDE, p.b_row == 1u);
        next_a[i] = load_a(row + of_a.x * 4u, first + of_a.y, last);
        next_b[i] = load_b(col + of_b.x * 4u, first + of_b.y, last);
    }
    for (var k = first; k < last; k += DEPTH) {
        for (var i = 0u; i < LOADS; i++) {
            let of_a = place(thread + i * SIDE * SIDE, p.a_col == 1u);
            let of_b = place(thread + i * SIDE * SIDE, p.b_row == 1u);
            a_tile[of_a.y * PITCH + of_a.x] = operand4(next_a[i], scale.x);
            b_tile[of_b.y * PITCH + of_b.x] = operand4(next_b[i], scale.y);
        }
        workgroupBarrier();
        // The next tiles are under way while these are multiplied.
        if k + DEPTH < last {
            for (var i = 0u; i < LOADS; i++) {
                let of_a = place(thread + i * SIDE * SIDE, p.a_col == 1u);
                let of_b = place(thread + i * SIDE * SIDE, p.b_row == 1u);
                next_a[i] = load_a(row + of_a.x * 4u, k + DEPTH + of_a.y, last);
                next_b[i] = load_b(col + of_b.x * 4u, k + DEPTH + of_b.y, last);
            }
        }
        // A tile's terms are added up on their own first, as the other variants' runs are.
        var run: array<vec4<f32>, 4u * QUADS * QUADS>;
        for (var l = 0u; l < DEPTH; l++) {
            for (var i = 0u; i < QUADS; i++) {
                let of_a = a_tile[l * PITCH + local.y + i * SIDE];
                for (var j = 0u; j < QUADS; j++) {
                    let of_b = b_tile[l * PITCH + local.x + j * SIDE];
                    let at = (i * QUADS + j) * 4u;
                    run[at] += of_a.x * of_b;
                    run[at + 1u] += of_a.y * of_b;
                    run[at + 2u] += of_a.z * of_b;
                    run[at + 3u] += of_a.w * of_b;
                }
            }
        }
        for (var i = 0u; i < 4u * QUADS * QUADS; i++) { acc[i] += run[i]; }
        workgroupBarrier();
    }
    for (var j = 0u; j < QUADS; j++) {
        let first_col = col + (local.x + j * SIDE) * 4u;
        let bias4 = bias_of(first_col);
        for (var i = 0u; i < QUADS; i++) {
            let at = (i * QUADS + j) * 4u;
            let first_row = row + (local.y + i * SIDE) * 4u;
            for (var r = 0u; r < 4u; r++) { store(group.z, first_row + r, first_col, sum4(acc[at + r], scale.z) + bias4); }
        }
    }
}
