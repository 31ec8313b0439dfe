//! Merging of tensors, and elements brought into another order.

use super::super::case::{At, Builder};
use super::super::draw::{FEATURES, Numbers, ROWS};
use crate::kernels::{Merge, MergeGrad, MergeGradSlots, MergeSlots, Options, Rearrange, RearrangeSlots, Strides};
use crate::plan::Slot;

/// Rows and features; a tiny binding shows no block of more than 15 features.
fn shape(b: &mut Builder) -> (usize, usize) {
    let tiny = b.perhaps_tiny_bindings();
    let rows = b.draw.size(&ROWS, 1 << 12);
    let features = if tiny { b.draw.size(&[1, 2, 3, 5, 7, 8, 15], 64) } else { b.draw.size(&FEATURES, 64) };
    (rows, features)
}

/// Two operands, some of whose elements are equal.
fn operands(b: &mut Builder, len: usize) -> (Slot, Slot) {
    let first = b.draw.numbers(len, Numbers::Logits);
    let mut second = b.draw.numbers(len, Numbers::Logits);
    for (second, &first) in second.iter_mut().zip(&first) {
        if b.draw.one_in(4) {
            *second = first;
        }
    }
    (b.holding("a", first, At::Aligned), b.holding("b", second, At::Aligned))
}

fn mask(b: &mut Builder, options: &Options, [option, name]: [&'static str; 2], rows: usize) -> Option<Slot> {
    let mask = (0..rows).map(|_| f32::from(b.draw.one_in(2))).collect();
    (options.get(option) != 0).then(|| b.holding(name, mask, At::Aligned))
}

/// What a result is divided by.
fn divisor(b: &mut Builder) -> f32 {
    [1.0, 2.0, 3.0, -1.0][b.draw.below(4)]
}

pub(super) fn merge(b: &mut Builder, options: &Options) {
    let (rows, features) = shape(b);
    let (first, second) = operands(b, rows * features);
    let mask_a = mask(b, options, ["MASK_A", "mask_a"], rows);
    let mask_b = mask(b, options, ["MASK_B", "mask_b"], rows);
    let y = b.output("y", rows * features, false, At::Aligned);
    let kernel = Merge { rows: rows as u32, features: features as u32, divisor: divisor(b) };
    let slots = MergeSlots { a: first, b: second, mask_a, mask_b, y };
    kernel.record_whole(options.get("OP"), &mut b.plan, &slots);
}

pub(super) fn merge_grad(b: &mut Builder, options: &Options) {
    let (rows, features) = shape(b);
    let (first, second) = operands(b, rows * features);
    let mask_a = mask(b, options, ["MASK_A", "mask_a"], rows);
    let mask_b = mask(b, options, ["MASK_B", "mask_b"], rows);
    let dy = b.input("dy", rows * features, Numbers::Unit);
    let accumulate = b.draw.one_in(2);
    let da = b.output("da", rows * features, accumulate, At::Aligned);
    let kernel = MergeGrad {
        rows: rows as u32,
        features: features as u32,
        divisor: divisor(b),
        first: b.draw.one_in(2).into(),
        accumulate: accumulate.into(),
    };
    let slots = MergeGradSlots { a: first, b: second, mask_a, mask_b, dy, da };
    kernel.record_whole(options.get("OP"), &mut b.plan, &slots);
}

/// Axes in any order on both sides, with gaps between rows and, on the side that is read, repeated axes.
pub(super) fn rearrange(b: &mut Builder, _: &Options) {
    let counts = [0; 3].map(|_: usize| b.draw.size(&[1, 2, 3, 5, 16, 17, 31], 64));
    let mut strides = |may_repeat: bool| {
        let order = b.draw.permutation(3);
        let (mut by, mut end) = ([0; 3], 1);
        for axis in order {
            let axis = axis as usize;
            if may_repeat && b.draw.one_in(5) {
                continue;
            }
            by[axis] = end;
            end = end * counts[axis] + b.draw.below(3);
        }
        let at = b.draw.below(9);
        (Strides { at, by }, at + end)
    };
    let ((from, x_len), (to, out_len)) = (strides(true), strides(false));
    let accumulate = b.draw.one_in(2);
    let x = b.input("x", x_len, Numbers::Shifted);
    let out = b.output("out", out_len, accumulate, At::Aligned);
    Rearrange::record(counts, (from, to), accumulate, &mut b.plan, RearrangeSlots { x, out });
}
