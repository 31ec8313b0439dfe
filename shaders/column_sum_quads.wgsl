// Barrier-free, for drivers that compute on a CPU: there each load is a loop over the lanes, a vec4's hardly dearer than a number's, and
// the lanes of a workgroup read whole cache lines. Thread = four columns.
@group(1) @binding(0) var<storage, read> x4: array<vec4<f32>>;
@group(1) @binding(1) var<storage, read_write> out4: array<vec4<f32>>;

@compute @workgroup_size(8)
fn quads(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let quads = p.cols / 4u;
    let quad = (group.x + group.y * 65535u) * 8u + thread;
    if quad >= quads { return; }
    let first = p.x_at / 4u + quad;
    var total = vec4<f32>();
    if p.accumulate != 0u { total = out4[p.out_at / 4u + quad]; }
    for (var block = 0u; block < p.rows; block += p.block_rows) {
        let end = min(p.rows, block + p.block_rows);
        var block_sum = vec4<f32>();
        for (var run = block; run < end; run += RUN) {
            var run_sum = vec4<f32>();
            for (var row = run; row < min(end, run + RUN); row++) { run_sum += x4[first + row * quads]; }
            block_sum += run_sum;
        }
        total += block_sum;
    }
    out4[p.out_at / 4u + quad] = total;
}
