// A dispatch for each step, for GPUs and U that no cache close to a workgroup holds: what is loaded serves a tile of 16 units and 32 rows.
// Thread = one unit of 4 rows, all four gates of it, and one half of the terms that lie in workgroup memory at once.
const TILE_UNITS: u32 = 16u;
const TILE_ROWS: u32 = 32u;
const QUADS: u32 = TILE_ROWS / 4u;
const DEPTH: u32 = 16u;
const THREADS: u32 = 2u * TILE_UNITS * QUADS;
var<workgroup> h_tile: array<vec4<f32>, DEPTH * QUADS>;      // [DEPTH, QUADS] of 4 rows
var<workgroup> u_tile: array<vec4<f32>, DEPTH * TILE_UNITS>; // [DEPTH, TILE_UNITS] x 4 gates
var<workgroup> of_half: array<vec4<f32>, 2u * THREADS>;      // [4 rows, half of the threads]

// Rows and units past the edge are the last ones again; terms past the end are 0.
fn load_tiles(s: Step, first_row: u32, first_unit: u32, first: u32, thread: u32) {
    for (var i = thread; i < DEPTH * TILE_ROWS; i += THREADS) {
        let k = first + i % DEPTH;
        let row = i / DEPTH;
        let from_row = min(first_row + row, p.rows - 1u) * p.units;
        let value = h[own.h + s.read + from_row + min(k, p.units - 1u)];
        h_tile[(i % DEPTH) * QUADS + row / 4u][row % 4u] = select(0.0, value, k < p.units);
    }
    for (var i = thread; i < DEPTH * TILE_UNITS; i += THREADS) {
        let k = min(first + i / TILE_UNITS, p.units - 1u);
        u_tile[i] = u[own.u + k * p.units + min(first_unit + i % TILE_UNITS, p.units - 1u)];
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
    var z = array<vec4<f32>, 4>();
    let terms = select(0u, p.units, recurs(s, first_row, TILE_ROWS));
    for (var first = 0u; first < terms; first += DEPTH) {
        load_tiles(s, first_row, first_unit, first, thread);
        workgroupBarrier();
        var run = array<vec4<f32>, 4>();
        for (var i = 0u; i < DEPTH / 2u; i++) {
            let k = half * (DEPTH / 2u) + i;
            let four = h_tile[k * QUADS + quad];
            let uv = u_tile[k * TILE_UNITS + local.x];
            run[0] += four.x * uv;
            run[1] += four.y * uv;
            run[2] += four.z * uv;
            run[3] += four.w * uv;
        }
        for (var r = 0u; r < 4u; r++) { z[r] += run[r]; }
        workgroupBarrier();
    }
    let place = quad * TILE_UNITS + local.x;
    if half == 1u {
        for (var r = 0u; r < 4u; r++) { of_half[r * THREADS / 2u + place] = z[r]; }
    }
    workgroupBarrier();
    let unit = first_unit + local.x;
    let row = first_row + quad * 4u;
    if half == 1u || unit >= p.units { return; }
    begin_rows(row, 4u, unit, p.units);
    for (var r = 0u; r < 4u; r++) {
        if row + r < p.rows { update(s, row + r, unit, z[r] + of_half[r * THREADS / 2u + place]); }
    }
}
