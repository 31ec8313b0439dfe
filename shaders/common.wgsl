// Appended to every kernel: per-step scalars, element index, and functions whose built-in forms drivers get wrong.

// What changes from training step to training step (StepScalars in src/kernels/info.rs).
struct StepScalars {
    learning_rate: f32,
    adam_rate: f32,
    step: u32,
    first: u32,
    log_row: u32,
    momentum_rate: f32,
    gradient_rate: f32,
    variance_rate: f32,
}
@group(0) @binding(1) var<uniform> scalars: StepScalars;

// Terms that long sums add up on their own before they join the total: a chain of n / 8 + 8 additions instead of n, as in the
// CPU's reference.
const RUN: u32 = 8u;

// Gradients of a recurrence's state of less than this are taken for 0; as in the CPU's reference (src/kernels/faint.rs).
const FAINT: f32 = 0x1p-100f;

fn without_faint(gradient: f32) -> f32 {
    return select(gradient, 0.0, abs(gradient) < FAINT);
}

// The element of a thread under `grid_1d`: 64 threads a workgroup, a row of 65,535 workgroups, then the next row.
fn element(id: vec3<u32>) -> u32 {
    return id.x + id.y * (65535u * 64u);
}

// e^x for x <= 0. The built-in may err by 3 + 2|x| ulp, and such errors add up over the steps of a sequence: on lavapipe the
// gradients of a deep LSTM were a third further from the truth with it. x = n ln 2 + r, e^r by a polynomial fitted on
// [-ln 2 / 2, ln 2 / 2] (error 1 ulp), 2^n by its bits.
fn exp_negative(x: f32) -> f32 {
    if x < -87.33 { return 0.0; } // below lie subnormal numbers
    return exp_scaled(x, 0);
}

// e^x for all x, infinite where it overflows.
fn exp_any(x: f32) -> f32 {
    if x <= 0.0 { return exp_negative(x); }
    return 2.0 * exp_scaled(min(x, 89.0), 1);
}

// e^x / 2^shift, for an x where that is a normal number.
fn exp_scaled(x: f32, shift: i32) -> f32 {
    let n = floor(x * 1.4426950408889634 + 0.5);
    let r = (x - n * 0.693359375) + n * 2.12194440e-4; // ln 2 in two parts, the first exact
    let p = (((0.0013946457765996456 * r + 0.008369158953428268) * r + 0.04166626185178757) * r + 0.16666516661643982) * r + 0.5;
    return (r * r * p + r + 1.0) * bitcast<f32>(u32(i32(n) + 127 - shift) << 23u);
}

// e^x - 1 for x <= 0: near 0, where the difference would cancel, a polynomial fitted on [-0.5, 0] (error 1 ulp).
fn expm1_negative(x: f32) -> f32 {
    if x < -0.5 { return exp_negative(x) - 1.0; }
    let p = (((0.0011259226594120264 * x + 0.008193295449018478) * x + 0.04163204878568649) * x + 0.16666288673877716) * x
        + 0.49999985098838806;
    return x + x * x * p;
}

// 1 / (1 + e^-x) without overflow: only e^-|x| is ever formed.
fn sigmoid(x: f32) -> f32 {
    let e = exp_negative(-abs(x));
    return select(e, 1.0, x >= 0.0) / (1.0 + e);
}

// tanh: the built-in may be NaN for large arguments and may err by 1e-5. Near 0, where (1 - e) / (1 + e) would cancel, an
// odd polynomial fitted to tanh on [0, 0.625] (error 0.7 ulp).
fn tanh_safe(x: f32) -> f32 {
    let a = abs(x);
    if a < 0.625 {
        let z = x * x;
        let p = (((-0.005704042501747608 * z + 0.020637862384319305) * z - 0.05373915657401085) * z
            + 0.133314311504364) * z - 0.3333328068256378;
        return x + x * z * p;
    }
    let e = exp_negative(-2.0 * a);
    return sign(x) * ((1.0 - e) / (1.0 + e));
}

// ln(1 + x) for x in [0, 1]: 2 atanh(x / (2 + x)) by a polynomial; the built-in log may err by 5e-7 near 1.
fn log1p_unit(x: f32) -> f32 {
    let s = x / (2.0 + x);
    let z = s * s;
    let p = ((0.1401381939649582 * z + 0.13999086618423462) * z + 0.20010896027088165) * z + 0.3333320617675781;
    return 2.0 * (s + s * z * p);
}

// By their bits, since a driver may assume that NaN does not occur: it folds x != x to false, and comparisons with select to min
// and max, which lose NaN.
fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

// The larger and the smaller of two that are NaN where one is: max, min and clamp may lose it.
fn larger(a: f32, b: f32) -> f32 {
    return select(select(max(a, b), b, is_nan(b)), a, is_nan(a));
}

fn smaller(a: f32, b: f32) -> f32 {
    return -larger(-a, -b);
}

fn sign_of(x: f32) -> f32 {
    return select(sign(x), x, is_nan(x));
}

fn is_finite(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}

var<workgroup> of_threads: array<f32, 256>;

// The sum of the values of the first `count` threads of a workgroup of 256, added up in runs by the first thread, which gets it; the others
// get 0.
fn sum_of_workgroup(thread: u32, count: u32, value: f32) -> f32 {
    of_threads[thread] = value;
    workgroupBarrier();
    var sum = 0.0;
    if thread == 0u {
        for (var run = 0u; run < count; run += RUN) {
            var run_sum = 0.0;
            for (var i = run; i < min(count, run + RUN); i++) { run_sum += of_threads[i]; }
            sum += run_sum;
        }
    }
    return sum;
}
