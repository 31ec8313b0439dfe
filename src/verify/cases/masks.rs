//! Masks of steps, in one run or in as many as tiny bindings need.

use super::super::case::{At, Builder};
use super::super::draw::{FEATURES, Numbers, ROWS};
use crate::kernels::{MaskRows, MaskRowsSlots, Options, StepMask, StepMaskSlots};

/// Rows and features; a tiny binding shows no block of more than 15 features.
fn shape(b: &mut Builder) -> (usize, usize) {
    let tiny = b.perhaps_tiny_bindings();
    let rows = b.draw.size(&ROWS, 1 << 12);
    let features = if tiny { b.draw.size(&[1, 2, 3, 5, 7, 8, 15], 64) } else { b.draw.size(&FEATURES, 64) };
    (rows, features)
}

/// A third of the rows hold the value alone, and others all but one of it.
pub(super) fn step_mask(b: &mut Builder, _: &Options) {
    let (rows, features) = shape(b);
    let value = if b.draw.one_in(2) { 0.0 } else { b.draw.unit() };
    let mut x = b.draw.numbers(rows * features, Numbers::Unit);
    for row in x.chunks_mut(features) {
        let kept = match b.draw.below(3) {
            0 => Some(b.draw.below(features)),
            1 => None,
            _ => continue,
        };
        (0..features).filter(|&f| Some(f) != kept).for_each(|f| row[f] = value);
    }
    let x = b.holding("x", x, At::Aligned);
    let mask = b.output("mask", rows, false, At::Aligned);
    for part in b.plan.row_chunks(rows, &[features]) {
        let run = StepMask { rows: part.len() as u32, features: features as u32, value };
        let slots = StepMaskSlots { x: x.rows(part.clone(), features), mask: mask.range(part) };
        run.record(&mut b.plan, slots);
    }
}

pub(super) fn mask_rows(b: &mut Builder, _: &Options) {
    let (rows, features) = shape(b);
    let accumulate = b.draw.one_in(2);
    let x = b.input("x", rows * features, Numbers::Shifted);
    let mask = (0..rows).map(|_| f32::from(b.draw.one_in(2))).collect();
    let mask = b.holding("mask", mask, At::Aligned);
    let y = b.output("y", rows * features, accumulate, At::Aligned);
    MaskRows::record_whole([rows, features], accumulate, &mut b.plan, MaskRowsSlots { x, mask, y });
}
