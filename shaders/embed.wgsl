// y = the row of a table that a number names; not a number where it names none. Thread = one element.
struct Embed {
    rows: u32, features: u32, // of this run, E
    names: u32,               // rows of the table
}
@group(0) @binding(0) var<uniform> p: Embed;
@group(1) @binding(0) var<storage, read> ids: array<f32>;     // [rows], whole numbers
@group(1) @binding(1) var<storage, read> table: array<f32>;   // [names, E]
@group(1) @binding(2) var<storage, read_write> y: array<f32>; // [rows, E]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.rows * p.features { return; }
    let name = ids[i / p.features];
    if name >= 0.0 && name < f32(p.names) {
        y[i] = table[u32(name) * p.features + i % p.features];
    } else {
        y[i] = bitcast<f32>(0x7fc00000u | p.names); // NaN, which no constant of WGSL may be
    }
}
