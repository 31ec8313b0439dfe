// The largest finite magnitude among many numbers, in PARTS parts: what half precision scales them by. As bits, whose order is that of
// magnitudes.
struct Largest {
    n: u32,
    x_at: u32,
}
@group(0) @binding(0) var<uniform> p: Largest;
@group(1) @binding(0) var<storage, read> x: array<f32>;             // [n] from x_at
@group(1) @binding(1) var<storage, read_write> largest: array<u32>; // [PARTS]

const THREADS: u32 = 64u;
const PARTS: u32 = 64u;
var<workgroup> of_thread: array<u32, 64>;

// Workgroup = one part.
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    var most = 0u;
    for (var i = group.x * THREADS + thread; i < p.n; i += PARTS * THREADS) {
        let bits = bitcast<u32>(x[p.x_at + i]) & 0x7fffffffu;
        most = max(most, select(0u, bits, bits < 0x7f800000u));
    }
    of_thread[thread] = most;
    workgroupBarrier();
    if thread > 0u { return; }
    for (var i = 1u; i < THREADS; i++) { most = max(most, of_thread[i]); }
    largest[group.x] = most;
}
