//! The GRU's time steps.

use super::super::case::{At, Builder};
use super::super::draw::Numbers;
use super::recurrent::{grows, shape, state, weights};
use crate::kernels::{GruCell, GruGradSweep, GruStep, GruStepGradSlots, GruStepSlots, Options, Sweep};
use crate::plan::Slot;

fn cell(options: &Options) -> GruCell {
    GruCell {
        activation: options.get("ACTIVATION"),
        recurrent_activation: options.get("RECURRENT_ACTIVATION"),
        reset_after: options.get("PHASE") == 0,
    }
}

/// A mask and dropout, where they are on.
fn extras(b: &mut Builder, options: &Options, [steps, rows, units]: [usize; 3]) -> [Option<Slot>; 2] {
    let mask = (options.get("MASK") != 0).then(|| b.mask(steps * rows));
    [mask, (options.get("DROPOUT") != 0).then(|| b.input("dropout", 4 * rows * units, Numbers::Positive))]
}

pub(super) fn gru_step(b: &mut Builder, options: &Options) {
    let [steps, rows, units] = shape(b);
    let wild = grows(options);
    let shape @ [steps, ..] = [if wild { 1 } else { steps }, rows, units];
    let calm = if wild { Numbers::Unit } else { Numbers::Logits };
    let u = weights(b, units, wild);
    let gates = b.input("gates", 4 * steps * rows * units, calm);
    let sweep = Sweep { steps, reverse: b.draw.one_in(2) };
    let h = state(b, "h", shape, sweep, Numbers::Unit);
    let reset = b.output("reset", steps * rows * units, false, At::Aligned);
    let [mask, dropout] = extras(b, options, shape);
    let cell = cell(options);
    let slots = GruStepSlots { u, gates, h, reset: (!cell.reset_after).then_some(reset), mask, dropout };
    (0..steps).for_each(|k| GruStep::record(k, sweep, [rows, units], cell, &mut b.plan, &slots));
}

pub(super) fn gru_step_grad(b: &mut Builder, options: &Options) {
    let shape @ [steps, rows, units] = shape(b);
    let size = rows * units;
    let (sequences, seeded, wild) = (b.draw.one_in(2), b.draw.one_in(2), grows(options));
    let u = weights(b, units, wild);
    let h = b.input("h", (steps + 1) * size, Numbers::Unit);
    let dy = b.input("dy", if sequences { steps * size } else { size }, Numbers::Unit);
    // What was saved: z and r between 0 and 1, the candidate between -1 and 1, and what h gave it.
    let mut gates = b.draw.numbers(4 * steps * size, Numbers::Probabilities);
    gates.iter_mut().skip(2).step_by(4).for_each(|g| *g = 2.0 * *g - 1.0);
    let gates = b.holding("gates", gates, At::Aligned);
    let carry = b.output("carry", size, seeded, At::Aligned);
    let dy = (!b.draw.one_in(8)).then_some(dy);
    let [mask, dropout] = extras(b, options, shape);
    let slots = GruStepGradSlots { u, h, dy, gates, carry, mask, dropout };
    let sweep = Sweep { steps, reverse: b.draw.one_in(2) };
    let grad = GruGradSweep { sweep, shape: [rows, units], sequences, seeded, cell: cell(options) };
    (0..steps).rev().for_each(|k| grad.record(k, &mut b.plan, &slots));
    if b.draw.one_in(2) && !b.draw.timing {
        grad.record_initial(&mut b.plan, &slots);
    }
}
