//! Optimisers and the gradient's norm.

use super::super::case::{At, Builder};
use super::super::draw::{LENGTHS, Numbers};
use crate::kernels::{
    Adam, AdamSlots, GradNorm, GradNormPartial, GradNormPartialSlots, GradNormSlots, Options, Sgd, SgdSlots,
};

pub(super) fn adam(b: &mut Builder, _: &Options) {
    let n = b.draw.size(&LENGTHS, 1 << 18);
    let health = b.health();
    let grads = b.input("grads", n, Numbers::Logits);
    let params = b.input("params", n, Numbers::Unit);
    let m = b.input("m", n, Numbers::Unit);
    let v = b.input("v", n, Numbers::Positive);
    let step = Adam { n: n as u32, one_minus_beta_1: 0.1, one_minus_beta_2: 0.001, epsilon: 1e-7 };
    step.record(&mut b.plan, AdamSlots { grads, health, params, m, v });
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

/// Some gradients are infinite or not a number in half of the cases.
pub(super) fn grad_norm_partial(b: &mut Builder, _: &Options) {
    let n = b.draw.size(&LENGTHS, 1 << 18);
    let block = b.draw.size(&[1, 7, 64, 65, 256], 256);
    let mut values = b.draw.numbers(n, Numbers::Logits);
    if !b.draw.timing && b.draw.one_in(2) {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -f32::NAN, 3e38] {
            let at = b.draw.below(n);
            values[at] = bad;
        }
    }
    let grads = b.holding("grads", values, At::Aligned);
    let blocks = n.div_ceil(block);
    let squares = b.output("squares", blocks, false, At::Aligned);
    let bad = b.integers("bad", vec![7; blocks]);
    let step = GradNormPartial { n: n as u32, block: block as u32 };
    step.record(&mut b.plan, GradNormPartialSlots { grads, squares, bad });
}

/// Healthy, ill for the first time, ill already.
pub(super) fn grad_norm(b: &mut Builder, _: &Options) {
    let blocks = b.draw.size(&LENGTHS, 1024);
    let health = b.health();
    let mut squares = b.draw.numbers(blocks, Numbers::Positive);
    let mut bad = vec![u32::MAX; blocks];
    if b.draw.one_in(2) {
        for value in [f32::NAN, f32::INFINITY] {
            let at = b.draw.below(blocks);
            squares[at] = value;
            bad[at] = at as u32 * 7;
        }
    }
    let squares = b.holding("squares", squares, At::Aligned);
    let bad = b.integers("bad", bad);
    let norm = b.output("norm", 1, false, At::Aligned);
    GradNorm { blocks: blocks as u32 }.record(&mut b.plan, GradNormSlots { squares, bad, norm, health });
}
