// A dispatch for each step, for GPUs and U that no cache close to a workgroup holds: what is loaded serves a tile of 16 units and 32 rows.
// Thread = one unit of 4 rows, and one half of the terms that lie in workgroup memory at once.
const TILE_UNITS: u32 = 16u;
const TILE_ROWS: u32 = 32u;
const QUADS: u32 = TILE_ROWS / 4u;
const DEPTH: u32 = 16u;
const PITCH: u32 = DEPTH + 1u; // keeps what units read at once in different banks
const THREADS: u32 = 2u * TILE_UNITS * QUADS;
var<workgroup> gates_tile: array<vec4<f32>, TILE_ROWS * DEPTH>; // [TILE_ROWS, DEPTH] x 4 gates
var<workgroup> u_tile: array<vec4<f32>, TILE_UNITS * PITCH>;    // [TILE_UNITS, DEPTH] x 4 gates
var<workgroup> of_half: array<vec4<f32>, TILE_UNITS * QUADS>;   // of 4 rows

// Rows and units past the edge are the last ones again; terms past the end are 0.
fn load_tiles(s: Step, first_row: u32, first_unit: u32, first: u32, thread: u32) {
    for (var i = thread; i < TILE_ROWS * DEPTH; i += THREADS) {
        let k = first + i % DEPTH;
        let from_row = min(first_row + i / DEPTH, p.rows - 1u) * p.units;
        gates_tile[i] = select(vec4<f32>(), gates[s.next + from_row + min(k, p.units - 1u)], vec4(k < p.units));
    }
    for (var i = thread; i < TILE_UNITS * DEPTH; i += THREADS) {
        let k = min(first + i % DEPTH, p.units - 1u);
        u_tile[i / DEPTH * PITCH + i % DEPTH] = u[own.u + min(first_unit + i / DEPTH, p.units - 1u) * p.units + k];
    }
}

@compute @workgroup_size(16, 16)
fn tile(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    take_direction(group.z);
    let s = step_number(0u);
    let first_row = group.y * TILE_ROWS;
    let first_unit = group.x * TILE_UNITS;
    let quad = local.y % QUADS;
    let half = local.y / QUADS;
    var dh = vec4<f32>();
    let terms = select(0u, p.units, any_hands_back(s, first_row, TILE_ROWS));
    for (var first = 0u; first < terms; first += DEPTH) {
        load_tiles(s, first_row, first_unit, first, thread);
        workgroupBarrier();
        var run = vec4<f32>();
        for (var i = 0u; i < DEPTH / 2u; i++) {
            let k = half * (DEPTH / 2u) + i;
            let uv = u_tile[local.x * PITCH + k];
            let at = quad * 4u * DEPTH + k;
            run += vec4(
                hand(gates_tile[at], uv),
                hand(gates_tile[at + DEPTH], uv),
                hand(gates_tile[at + 2u * DEPTH], uv),
                hand(gates_tile[at + 3u * DEPTH], uv),
            );
        }
        dh += run;
        workgroupBarrier();
    }
    let place = quad * TILE_UNITS + local.x;
    if half == 1u { of_half[place] = dh; }
    workgroupBarrier();
    let unit = first_unit + local.x;
    let row = first_row + quad * 4u;
    if half == 1u || unit >= p.units { return; }
    dh += of_half[place];
    for (var r = 0u; r < 4u; r++) {
        if row + r < p.rows { update(s, row + r, unit, dh[r]); }
    }
}
