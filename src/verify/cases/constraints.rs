//! Regularizers and constraints.

use super::super::case::{At, Builder};
use super::super::draw::{FEATURES, LENGTHS, Numbers};
use crate::kernels::{
    Constrain, ConstrainSlots, GroupSquares, GroupSquaresSlots, Options, Penalty, PenaltyGrad, PenaltyGradSlots,
    PenaltySlots,
};

/// One factor or both.
fn factors(b: &mut Builder) -> [f32; 2] {
    match b.draw.below(3) {
        0 => [0.01, 0.0],
        1 => [0.0, 0.02],
        _ => [0.01, 0.02],
    }
}

pub(super) fn penalty(b: &mut Builder, _: &Options) {
    let n = b.draw.size(&LENGTHS, 1 << 18);
    let block = b.draw.size(&[1, 7, 64, 65, 256], 64);
    let divisor = b.draw.size(&[1, 3, 32], 1) as u32;
    let [l1, l2] = factors(b);
    let x = b.input("x", n, Numbers::Logits);
    let out = b.output("out", n.div_ceil(block), false, At::Anywhere);
    let step = Penalty { n: n as u32, block: block as u32, out_at: 0, divisor, l1, l2 };
    step.record(&mut b.plan, PenaltySlots { x, out });
}

pub(super) fn penalty_grad(b: &mut Builder, _: &Options) {
    let n = b.draw.size(&LENGTHS, 1 << 18);
    let divisor = b.draw.size(&[1, 3, 32], 1) as u32;
    let [l1, l2] = factors(b);
    let accumulate = b.draw.one_in(2);
    let x = b.input("x", n, Numbers::Logits);
    let dx = b.output("dx", n, accumulate, At::Aligned);
    let step = PenaltyGrad { n: n as u32, accumulate: accumulate.into(), divisor, l1, l2 };
    step.record(&mut b.plan, PenaltyGradSlots { x, dx });
}

/// Columns, rows, all of a variable, and an axis in the middle.
fn shape(b: &mut Builder) -> [usize; 3] {
    let reduced = b.draw.size(&[1, 2, 3, 7, 63, 64, 65, 129], 512);
    let [outer, inner] = [(); 2].map(|()| b.draw.size(&FEATURES, 512));
    match b.draw.below(4) {
        _ if b.draw.timing => [1, reduced, inner],
        0 => [1, reduced, inner],
        1 => [outer, reduced, 1],
        2 => [1, reduced, 1],
        _ => [outer.min(5), reduced, inner.min(7)],
    }
}

pub(super) fn group_squares(b: &mut Builder, _: &Options) {
    let [outer, reduced, inner] = shape(b);
    let parts = b.draw.size(&[1, 2, 3, 16], 16);
    let w = b.input("w", outer * reduced * inner, Numbers::Logits);
    let squares = b.output("squares", parts * outer * inner, false, At::Aligned);
    let [outer, reduced, inner, parts] = [outer, reduced, inner, parts].map(|n| n as u32);
    GroupSquares { outer, reduced, inner, parts }.record(&mut b.plan, GroupSquaresSlots { w, squares });
}

/// Norms below, within and above what is asked for; in some cases nothing may change.
pub(super) fn constrain(b: &mut Builder, options: &Options) {
    let [outer, reduced, inner] = shape(b);
    let n = outer * reduced * inner;
    let health = b.health();
    let squares = (options.get("CONSTRAINT") == 1).then(|| b.input("squares", outer * inner, Numbers::Positive));
    let w = b.input("w", n, Numbers::Logits);
    let [rate, one_minus_rate] = if b.draw.one_in(2) { [1.0, 0.0] } else { [0.3, 0.7] };
    let least = if b.draw.one_in(2) { 0.0 } else { 0.5 };
    let [n, reduced, inner] = [n, reduced, inner].map(|n| n as u32);
    let step = Constrain { n, reduced, inner, least, largest: 0.8, rate, one_minus_rate };
    step.record(&mut b.plan, ConstrainSlots { health, squares, w });
}
