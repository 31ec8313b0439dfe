// What metrics need of each class, summed over a block of rows. Thread = one class of one block.
// STATISTIC 0, 1, 2: weights of true positives, false positives and false negatives. A prediction is positive: 0: above the threshold;
// 1: as the largest of its row, if it is not 0; 2: where fewer than k of its row are larger, or as large with a lower number.
// STATISTIC 3: sums of w y, w y^2 and w (y - p)^2.
struct ClassSums {
    rows: u32, classes: u32, // of this run; C
    block_rows: u32,
    block_at: u32,  // first block, where rows come in several runs
    weighted: u32,  // 1: `weights` is there
    any_label: u32, // 1: labels other than 0 are 1
    k: u32,
    threshold: f32,
}
override STATISTIC: u32 = 0u;
@group(0) @binding(0) var<uniform> p: ClassSums;
@group(1) @binding(0) var<storage, read> prediction: array<f32>; // [rows, C]
@group(1) @binding(1) var<storage, read> truth: array<f32>;      // [rows, C]
@group(1) @binding(2) var<storage, read> weights: array<f32>;    // [rows]
@group(1) @binding(3) var<storage, read_write> sums: array<f32>; // [blocks, 3, C]

fn positive(row: u32, which: u32) -> bool {
    let first = row * p.classes;
    let its = prediction[first + which];
    if STATISTIC == 0u { return its > p.threshold; }
    var before = 0u;
    for (var c = 0u; c < p.classes; c++) {
        let other = prediction[first + c];
        if other > its || (STATISTIC == 2u && other == its && c < which) { before++; }
    }
    if STATISTIC == 1u { return before == 0u && abs(its) > 1e-9; }
    return before < p.k;
}

fn counts(row: u32, which: u32) -> vec3<f32> {
    var y = truth[row * p.classes + which];
    if p.any_label != 0u { y = select(1.0, 0.0, y == 0.0); }
    if positive(row, which) { return vec3(y, 1.0 - y, 0.0); }
    return vec3(0.0, 0.0, y);
}

fn moments(i: u32) -> vec3<f32> {
    let y = truth[i];
    let e = y - prediction[i];
    return vec3(y, y * y, e * e);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    let blocks = (p.rows + p.block_rows - 1u) / p.block_rows;
    if i >= blocks * p.classes { return; }
    let which = i % p.classes;
    let first = (i / p.classes) * p.block_rows;
    let last = min(p.rows, first + p.block_rows);
    var total = vec3(0.0);
    for (var run = first; run < last; run += RUN) {
        var of_run = vec3(0.0);
        for (var row = run; row < min(last, run + RUN); row++) {
            var terms = vec3(0.0);
            if STATISTIC == 3u { terms = moments(row * p.classes + which); } else { terms = counts(row, which); }
            if p.weighted != 0u { terms *= weights[row]; }
            of_run += terms;
        }
        total += of_run;
    }
    let out = (p.block_at + i / p.classes) * 3u * p.classes + which;
    sums[out] = total.x;
    sums[out + p.classes] = total.y;
    sums[out + 2u * p.classes] = total.z;
}
