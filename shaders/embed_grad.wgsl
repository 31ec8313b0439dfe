// dtable += the sum of dy over the rows that named a row of the table. Thread = one element of dy; those of a number's first row
// add up all of that number.
struct EmbedGrad {
    rows: u32, features: u32, // T N, E
    names: u32,               // rows of the table
}
@group(0) @binding(0) var<uniform> p: EmbedGrad;
@group(1) @binding(0) var<storage, read> ids: array<f32>;          // [rows]
@group(1) @binding(1) var<storage, read> firsts: array<u32>;       // [rows]
@group(1) @binding(2) var<storage, read> nexts: array<u32>;        // [rows]
@group(1) @binding(3) var<storage, read> dy: array<f32>;           // [rows, E]
@group(1) @binding(4) var<storage, read_write> dtable: array<f32>; // [names, E]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    if i >= p.rows * p.features { return; }
    var row = i / p.features;
    let feature = i % p.features;
    let name = ids[row];
    if firsts[row] == 0u || !(name >= 0.0 && name < f32(p.names)) { return; }
    var total = 0.0;
    var run = 0.0;
    var terms = 0u;
    while row < p.rows {
        run += dy[row * p.features + feature];
        row = nexts[row];
        terms++;
        if terms % RUN == 0u {
            total += run;
            run = 0.0;
        }
    }
    dtable[u32(name) * p.features + feature] += total + run;
}
