// The gradient of cell_state: from dc to the gates i, f, g before activation, in place, and to the cell state of the step before.
// Where o was, its gradient stands already (cell_output_grad). Thread = one unit of one row.
struct CellStateGrad {
    n: u32,        // N H
    gates_at: u32, // of this time step
    c_prev_at: u32,
}
@group(0) @binding(0) var<uniform> p: CellStateGrad;
@group(1) @binding(0) var<storage, read_write> gates: array<f32>; // [T, N, H, 4]
@group(1) @binding(1) var<storage, read> c: array<f32>;           // [T+1, N, H]
@group(1) @binding(2) var<storage, read_write> dc: array<f32>;    // [N, H], carried backwards

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let e = element(id);
    if e >= p.n { return; }
    let at = p.gates_at + 4u * e;
    let i = gates[at];
    let f = gates[at + 1u];
    let g = gates[at + 2u];
    let d = without_faint(dc[e]);
    gates[at] = d * g * (i * (1.0 - i));
    gates[at + 1u] = d * c[p.c_prev_at + e] * (f * (1.0 - f));
    gates[at + 2u] = d * i * (1.0 - g * g);
    dc[e] = d * f;
}
