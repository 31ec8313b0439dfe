//! What works on whole rows: the softmax.

use super::super::case::{At, Builder};
use super::super::draw::{FEATURES, Numbers, ROWS};
use crate::kernels::{Options, Softmax, SoftmaxGrad, SoftmaxGradSlots, SoftmaxSlots};

pub(super) fn softmax(b: &mut Builder, _: &Options) {
    let (rows, features) = (b.draw.size(&ROWS, 1 << 14), b.draw.size(&FEATURES, 16));
    let x = b.input("x", rows * features, Numbers::Logits);
    let y = b.output("y", rows * features, false, At::Aligned);
    Softmax { rows: rows as u32, features: features as u32 }.record(&mut b.plan, SoftmaxSlots { x, y });
}

pub(super) fn softmax_grad(b: &mut Builder, _: &Options) {
    let (rows, features) = (b.draw.size(&ROWS, 1 << 14), b.draw.size(&FEATURES, 16));
    let accumulate = b.draw.one_in(2);
    let y = b.input("y", rows * features, Numbers::Probabilities);
    let dy = b.input("dy", rows * features, Numbers::Logits);
    let dx = b.output("dx", rows * features, accumulate, At::Aligned);
    let step = SoftmaxGrad { rows: rows as u32, features: features as u32, accumulate: accumulate.into() };
    step.record(&mut b.plan, SoftmaxGradSlots { y, dy, dx });
}
