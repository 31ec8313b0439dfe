//! Optimisers, weight decay and the average of weights.

use super::super::case::Builder;
use super::super::draw::{LENGTHS, Numbers};
use crate::kernels::{
    AccumulateGradient, AccumulateGradientSlots, Adagrad, AdagradSlots, Adam, AdamSlots, Lion, LionSlots, Nadam,
    Options, Rmsprop, RmspropSlots, Sgd, SgdSlots, WeightAverage, WeightAverageSlots, WeightDecay, WeightDecaySlots,
};
use crate::plan::ALIGNMENT;

pub(super) fn adam(b: &mut Builder, options: &Options) {
    let n = b.draw.size(&LENGTHS, 1 << 18);
    let health = b.health();
    let grads = b.input("grads", n, Numbers::Logits);
    let params = b.input("params", n, Numbers::Unit);
    let m = b.input("m", n, Numbers::Unit);
    let v = b.input("v", n, Numbers::Positive);
    let v_hat = if options.get("AMSGRAD") != 0 { Some(b.input("v_hat", n, Numbers::Positive)) } else { None };
    let step = Adam { n: n as u32, one_minus_beta_1: 0.1, one_minus_beta_2: 0.001, epsilon: 1e-7 };
    step.record(&mut b.plan, AdamSlots { grads, health, params, m, v, v_hat });
}

pub(super) fn sgd(b: &mut Builder, options: &Options) {
    let n = b.draw.size(&LENGTHS, 1 << 18);
    let health = b.health();
    let grads = b.input("grads", n, Numbers::Logits);
    let params = b.input("params", n, Numbers::Unit);
    let m = if options.get("MOMENTUM") != 0 { Some(b.input("m", n, Numbers::Unit)) } else { None };
    let step = Sgd { n: n as u32, momentum: 0.9 };
    step.record(options.get("NESTEROV") != 0, &mut b.plan, SgdSlots { grads, health, params, m });
}

pub(super) fn rmsprop(b: &mut Builder, options: &Options) {
    let n = b.draw.size(&LENGTHS, 1 << 18);
    let health = b.health();
    let grads = b.input("grads", n, Numbers::Logits);
    let params = b.input("params", n, Numbers::Unit);
    let v = b.input("v", n, Numbers::Positive);
    let m = if options.get("MOMENTUM") != 0 { Some(b.input("m", n, Numbers::Unit)) } else { None };
    let average = if options.get("CENTERED") != 0 { Some(b.input("average", n, Numbers::Unit)) } else { None };
    let step = Rmsprop { n: n as u32, rho: 0.9, one_minus_rho: 0.1, epsilon: 1e-3, momentum: 0.5 };
    step.record(&mut b.plan, RmspropSlots { grads, health, params, v, m, average });
}

pub(super) fn nadam(b: &mut Builder, _: &Options) {
    let n = b.draw.size(&LENGTHS, 1 << 18);
    let health = b.health();
    let grads = b.input("grads", n, Numbers::Logits);
    let params = b.input("params", n, Numbers::Unit);
    let m = b.input("m", n, Numbers::Unit);
    let v = b.input("v", n, Numbers::Positive);
    let step = Nadam { n: n as u32, one_minus_beta_1: 0.1, one_minus_beta_2: 0.001, epsilon: 1e-7 };
    step.record(&mut b.plan, AdamSlots { grads, health, params, m, v, v_hat: None });
}

pub(super) fn adagrad(b: &mut Builder, _: &Options) {
    let n = b.draw.size(&LENGTHS, 1 << 18);
    let health = b.health();
    let grads = b.input("grads", n, Numbers::Logits);
    let params = b.input("params", n, Numbers::Unit);
    let accumulator = b.input("accumulator", n, Numbers::Positive);
    let step = Adagrad { n: n as u32, epsilon: 1e-7 };
    step.record(&mut b.plan, AdagradSlots { grads, health, params, accumulator });
}

pub(super) fn lion(b: &mut Builder, _: &Options) {
    let n = b.draw.size(&LENGTHS, 1 << 18);
    let health = b.health();
    let grads = b.input("grads", n, Numbers::Logits);
    let params = b.input("params", n, Numbers::Unit);
    let m = b.input("m", n, Numbers::Unit);
    let step = Lion { n: n as u32, beta_1: 0.9, one_minus_beta_1: 0.1, beta_2: 0.99, one_minus_beta_2: 0.01 };
    step.record(&mut b.plan, LionSlots { grads, health, params, m });
}

pub(super) fn accumulate_gradient(b: &mut Builder, options: &Options) {
    let n = b.draw.size(&LENGTHS, 1 << 18);
    let health = b.health();
    let steps = b.draw.size(&[2, 3, 7], 2) as f32;
    let grads = b.input("grads", n, Numbers::Logits);
    let accumulator = b.input("accumulator", n, Numbers::Logits);
    let slots = AccumulateGradientSlots { health, grads, accumulator };
    AccumulateGradient { n: n as u32, steps }.record(options.get("MEAN") != 0, &mut b.plan, slots);
}

/// Some variables keep out of it.
pub(super) fn weight_decay(b: &mut Builder, _: &Options) {
    let n = b.draw.size(&LENGTHS, 1 << 18);
    let health = b.health();
    let kept = (0..n.div_ceil(ALIGNMENT)).map(|_| b.draw.one_in(3).into()).collect();
    let kept = b.integers("kept", kept);
    let params = b.input("params", n, Numbers::Unit);
    let step = WeightDecay { n: n as u32, decay: 0.03 };
    step.record(&mut b.plan, WeightDecaySlots { health, kept, params });
}

/// The first step, one that makes the average the weights, and others.
pub(super) fn weight_average(b: &mut Builder, _: &Options) {
    let n = b.draw.size(&LENGTHS, 1 << 18);
    let health = b.health();
    let frequency = b.draw.size(&[0, 1, 4], 0) as u32;
    let accumulation = b.draw.size(&[1, 3], 1) as u32;
    b.scalars.step = 1 + b.draw.below(4 * accumulation as usize) as u32;
    let params = b.input("params", n, Numbers::Unit);
    let average = b.input("average", n, Numbers::Unit);
    let step = WeightAverage { n: n as u32, momentum: 0.99, one_minus_momentum: 0.01, frequency, accumulation };
    step.record(&mut b.plan, WeightAverageSlots { health, params, average });
}
