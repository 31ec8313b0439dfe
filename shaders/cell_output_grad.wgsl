// The gradient of cell_output: dh, to which dy of this step is added, becomes dn, and the activated gate o becomes its gradient
// before activation. Thread = one unit of one row.
struct CellOutputGrad {
    count: u32,    // N H
    gates_at: u32, // as all offsets, of this time step
    n_at: u32,
    dy_at: u32,
    has_dy: u32,   // 0: only the next step reads this step's output
    last: u32,     // 1: the last time step, nothing comes from the next
}
@group(0) @binding(0) var<uniform> p: CellOutputGrad;
@group(1) @binding(0) var<storage, read_write> gates: array<f32>; // [T, N, H, 4]
@group(1) @binding(1) var<storage, read> n: array<f32>;           // [T, N, H]
@group(1) @binding(2) var<storage, read> dy: array<f32>;          // [T, N, H] or [N, H]
@group(1) @binding(3) var<storage, read_write> dh: array<f32>;    // [N, H]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let e = element(id);
    if e >= p.count { return; }
    let at = p.gates_at + 4u * e + 3u;
    let o = gates[at];
    let y = tanh_safe(n[p.n_at + e]);
    var d = 0.0;
    if p.last == 0u { d = dh[e]; }
    if p.has_dy != 0u { d += dy[p.dy_at + e]; }
    d = without_faint(d);
    gates[at] = d * y * (o * (1.0 - o));
    dh[e] = d * o * (1.0 - y * y);
}
