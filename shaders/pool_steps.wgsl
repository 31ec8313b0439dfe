// y = the mean or the largest value over the steps of a sequence, and how many steps made it: of a mean those whose mask is 1, of a
// maximum those that are equal to it. A sequence larger than a binding is taken in several runs. Thread = one feature of a sample.
struct PoolSteps {
    steps: u32, samples: u32, features: u32, // steps of this run, N, F
    x_at: u32, mask_at: u32,
    first: u32, // 1: this run has the first step
    last: u32,  // 1: this run has the last step
}
override MAXIMUM: u32 = 0u; // 0: the mean, 1: the largest
override MASK: u32 = 0u;
@group(0) @binding(0) var<uniform> p: PoolSteps;
@group(1) @binding(0) var<storage, read> x: array<f32>;            // [T, N, F]
@group(1) @binding(1) var<storage, read> mask: array<f32>;         // [T, N]
@group(1) @binding(2) var<storage, read_write> y: array<f32>;      // [N, F]
@group(1) @binding(3) var<storage, read_write> counts: array<f32>; // [N, F]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = element(id);
    let stride = p.samples * p.features;
    if i >= stride { return; }
    var total = 0.0;
    var count = 0.0;
    if p.first == 0u {
        total = y[i];
        count = counts[i];
    }
    var run = 0.0;
    for (var t = 0u; t < p.steps; t++) {
        let value = x[p.x_at + t * stride + i];
        if MAXIMUM != 0u {
            if count == 0.0 || (!is_nan(total) && (value > total || is_nan(value))) {
                total = value;
                count = 1.0;
            } else if value == total {
                count += 1.0;
            }
        } else {
            var counted = true;
            if MASK != 0u { counted = mask[p.mask_at + t * p.samples + i / p.features] != 0.0; }
            if counted {
                run += value;
                count += 1.0;
            }
            if t % RUN == RUN - 1u {
                total += run;
                run = 0.0;
            }
        }
    }
    total += run;
    if MAXIMUM == 0u && p.last != 0u { total /= count; }
    y[i] = total;
    counts[i] = count;
}
