// All steps in one dispatch: a workgroup of THREADS owns 4 QUADS rows of the batch, whose h it keeps in workgroup memory, of this step and
// of the next; U is streamed from cache. Thread = every THREADS-th unit of these rows. No step needs another workgroup.
const ROWS: u32 = 4u * QUADS;
var<workgroup> h_held: array<vec4<f32>, 2u * MOST_UNITS * QUADS>; // [2, units, QUADS] of 4 rows

@compute @workgroup_size(THREADS)
fn slice(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let first = group.y * ROWS;
    let rows = min(ROWS, p.rows - first);
    if p.begins == 0u {
        let s = step_number(0u);
        for (var unit = thread; unit < p.units; unit += THREADS) {
            for (var r = 0u; r < ROWS; r++) {
                h_held[unit * QUADS + r / 4u][r % 4u] = h[s.h_read + min(first + r, p.rows - 1u) * p.units + unit];
            }
        }
        workgroupBarrier();
    }
    for (var k = 0u; k < p.steps; k++) {
        let s = step_number(k);
        let held = (k % 2u) * MOST_UNITS * QUADS;
        let next = MOST_UNITS * QUADS - held;
        let recurs = !s.begins && any_counts(s, first, ROWS);
        for (var unit = thread; unit < p.units; unit += THREADS) {
            var z: array<vec4<f32>, ROWS>;
            if recurs { z = recurrent(held, first, unit); }
            for (var r = 0u; r < rows; r++) {
                h_held[next + unit * QUADS + r / 4u][r % 4u] = update(s, first + r, unit, z[r]);
            }
        }
        workgroupBarrier();
    }
}

// h·U of a unit.
fn recurrent(held: u32, first: u32, unit: u32) -> array<vec4<f32>, ROWS> {
    var z: array<vec4<f32>, ROWS>;
    for (var k_run = 0u; k_run < p.units; k_run += RUN) {
        var run: array<vec4<f32>, ROWS>;
        for (var k = k_run; k < min(p.units, k_run + RUN); k++) {
            let uv = u[k * p.units + unit];
            for (var q = 0u; q < QUADS; q++) {
                let four = h_held[held + k * QUADS + q];
                run[4u * q] += seen_by(four.x, first + 4u * q, k) * uv;
                run[4u * q + 1u] += seen_by(four.y, first + 4u * q + 1u, k) * uv;
                run[4u * q + 2u] += seen_by(four.z, first + 4u * q + 2u, k) * uv;
                run[4u * q + 3u] += seen_by(four.w, first + 4u * q + 3u, k) * uv;
            }
        }
        for (var r = 0u; r < ROWS; r++) { z[r] += run[r]; }
    }
    return z;
}

// The same of a row that may lie past the edge.
fn seen_by(value: f32, row: u32, k: u32) -> vec4<f32> {
    return seen(value, min(row, p.rows - 1u), k);
}
