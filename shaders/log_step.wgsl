// Writes columns of a step's row of the log: sums over the parts that earlier kernels left. Thread = one column.
struct LogStep {
    parts: u32,
    columns: u32,    // of `sums`
    column: u32,     // the log's first column to write
    log_columns: u32,
    accumulate: u32, // 1: add to what is there
}
@group(0) @binding(0) var<uniform> p: LogStep;
@group(1) @binding(0) var<storage, read> sums: array<f32>;      // [parts, columns]
@group(1) @binding(1) var<storage, read_write> log: array<f32>; // [steps, log_columns]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let column = element(id);
    if column >= p.columns { return; }
    var sum = 0.0;
    for (var part = 0u; part < p.parts; part++) { sum += sums[part * p.columns + column]; }
    let at = scalars.log_row * p.log_columns + p.column + column;
    if p.accumulate != 0u { sum += log[at]; }
    log[at] = sum;
}
