//! The time steps of recurrences: whole sequences, whose windows tiny bindings make small.

use super::super::case::{At, Builder};
use super::super::draw::Numbers;
use crate::kernels::{
    CellOptions, Extras, GradSweep, GruCell, GruSequence, GruSequenceGrad, GruSequenceGradSlots, GruSequenceSlots,
    LstmSequence, LstmSequenceGrad, LstmSequenceGradSlots, LstmSequenceSlots, Options, SequenceGradSlots,
    SequenceSlots, Sweep, activation,
};
use crate::plan::Slot;

/// Around the 4 rows of a thread and the 16 of a workgroup.
const BATCHES: [usize; 11] = [1, 2, 3, 4, 5, 7, 15, 16, 17, 31, 33];
/// Around the 16 units of a workgroup.
const UNITS: [usize; 11] = [1, 2, 3, 4, 5, 8, 15, 16, 17, 32, 33];

/// T, N, H. The recurrent kernel and two steps' gates must fit the tiny binding.
fn shape(b: &mut Builder) -> [usize; 3] {
    let rows = b.draw.size(&BATCHES, 64);
    let units = b.draw.size(&UNITS, 128);
    let fits = 4 * units * units <= 1024 && 8 * rows * units + 64 <= 1024;
    let tiny = fits && b.perhaps_tiny_bindings();
    let steps = match (b.draw.timing, tiny) {
        (true, _) => 2,
        (_, true) => 2 + b.draw.below(29),
        _ => 1 + b.draw.below(3),
    };
    [steps, rows, units]
}

/// A sequence with the initial state; the rest is not computed yet.
fn state(b: &mut Builder, name: &str, [steps, rows, units]: [usize; 3], sweep: Sweep, kind: Numbers) -> Slot {
    let size = rows * units;
    let initial = b.draw.numbers(size, kind);
    let mut later = b.draw.dirt(steps * size);
    let at = sweep.initial().min(1) * later.len();
    later.splice(at..at, initial);
    b.holding(name, later, At::Aligned)
}

/// Whether an activation of these options can grow without bound, so that a chain of them could overflow.
fn grows(options: &Options) -> bool {
    let bounded =
        [activation::SIGMOID, activation::TANH, activation::HARD_SIGMOID, activation::SOFTSIGN, activation::HARD_TANH];
    ["ACTIVATION", "RECURRENT_ACTIVATION"].iter().any(|name| !bounded.contains(&options.get(name)))
}

/// Weights, small where activations grow.
fn weights(b: &mut Builder, units: usize, wild: bool) -> Slot {
    let mut u = b.draw.numbers(4 * units * units, Numbers::Unit);
    if wild {
        u.iter_mut().for_each(|u| *u *= 0.05);
    }
    b.holding("u", u, At::Aligned)
}

/// `[T, N]`: steps with holes, or, in half of the cases, rows that all end before the last step does.
fn mask(b: &mut Builder, steps: usize, rows: usize) -> Slot {
    if b.draw.one_in(2) {
        return b.mask(steps * rows);
    }
    let longest = b.draw.below(steps + 1);
    let lengths: Vec<usize> = (0..rows).map(|_| b.draw.below(longest + 1)).collect();
    let values = (0..steps).flat_map(|t| lengths.iter().map(move |&len| f32::from(t < len))).collect();
    b.holding("mask", values, At::Aligned)
}

fn extras(b: &mut Builder, options: &Options, [steps, rows, units]: [usize; 3]) -> Extras {
    let mask = (options.get("MASK") != 0).then(|| mask(b, steps, rows));
    let dropout = (options.get("DROPOUT") != 0).then(|| b.input("dropout", 4 * rows * units, Numbers::Positive));
    Extras { mask, dropout }
}

fn peepholes(b: &mut Builder, options: &Options, units: usize) -> Option<Slot> {
    (options.get("PEEPHOLES") != 0).then(|| b.input("peepholes", 3 * units, Numbers::Unit))
}

/// What all recurrences have, but for the extras, and their order.
struct Forwards {
    shape: [usize; 3],
    sweep: Sweep,
    slots: SequenceSlots,
    /// What does not grow too fast.
    calm: Numbers,
}

