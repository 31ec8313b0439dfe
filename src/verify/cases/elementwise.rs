//! Activations, copies and the gathering of batches.

use super::super::case::{At, Builder};
use super::super::draw::{FEATURES, LENGTHS, Numbers};
use crate::kernels::{
    Activate, ActivateGrad, ActivateGradSlots, ActivateSlots, Copy, CopySlots, Fill, FillSlots, Gather, GatherSlots,
    MoreSlots, Options, Rescale, RescaleSlots, activation,
};

/// Elements of the cases that are timed.
const TIMED: usize = 1 << 18;

pub(super) fn activate(b: &mut Builder, options: &Options) {
    let n = b.draw.size(&LENGTHS, TIMED);
    let kind = options.get("ACTIVATION");
    // e^50 would drown every other difference in a report.
    let x = b.input("x", n, if kind == activation::EXPONENTIAL { Numbers::Unit } else { Numbers::Logits });
    let y = b.output("y", n, false, At::Aligned);
    Activate { n: n as u32 }.record(kind, &mut b.plan, ActivateSlots { x, y });
}

pub(super) fn activate_grad(b: &mut Builder, options: &Options) {
    let n = b.draw.size(&LENGTHS, TIMED);
    let kind = options.get("ACTIVATION");
    let accumulate = b.draw.one_in(2);
    let x = b.input("x", n, Numbers::Logits);
    let y = b.input("y", n, values_of(kind));
    let dy = b.input("dy", n, Numbers::Logits);
    let dx = b.output("dx", n, accumulate, At::Aligned);
    let step = ActivateGrad { n: n as u32, accumulate: accumulate.into() };
    step.record(kind, &mut b.plan, ActivateGradSlots { x, y, dy, dx });
}

/// Numbers that an activation can give.
fn values_of(kind: u32) -> Numbers {
    match kind {
        activation::SIGMOID | activation::HARD_SIGMOID | activation::RELU6 => Numbers::Positive,
        activation::EXPONENTIAL | activation::RELU => Numbers::Positive,
        _ => Numbers::Unit,
    }
}

pub(super) fn copy(b: &mut Builder, _: &Options) {
    let n = b.draw.size(&LENGTHS, TIMED);
    let accumulate = b.draw.one_in(2);
    let x = b.input_anywhere("x", n, Numbers::Shifted);
    let out = b.output("out", n, accumulate, At::Anywhere);
    Copy::record(accumulate, &mut b.plan, CopySlots { x, out });
}

pub(super) fn fill(b: &mut Builder, _: &Options) {
    let n = b.draw.size(&LENGTHS, TIMED);
    let value = b.draw.unit();
    let out = b.output("out", n, false, At::Anywhere);
    Fill::record(value, &mut b.plan, FillSlots { out });
}

pub(super) fn rescale(b: &mut Builder, _: &Options) {
    let n = b.draw.size(&LENGTHS, TIMED);
    let accumulate = b.draw.one_in(2);
    let (scale, offset) = (90.0 * b.draw.unit(), if accumulate { 0.0 } else { 90.0 * b.draw.unit() });
    let x = b.input("x", n, Numbers::Unit);
    let y = b.output("y", n, accumulate, At::Aligned);
    Rescale { n: n as u32, scale, offset, accumulate: accumulate.into() }.record(&mut b.plan, RescaleSlots { x, y });
}

/// Rows in one binding, or in two that are gathered from one after the other.
pub(super) fn gather(b: &mut Builder, _: &Options) {
    let samples = b.draw.size(&[1, 2, 3, 16, 17, 31, 64], 512);
    let steps = b.draw.size(&[1, 2, 5, 10, 16], 32);
    let features = b.draw.size(&FEATURES, 16);
    let windows = b.draw.one_in(2);
    let all = samples + b.draw.below(20);
    let rows = if windows { all + steps - 1 } else { all * steps };
    let first = b.draw.below(all - samples + 1);
    b.scalars.first = first as u32;
    let data = b.input("data", rows * features, Numbers::Shifted);
    let order = b.draw.permutation(all);
    let order = b.integers("order", order);
    let starts = b.draw.permutation(all);
    let starts = b.integers("starts", starts);
    let batch = b.output("batch", steps * samples * features, false, At::Aligned);
    let [more_steps, more_features] = [1 + b.draw.below(3), 1 + b.draw.below(5)];
    let more = b.draw.one_in(2).then(|| MoreSlots {
        shape: [more_steps, more_features],
        data: b.input("more", all * more_steps * more_features, Numbers::Unit),
        batch: b.output("more_batch", more_steps * samples * more_features, false, At::Aligned),
    });
    let cut = 64 * (rows / 128);
    for part in [0..cut, cut..rows] {
        if part.is_empty() {
            continue;
        }
        // A window that begins in this part may end behind it.
        let shown = part.start..rows.min(part.end + steps - 1);
        let gather = Gather {
            samples: samples as u32,
            steps: steps as u32,
            features: features as u32,
            windows: windows.into(),
            row_first: part.start as u32,
            row_last: part.end as u32,
            row_base: part.start as u32,
            more_steps: 0,
            more_features: 0,
        };
        let (order, starts, batch) = (order.clone(), starts.clone(), batch.clone());
        gather.record(
            &mut b.plan,
            GatherSlots { data: data.rows(shown, features), order, starts, batch, more: more.clone() },
        );
    }
}
