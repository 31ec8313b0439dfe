// For every row whether it is the first of its number, and the next row of the same number (`rows` where there is none), so that
// the gradients of one row of the table are added up in order. Thread = one row.
struct EmbedLinks {
    rows: u32,
}
@group(0) @binding(0) var<uniform> p: EmbedLinks;
@group(1) @binding(0) var<storage, read> ids: array<f32>;          // [rows]
@group(1) @binding(1) var<storage, read_write> firsts: array<u32>; // [rows]
@group(1) @binding(2) var<storage, read_write> nexts: array<u32>;  // [rows]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = element(id);
    if row >= p.rows { return; }
    let name = ids[row];
    var before = 0u;
    while before < row && ids[before] != name { before++; }
    var next = row + 1u;
    while next < p.rows && ids[next] != name { next++; }
    firsts[row] = select(0u, 1u, before == row);
    nexts[row] = next;
}
