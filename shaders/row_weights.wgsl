// What every row counts for: its sample's (or its step's) weight, where it is not masked. Thread = one row.
struct RowWeights {
    rows: u32,      // of this run
    row_first: u32, // where this run begins
    samples: u32,   // N
    per_step: u32,  // 1: `sample_weights` has one for each row, else one for each sample
    masked: u32,    // 1: `mask` is there
}
@group(0) @binding(0) var<uniform> p: RowWeights;
@group(1) @binding(0) var<storage, read> sample_weights: array<f32>; // [rows] or [N]
@group(1) @binding(1) var<storage, read> mask: array<f32>;           // [rows], 0 or 1
@group(1) @binding(2) var<storage, read_write> weights: array<f32>;  // [rows]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = element(id);
    if row >= p.rows { return; }
    var weight = 0.0;
    if p.per_step != 0u { weight = sample_weights[row]; } else { weight = sample_weights[(p.row_first + row) % p.samples]; }
    if p.masked != 0u { weight *= mask[row]; }
    weights[row] = weight;
}
