// Writes a step's row of the log: sums of loss and metrics over the batch's rows. Thread = one column.
struct LogStep {
    parts: u32,
    columns: u32,
}
@group(0) @binding(0) var<uniform> p: LogStep;
@group(1) @binding(0) var<storage, read> sums: array<f32>;      // [parts, columns]
@group(1) @binding(1) var<storage, read_write> log: array<f32>; // [steps, columns]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let column = element(id);
    if column >= p.columns { return; }
    var sum = 0.0;
    for (var part = 0u; part < p.parts; part++) { sum += sums[part * p.columns + column]; }
    log[scalars.log_row * p.columns + column] = sum;
}
