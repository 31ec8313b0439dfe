// Sums of columns: out[col] (+)= sum over rows of x[row, col], in a fixed order.
struct ColumnSum {
    rows: u32, cols: u32,
    block_rows: u32, // rows that are added up on their own
    x_at: u32,
    out_at: u32,
    accumulate: u32,
}
@group(0) @binding(0) var<uniform> p: ColumnSum;
@group(1) @binding(0) var<storage, read> x: array<f32>;         // [rows, cols]
@group(1) @binding(1) var<storage, read_write> out: array<f32>; // [cols]

// Thread = one column.
@compute @workgroup_size(64)
fn columns(@builtin(global_invocation_id) id: vec3<u32>) {
    let col = element(id);
    if col >= p.cols { return; }
    var total = 0.0;
    if p.accumulate != 0u { total = out[p.out_at + col]; }
    for (var block = 0u; block < p.rows; block += p.block_rows) {
        let end = min(p.rows, block + p.block_rows);
        var block_sum = 0.0;
        for (var run = block; run < end; run += RUN) {
            var run_sum = 0.0;
            for (var row = run; row < min(end, run + RUN); row++) { run_sum += x[p.x_at + row * p.cols + col]; }
            block_sum += run_sum;
        }
        total += block_sum;
    }
    out[p.out_at + col] = total;
}

const LANES: u32 = 256u / COLUMNS; // COLUMNS: the variant's
var<workgroup> part: array<f32, 256>;

// A workgroup has some columns, and LANES threads for each of them.
@compute @workgroup_size(256)
fn tree(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let col = (group.x + group.y * 65535u) * COLUMNS + thread % COLUMNS;
    let last = select(0u, p.rows, col < p.cols);
    var sum = 0.0;
    for (var run = thread / COLUMNS; run < last; run += RUN * LANES) {
        var run_sum = 0.0;
        for (var row = run; row < min(last, run + RUN * LANES); row += LANES) { run_sum += x[p.x_at + row * p.cols + col]; }
        sum += run_sum;
    }
    part[thread] = sum;
    workgroupBarrier();
    for (var half = 128u; half >= COLUMNS; half /= 2u) {
        if thread < half { part[thread] += part[thread + half]; }
        workgroupBarrier();
    }
    if thread >= COLUMNS || col >= p.cols { return; }
    var total = part[thread];
    if p.accumulate != 0u { total += out[p.out_at + col]; }
    out[p.out_at + col] = total;
}