fn forwards(b: &mut Builder, options: &Options) -> Forwards {
    let [steps, rows, units] = shape(b);
    let wild = grows(options);
    let shape @ [steps, ..] = [if wild { 1 } else { steps }, rows, units];
    let calm = if wild { Numbers::Unit } else { Numbers::Logits };
    let u = weights(b, units, wild);
    let gates = b.input("gates", 4 * steps * rows * units, calm);
    let sweep = Sweep { steps, reverse: b.draw.one_in(2) };
    let h = state(b, "h", shape, sweep, Numbers::Unit);
    Forwards { shape, sweep, slots: SequenceSlots { u, gates, h, extras: Extras::default() }, calm }
}

pub(super) fn lstm_sequence(b: &mut Builder, options: &Options) {
    let Forwards { shape: shape @ [_, rows, units], sweep, slots, calm } = forwards(b, options);
    let c = state(b, "c", shape, sweep, calm);
    let sequence = SequenceSlots { extras: extras(b, options, shape), ..slots };
    let slots = LstmSequenceSlots { sequence, c, peepholes: peepholes(b, options, units) };
    let begins = b.draw.one_in(2);
    LstmSequence::record(sweep, [rows, units], begins, CellOptions::of(options), &mut b.plan, &slots);
}

pub(super) fn gru_sequence(b: &mut Builder, options: &Options) {
    let Forwards { shape: shape @ [steps, rows, units], sweep, slots, .. } = forwards(b, options);
    let cell = GruCell::of(options);
    let reset = (!cell.reset_after).then(|| b.output("reset", steps * rows * units, false, At::Aligned));
    let sequence = SequenceSlots { extras: extras(b, options, shape), ..slots };
    let begins = b.draw.one_in(2);
    GruSequence::record(sweep, [rows, units], begins, cell, &mut b.plan, &GruSequenceSlots { sequence, reset });
}

/// What all recurrences have backwards, where `carry` holds `carried` states; and `[T+1, N, H]` states of another kind.
fn backwards(
    b: &mut Builder,
    options: &Options,
    carried: usize,
    states: (&str, Numbers),
) -> (GradSweep, SequenceGradSlots, Slot) {
    let shape @ [steps, rows, units] = shape(b);
    let size = rows * units;
    let (sequences, seeded) = (b.draw.one_in(2), b.draw.one_in(2));
    let u = weights(b, units, grows(options));
    let states = b.input(states.0, (steps + 1) * size, states.1);
    let dy = b.input("dy", if sequences { steps * size } else { size }, Numbers::Unit);
    // What was saved of the gates: between 0 and 1, the candidate between -1 and 1; some are saturated.
    let mut gates = b.draw.numbers(4 * steps * size, Numbers::Probabilities);
    gates.iter_mut().skip(2).step_by(4).for_each(|g| *g = 2.0 * *g - 1.0);
    let gates = b.holding("gates", gates, At::Aligned);
    let carry = b.output("carry", carried * size, seeded, At::Aligned);
    let dy = (!b.draw.one_in(8)).then_some(dy);
    let slots = SequenceGradSlots { u, dy, gates, carry, extras: extras(b, options, shape) };
    let sweep = Sweep { steps, reverse: b.draw.one_in(2) };
    let initial = b.draw.one_in(2) && !b.draw.timing;
    (GradSweep { sweep, shape: [rows, units], sequences, seeded, initial }, slots, states)
}

pub(super) fn lstm_sequence_grad(b: &mut Builder, options: &Options) {
    let calm = if grows(options) { Numbers::Unit } else { Numbers::Logits };
    let (grad, sequence, c) = backwards(b, options, 2, ("c", calm));
    let slots = LstmSequenceGradSlots { sequence, c, peepholes: peepholes(b, options, grad.shape[1]) };
    LstmSequenceGrad::record(&grad, CellOptions::of(options), &mut b.plan, &slots);
}

pub(super) fn gru_sequence_grad(b: &mut Builder, options: &Options) {
    let (grad, sequence, h) = backwards(b, options, 1, ("h", Numbers::Unit));
    GruSequenceGrad::record(&grad, GruCell::of(options), &mut b.plan, &GruSequenceGradSlots { sequence, h });
}
