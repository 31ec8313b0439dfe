// The LSTM's output from its activated gates and a normalised cell state: h = o tanh(n). Thread = one unit of one row.
struct CellOutput {
    count: u32,    // N H
    gates_at: u32, // as all offsets, of this time step
    n_at: u32, h_at: u32,
}
@group(0) @binding(0) var<uniform> p: CellOutput;
@group(1) @binding(0) var<storage, read> gates: array<f32>;   // [T, N, H, 4]
@group(1) @binding(1) var<storage, read> n: array<f32>;       // [T, N, H]
@group(1) @binding(2) var<storage, read_write> h: array<f32>; // [T+1, N, H]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let e = element(id);
    if e >= p.count { return; }
    h[p.h_at + e] = gates[p.gates_at + 4u * e + 3u] * tanh_safe(n[p.n_at + e]);
}
