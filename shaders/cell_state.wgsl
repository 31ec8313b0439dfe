// The LSTM's gates and cell state on their own, for cells that normalise between the state and the output: gates i, f, g, o are
// activated in place and c' = f c + i g (Hochreiter & Schmidhuber 1997; Gers et al. 2000). Thread = one unit of one row.
struct CellState {
    n: u32,        // N H
    gates_at: u32, // as all offsets, of this time step
    c_prev_at: u32, c_at: u32,
}
@group(0) @binding(0) var<uniform> p: CellState;
@group(1) @binding(0) var<storage, read_write> gates: array<f32>; // [T, N, H, 4]
@group(1) @binding(1) var<storage, read_write> c: array<f32>;     // [T+1, N, H]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let e = element(id);
    if e >= p.n { return; }
    let at = p.gates_at + 4u * e;
    let i = sigmoid(gates[at]);
    let f = sigmoid(gates[at + 1u]);
    let g = tanh_safe(gates[at + 2u]);
    c[p.c_at + e] = f * c[p.c_prev_at + e] + i * g;
    gates[at] = i;
    gates[at + 1u] = f;
    gates[at + 2u] = g;
    gates[at + 3u] = sigmoid(gates[at + 3u]);
}
