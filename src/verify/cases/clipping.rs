//! The gradient's norm and clipping.

use super::super::case::{At, Builder};
use super::super::draw::{LENGTHS, Numbers};
use crate::kernels::{Clip, ClipBy, GradNorm, GradNormSlots, Options, VariableSquares, VariableSquaresSlots};
use crate::plan::ALIGNMENT;

/// Some gradients are infinite or not a number in half of the cases.
/// Healthy, ill for the first time, ill already.
pub(super) fn grad_norm(b: &mut Builder, _: &Options) {
    let n = b.draw.size(&LENGTHS, 1 << 18);
    let health = b.health();
    let mut values = b.draw.numbers(n, Numbers::Logits);
    if !b.draw.timing && b.draw.one_in(2) {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -f32::NAN, 1e18] {
            let at = b.draw.below(n);
            values[at] = bad;
        }
    }
    let grads = b.holding("grads", values, At::Aligned);
    let norm = b.output("norm", 1, false, At::Aligned);
    GradNorm::record(n, &mut b.plan, GradNormSlots { grads, norm, health });
}

/// Variables of these lengths, each at a multiple of 64: first element and elements of each, and all elements.
fn spans(b: &mut Builder) -> (Vec<u32>, usize) {
    let variables = b.draw.size(&[1, 2, 3, 7, 13], 8);
    let (mut spans, mut end) = (Vec::new(), 0);
    for _ in 0..variables {
        let len = if b.draw.timing { 1 << 15 } else { b.draw.size(&LENGTHS, 0) };
        spans.extend([end as u32, len as u32]);
        end += len.next_multiple_of(ALIGNMENT);
    }
    (spans, end)
}

pub(super) fn variable_squares(b: &mut Builder, _: &Options) {
    let (spans, n) = spans(b);
    let parts = b.draw.size(&[1, 2, 3, 64, 256], 256);
    let variables = spans.len() / 2;
    let grads = b.input("grads", n, Numbers::Logits);
    let spans = b.integers("spans", spans);
    let squares = b.output("squares", parts * variables, false, At::Aligned);
    let step = VariableSquares { variables: variables as u32, parts: parts as u32 };
    step.record(&mut b.plan, VariableSquaresSlots { grads, spans, squares });
}

/// Norms below and above the limit.
pub(super) fn clip(b: &mut Builder, options: &Options) {
    let (spans, n) = spans(b);
    let grads = b.input("grads", n, Numbers::Logits);
    let by = match options.get("CLIP") {
        0 => ClipBy::Value,
        1 => ClipBy::GlobalNorm(b.input("norm", 1, Numbers::Positive)),
        _ => {
            let owner = |block: usize| spans.chunks(2).rposition(|span| span[0] as usize <= block * ALIGNMENT);
            let owners = (0..n / ALIGNMENT).map(|block| owner(block).unwrap_or(0) as u32).collect();
            let squares = b.input("squares", spans.len() / 2, Numbers::Positive);
            ClipBy::Norms { squares, owners: b.integers("owners", owners) }
        }
    };
    Clip { n: n as u32, limit: 0.7 }.record(by, &mut b.plan, &grads);
}
