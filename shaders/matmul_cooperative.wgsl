// For GPUs whose subgroups multiply matrices together. Workgroup = 2 x 2 subgroups = 4 SIZE x 4 SIZE of C, subgroup = 2 x 2 matrices.
// The two tiles that they multiply lie in workgroup memory in rows, DEPTH terms deep.
const SIDE: u32 = 4u * SIZE;
const DEPTH: u32 = 2u * SIZE;
const SUBGROUPS: u32 = 4u;
const THREADS: u32 = SUBGROUPS * LANES;
var<workgroup> a_tile: array<Number, SIDE * DEPTH>; // [SIDE, DEPTH]
var<workgroup> b_tile: array<Number, DEPTH * SIDE>; // [DEPTH, SIDE]
var<workgroup> sums: array<f32, SUBGROUPS * SIZE * SIZE>; // of each subgroup a matrix

// The i'th place of a tile of rows x cols that a thread fills: threads side by side read what lies side by side.
fn place(i: u32, rows: u32, cols: u32, along_rows: bool) -> vec2<u32> {
    return select(vec2(i / cols, i % cols), vec2(i % rows, i / rows), along_rows);
}

fn load_tiles(row: u32, col: u32, k: u32, last: u32, thread: u32, scale: vec3<f32>) {
    for (var i = thread; i < SIDE * DEPTH; i += THREADS) {
        let of_a = place(i, SIDE, DEPTH, p.a_row == 1u);
        let a_at = p.a_at + min(row + of_a.x, p.m - 1u) * p.a_row + min(k + of_a.y, last - 1u) * p.a_col;
        a_tile[of_a.x * DEPTH + of_a.y] = Number(operand(select(0.0, a[a_at], k + of_a.y < last), scale.x));
        let of_b = place(i, DEPTH, SIDE, p.b_row == 1u);
        let b_at = p.b_at + min(k + of_b.x, last - 1u) * p.b_row + min(col + of_b.y, p.n - 1u) * p.b_col;
        b_tile[of_b.x * SIDE + of_b.y] = Number(operand(select(0.0, b[b_at], k + of_b.x < last), scale.y));
    }
}

// Of each subgroup the matrix that it has left in `sums`, which begins at this row and column; four columns a thread at a time.
fn store_sums(part: u32, row: u32, col: u32, subgroup: u32, lane: u32, scale: f32) {
    workgroupBarrier();
    for (var i = lane; i < SIZE * SIZE / 4u; i += LANES) {
        let at = subgroup * SIZE * SIZE + i * 4u;
        let own_col = col + i * 4u % SIZE;
        let sum = vec4(sums[at], sums[at + 1u], sums[at + 2u], sums[at + 3u]);
        store(part, row + i * 4u / SIZE, own_col, sum4(sum, scale) + bias_of(own_col));
    }
    workgroupBarrier();
}

@compute @workgroup_size(THREADS)
fn cooperative(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let row = group.y * SIDE;
    let col = group.x * SIDE;
    let own_row = subgroup / 2u * 2u * SIZE;
    let own_col = subgroup % 2u * 2u * SIZE;
    let first = group.z * p.k_part;
    let last = min(p.k, first + p.k_part);
    let scale = scales();
    var c00 = MatrixC();
    var c01 = MatrixC();
    var c10 = MatrixC();
    var c11 = MatrixC();
    for (var k = first; k < last; k += DEPTH) {
        load_tiles(row, col, k, last, thread, scale);
        workgroupBarrier();
        for (var l = 0u; l < DEPTH; l += SIZE) {
            let a0 = coopLoadT<MatrixA>(&a_tile[own_row * DEPTH + l], DEPTH);
            let a1 = coopLoadT<MatrixA>(&a_tile[(own_row + SIZE) * DEPTH + l], DEPTH);
            let b0 = coopLoadT<MatrixB>(&b_tile[l * SIDE + own_col], SIDE);
            let b1 = coopLoadT<MatrixB>(&b_tile[l * SIDE + own_col + SIZE], SIDE);
            c00 = coopMultiplyAdd(a0, b0, c00);
            c01 = coopMultiplyAdd(a0, b1, c01);
            c10 = coopMultiplyAdd(a1, b0, c10);
            c11 = coopMultiplyAdd(a1, b1, c11);
        }
        workgroupBarrier();
    }
    let to_row = row + own_row;
    let to_col = col + own_col;
    let own = subgroup * SIZE * SIZE;
    coopStoreT(c00, &sums[own], SIZE);
    store_sums(group.z, to_row, to_col, subgroup, lane, scale.z);
    coopStoreT(c01, &sums[own], SIZE);
    store_sums(group.z, to_row, to_col + SIZE, subgroup, lane, scale.z);
    coopStoreT(c10, &sums[own], SIZE);
    store_sums(group.z, to_row + SIZE, to_col, subgroup, lane, scale.z);
    coopStoreT(c11, &sums[own], SIZE);
    store_sums(group.z, to_row + SIZE, to_col + SIZE, subgroup, lane, scale.z);
}
