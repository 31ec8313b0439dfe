// The global gradient norm, and `health`, where the first step with a gradient that is not finite leaves its number and the
// element's index for good.
struct GradNorm {
    n: u32,
    block: u32, // elements of a block
}
@group(0) @binding(0) var<uniform> p: GradNorm;
@group(1) @binding(0) var<storage, read> grads: array<f32>;         // [n]
@group(1) @binding(1) var<storage, read_write> norm: array<f32>;    // [1]
@group(1) @binding(2) var<storage, read_write> health: array<u32>;  // [2]: step (0 = healthy), index
@group(1) @binding(3) var<storage, read_write> squares: array<f32>; // [blocks]
@group(1) @binding(4) var<storage, read_write> bad: array<u32>;     // [blocks]: 0xffffffff where all are finite

// Thread = one block.
@compute @workgroup_size(64)
fn blocks(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    let first = i * p.block;
    if first >= p.n { return; }
    let last = min(p.n, first + p.block);
    var sum = 0.0;
    var worst = 0xffffffffu;
    for (var at = first; at < last; at++) {
        let g = grads[at];
        sum += g * g;
        if !is_finite(g) { worst = min(worst, at); }
    }
    squares[i] = sum;
    bad[i] = worst;
}

// One thread.
@compute @workgroup_size(1)
fn join() {
    var sum = 0.0;
    var worst = 0xffffffffu;
    for (var i = 0u; i < (p.n + p.block - 1u) / p.block; i++) {
        sum += squares[i];
        worst = min(worst, bad[i]);
    }
    keep(sum, worst);
}

const ROW: u32 = 4u;
@group(1) @binding(0) var<storage, read> grads4: array<vec4<f32>>;

// One thread for few elements, in vec4s: ROW sums of these side by side, so that no addition waits for the one before.
@compute @workgroup_size(1)
fn alone() {
    let quads = p.n / 4u;
    var sums = array<vec4<f32>, ROW>();
    var all_finite = true;
    var at = 0u;
    for (; at + ROW <= quads; at += ROW) {
        for (var i = 0u; i < ROW; i++) {
            let g = grads4[at + i];
            sums[i] += g * g;
            all_finite = all_finite && are_finite(g);
        }
    }
    for (; at < quads; at++) {
        let g = grads4[at];
        sums[0] += g * g;
        all_finite = all_finite && are_finite(g);
    }
    let four = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    var worst = 0xffffffffu;
    if !all_finite {
        worst = 0u;
        while is_finite(grads4[worst / 4u][worst % 4u]) { worst++; }
    }
    keep((four.x + four.y) + (four.z + four.w), worst);
}

fn are_finite(x: vec4<f32>) -> bool {
    return all((bitcast<vec4<u32>>(x) & vec4(0x7f800000u)) != vec4(0x7f800000u));
}

const THREADS: u32 = 256u;
var<workgroup> part: array<f32, 256>;
var<workgroup> part_bad: array<u32, 256>;

// One workgroup.
@compute @workgroup_size(256)
fn tree(@builtin(local_invocation_index) thread: u32) {
    var sum = 0.0;
    var worst = 0xffffffffu;
    for (var run = thread; run < p.n; run += RUN * THREADS) {
        var run_sum = 0.0;
        for (var at = run; at < min(p.n, run + RUN * THREADS); at += THREADS) {
            let g = grads[at];
            run_sum += g * g;
            if !is_finite(g) { worst = min(worst, at); }
        }
        sum += run_sum;
    }
    part[thread] = sum;
    part_bad[thread] = worst;
    workgroupBarrier();
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        if thread < half {
            part[thread] += part[thread + half];
            part_bad[thread] = min(part_bad[thread], part_bad[thread + half]);
        }
        workgroupBarrier();
    }
    if thread == 0u { keep(part[0], part_bad[0]); }
}

fn keep(sum: f32, worst: u32) {
    norm[0] = sqrt(sum);
    if worst != 0xffffffffu && health[0] == 0u {
        health[0] = scalars.step;
        health[1] = worst;
    }
}
