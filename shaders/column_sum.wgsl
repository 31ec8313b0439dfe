// Sums of columns over blocks of rows: out[block, col] = sum of x[row, col]. Run again on its result for the whole sum, so that
// the order of adding is fixed. Thread = one column of one block.
struct ColumnSum {
    rows: u32, cols: u32,
    block_rows: u32,
    x_at: u32,
    out_at: u32,
    accumulate: u32,
}
@group(0) @binding(0) var<uniform> p: ColumnSum;
@group(1) @binding(0) var<storage, read> x: array<f32>;         // [rows, cols]
@group(1) @binding(1) var<storage, read_write> out: array<f32>; // [blocks, cols]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    let blocks = (p.rows + p.block_rows - 1u) / p.block_rows;
    if i >= blocks * p.cols { return; }
    let col = i % p.cols;
    let first = (i / p.cols) * p.block_rows;
    let last = min(p.rows, first + p.block_rows);
    var sum = 0.0;
    for (var run = first; run < last; run += RUN) {
        var run_sum = 0.0;
        for (var row = run; row < min(last, run + RUN); row++) { run_sum += x[p.x_at + row * p.cols + col]; }
        sum += run_sum;
    }
    if p.accumulate != 0u { sum += out[p.out_at + i]; }
    out[p.out_at + i] = sum;
}
