//! Pooling over the steps of a sequence, in one run or in as many as tiny bindings need.

use super::super::case::{At, Builder};
use super::super::draw::Numbers;
use crate::kernels::{Options, Pool, PoolSteps, PoolStepsGrad, PoolStepsGradSlots, PoolStepsSlots};
use crate::plan::Slot;

/// T, N and F; a tiny binding shows a few steps.
fn shape(b: &mut Builder) -> [usize; 3] {
    let tiny = b.perhaps_tiny_bindings();
    let steps = b.draw.size(&[1, 2, 7, 8, 9, 33, 65], 64);
    let samples = b.draw.size(&[1, 2, 3, 5, 16, 17, 20], 128);
    let features =
        if tiny { b.draw.size(&[1, 2, 3, 5, 7, 8, 15], 64) } else { b.draw.size(&[1, 2, 3, 16, 17, 64, 65], 64) };
    [steps, samples, features]
}

fn pool(options: &Options) -> Pool {
    if options.get("MAXIMUM") != 0 { Pool::Maximum } else { Pool::Average }
}

/// A mask with a step that counts in every sample.
fn mask(b: &mut Builder, options: &Options, [steps, samples, _]: [usize; 3]) -> Option<Slot> {
    let mut mask: Vec<f32> = (0..steps * samples).map(|_| f32::from(b.draw.one_in(2))).collect();
    (0..samples).for_each(|n| mask[b.draw.below(steps) * samples + n] = 1.0);
    (options.get("MASK") != 0).then(|| b.holding("mask", mask, At::Aligned))
}

/// Numbers some of which are equal.
fn x(b: &mut Builder, len: usize) -> Vec<f32> {
    b.draw.numbers(len, Numbers::Logits).into_iter().map(|x| if x.abs() > 2.0 { x.round() } else { x }).collect()
}

pub(super) fn pool_steps(b: &mut Builder, options: &Options) {
    let shape @ [steps, samples, features] = shape(b);
    let x = x(b, steps * samples * features);
    let x = b.holding("x", x, At::Aligned);
    let mask = mask(b, options, shape);
    let y = b.output("y", samples * features, false, At::Aligned);
    let counts = b.output("counts", samples * features, false, At::Aligned);
    PoolSteps::record_whole(pool(options), shape, &mut b.plan, PoolStepsSlots { x, mask, y, counts });
}

pub(super) fn pool_steps_grad(b: &mut Builder, options: &Options) {
    let shape @ [steps, samples, features] = shape(b);
    let size = samples * features;
    let x = x(b, steps * size);
    // What the forward pass gives of a maximum: one of the steps' values.
    let y = (0..size).map(|i| x[b.draw.below(steps) * size + i]).collect();
    let counts = (0..size).map(|_| (1 + b.draw.below(steps)) as f32).collect();
    let x = b.holding("x", x, At::Aligned);
    let y = b.holding("y", y, At::Aligned);
    let counts = b.holding("counts", counts, At::Aligned);
    let mask = mask(b, options, shape);
    let dy = b.input("dy", size, Numbers::Unit);
    let accumulate = b.draw.one_in(2);
    let dx = b.output("dx", steps * size, accumulate, At::Aligned);
    let slots = PoolStepsGradSlots { x, y, counts, mask, dy, dx };
    PoolStepsGrad::record_whole(pool(options), shape, accumulate, &mut b.plan, slots);
}
