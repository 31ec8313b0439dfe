//! The time steps of recurrences: whole sequences, whose windows tiny bindings make small.

use super::super::case::{At, Builder};
use super::super::draw::Numbers;
use crate::kernels::{
    CellOptions, Extras, GradSweep, GruCell, GruSequence, GruSequenceGrad, GruSequenceGradSlots, GruSequenceSlots,
    LstmSequence, LstmSequenceGrad, LstmSequenceGradSlots, LstmSequenceSlots, Options, SequenceGradSlots,
    SequenceSlots, Sweep, activation,
};
use crate::plan::{ALIGNMENT, Slot};

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

/// The sweeps of one direction or, in half of the cases, of both.
fn sweeps(b: &mut Builder, steps: usize) -> Vec<Sweep> {
    let sweep = Sweep { steps, reverse: b.draw.one_in(2) };
    let both = !b.draw.timing && b.draw.one_in(2);
    [sweep, sweep.back()].into_iter().take(if both { 2 } else { 1 }).collect()
}

/// What each direction has of something, in one buffer with dirt between, each where a binding may begin.
fn of_each(b: &mut Builder, name: &str, values: Vec<Vec<f32>>) -> Vec<Slot> {
    let (mut all, mut places) = (Vec::new(), Vec::new());
    for values in values {
        let gap = if all.is_empty() { 0 } else { ALIGNMENT * (1 + b.draw.below(2)) - all.len() % ALIGNMENT };
        all.extend(b.draw.dirt(gap));
        places.push(all.len()..all.len() + values.len());
        all.extend(values);
    }
    let whole = b.holding(name, all, At::Aligned);
    places.into_iter().map(|place| whole.range(place)).collect()
}

fn numbers_of_each(b: &mut Builder, name: &str, directions: usize, len: usize, kind: Numbers) -> Vec<Slot> {
    let values = (0..directions).map(|_| b.draw.numbers(len, kind)).collect();
    of_each(b, name, values)
}

/// Sequences with the initial states; the rest is not computed yet.
fn states(b: &mut Builder, name: &str, [_, rows, units]: [usize; 3], sweeps: &[Sweep], kind: Numbers) -> Vec<Slot> {
    let size = rows * units;
    let mut of_sweep = |sweep: &Sweep| {
        let initial = b.draw.numbers(size, kind);
        let mut later = b.draw.dirt(sweep.steps * size);
        let at = sweep.initial().min(1) * later.len();
        later.splice(at..at, initial);
        later
    };
    let values = sweeps.iter().map(&mut of_sweep).collect();
    of_each(b, name, values)
}

/// Whether an activation of these options can grow without bound, so that a chain of them could overflow.
fn grows(options: &Options) -> bool {
    let bounded =
        [activation::SIGMOID, activation::TANH, activation::HARD_SIGMOID, activation::SOFTSIGN, activation::HARD_TANH];
    ["ACTIVATION", "RECURRENT_ACTIVATION"].iter().any(|name| !bounded.contains(&options.get(name)))
}

/// Weights, small where activations grow.
fn weights(b: &mut Builder, directions: usize, units: usize, wild: bool) -> Vec<Slot> {
    let mut of_direction = |_| {
        let mut u = b.draw.numbers(4 * units * units, Numbers::Unit);
        if wild {
            u.iter_mut().for_each(|u| *u *= 0.05);
        }
        u
    };
    let u = (0..directions).map(&mut of_direction).collect();
    of_each(b, "u", u)
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

/// The same mask for all directions, and dropout for each.
fn extras(b: &mut Builder, options: &Options, directions: usize, [steps, rows, units]: [usize; 3]) -> Vec<Extras> {
    let mask = (options.get("MASK") != 0).then(|| mask(b, steps, rows));
    let dropped = options.get("DROPOUT") != 0;
    let dropout = dropped.then(|| numbers_of_each(b, "dropout", directions, 4 * rows * units, Numbers::Positive));
    (0..directions)
        .map(|i| Extras { mask: mask.clone(), dropout: dropout.as_ref().map(|of_each| of_each[i].clone()) })
        .collect()
}

fn peepholes(b: &mut Builder, options: &Options, directions: usize, units: usize) -> Vec<Option<Slot>> {
    if options.get("PEEPHOLES") == 0 {
        return vec![None; directions];
    }
    numbers_of_each(b, "peepholes", directions, 3 * units, Numbers::Unit).into_iter().map(Some).collect()
}

/// What all recurrences have in each direction, and their order.
struct Forwards {
    shape: [usize; 3],
    sweeps: Vec<Sweep>,
    slots: Vec<SequenceSlots>,
    /// What does not grow too fast.
    calm: Numbers,
}

fn forwards(b: &mut Builder, options: &Options) -> Forwards {
    let [steps, rows, units] = shape(b);
    let wild = grows(options);
    let shape @ [steps, ..] = [if wild { 1 } else { steps }, rows, units];
    let calm = if wild { Numbers::Unit } else { Numbers::Logits };
    let sweeps = sweeps(b, steps);
    let u = weights(b, sweeps.len(), units, wild);
    let gates = numbers_of_each(b, "gates", sweeps.len(), 4 * steps * rows * units, calm);
    let h = states(b, "h", shape, &sweeps, Numbers::Unit);
    let extras = extras(b, options, sweeps.len(), shape);
    let slots = u.into_iter().zip(gates).zip(h.into_iter().zip(extras));
    let slots = slots.map(|((u, gates), (h, extras))| SequenceSlots { u, gates, h, extras }).collect();
    Forwards { shape, sweeps, slots, calm }
}

pub(super) fn lstm_sequence(b: &mut Builder, options: &Options) {
    let Forwards { shape: shape @ [_, rows, units], sweeps, slots, calm } = forwards(b, options);
    let c = states(b, "c", shape, &sweeps, calm);
    let peepholes = peepholes(b, options, sweeps.len(), units);
    let slots = slots.into_iter().zip(c.into_iter().zip(peepholes));
    let slots = slots.map(|(sequence, (c, peepholes))| LstmSequenceSlots { sequence, c, peepholes });
    let (begins, cell, plan) = (b.draw.one_in(2), CellOptions::of(options), &mut b.plan);
    match &slots.collect::<Vec<_>>()[..] {
        [a, b] => LstmSequence::record_both(sweeps[0], [rows, units], begins, [cell; 2], plan, [a, b]),
        one => one.iter().for_each(|a| LstmSequence::record(sweeps[0], [rows, units], begins, cell, plan, a)),
    }
}

pub(super) fn gru_sequence(b: &mut Builder, options: &Options) {
    let Forwards { shape: [steps, rows, units], sweeps, slots, .. } = forwards(b, options);
    let cell = GruCell::of(options);
    let mut resets = Vec::new();
    if !cell.reset_after {
        let dirt = sweeps.iter().map(|_| b.draw.dirt(steps * rows * units)).collect();
        resets = of_each(b, "reset", dirt);
    }
    let mut resets = resets.into_iter();
    let slots = slots.into_iter().map(|sequence| GruSequenceSlots { sequence, reset: resets.next() });
    let (begins, plan) = (b.draw.one_in(2), &mut b.plan);
    match &slots.collect::<Vec<_>>()[..] {
        [a, b] => GruSequence::record_both(sweeps[0], [rows, units], begins, [cell; 2], plan, [a, b]),
        one => one.iter().for_each(|a| GruSequence::record(sweeps[0], [rows, units], begins, cell, plan, a)),
    }
}

/// What all recurrences have backwards in each direction, where `carry` holds `carried` states; and `[T+1, N, H]` states of another kind.
fn backwards(
    b: &mut Builder,
    options: &Options,
    carried: usize,
    states: (&str, Numbers),
) -> Vec<(GradSweep, SequenceGradSlots, Slot)> {
    let shape @ [steps, rows, units] = shape(b);
    let size = rows * units;
    let sweeps = sweeps(b, steps);
    let directions = sweeps.len();
    let (sequences, seeded) = (b.draw.one_in(2), b.draw.one_in(2));
    let u = weights(b, directions, units, grows(options));
    let states = numbers_of_each(b, states.0, directions, (steps + 1) * size, states.1);
    let dy = numbers_of_each(b, "dy", directions, if sequences { steps * size } else { size }, Numbers::Unit);
    // What was saved of the gates: between 0 and 1, the candidate between -1 and 1; some are saturated.
    let mut saved = |_: &Sweep| {
        let mut gates = b.draw.numbers(4 * steps * size, Numbers::Probabilities);
        gates.iter_mut().skip(2).step_by(4).for_each(|g| *g = 2.0 * *g - 1.0);
        gates
    };
    let gates = sweeps.iter().map(&mut saved).collect();
    let gates = of_each(b, "gates", gates);
    let seeds = |b: &mut Builder| match seeded {
        true => b.draw.numbers(carried * size, Numbers::Unit),
        false => b.draw.dirt(carried * size),
    };
    let carry = sweeps.iter().map(|_| seeds(b)).collect();
    let carry = of_each(b, "carry", carry);
    let has_dy = !b.draw.one_in(8);
    let extras = extras(b, options, directions, shape);
    let initial = b.draw.one_in(2) && !b.draw.timing;
    let of_direction = |i: usize| {
        let (u, dy, gates, carry) = (u[i].clone(), dy[i].clone(), gates[i].clone(), carry[i].clone());
        let slots = SequenceGradSlots { u, dy: has_dy.then_some(dy), gates, carry, extras: extras[i].clone() };
        (GradSweep { sweep: sweeps[i], shape: [rows, units], sequences, seeded, initial }, slots, states[i].clone())
    };
    (0..directions).map(of_direction).collect()
}

pub(super) fn lstm_sequence_grad(b: &mut Builder, options: &Options) {
    let calm = if grows(options) { Numbers::Unit } else { Numbers::Logits };
    let directions = backwards(b, options, 2, ("c", calm));
    let peepholes = peepholes(b, options, directions.len(), directions[0].0.shape[1]);
    let slots = directions.into_iter().zip(peepholes);
    let slots = slots.map(|((grad, sequence, c), peepholes)| (grad, LstmSequenceGradSlots { sequence, c, peepholes }));
    let (cell, plan) = (CellOptions::of(options), &mut b.plan);
    match &slots.collect::<Vec<_>>()[..] {
        [(grad, a), (back, b)] => LstmSequenceGrad::record_both([grad, back], [cell; 2], plan, [a, b]),
        one => one.iter().for_each(|(grad, slots)| LstmSequenceGrad::record(grad, cell, plan, slots)),
    }
}

pub(super) fn gru_sequence_grad(b: &mut Builder, options: &Options) {
    let directions = backwards(b, options, 1, ("h", Numbers::Unit)).into_iter();
    let slots = directions.map(|(grad, sequence, h)| (grad, GruSequenceGradSlots { sequence, h }));
    let (cell, plan) = (GruCell::of(options), &mut b.plan);
    match &slots.collect::<Vec<_>>()[..] {
        [(grad, a), (back, b)] => GruSequenceGrad::record_both([grad, back], [cell; 2], plan, [a, b]),
        one => one.iter().for_each(|(grad, slots)| GruSequenceGrad::record(grad, cell, plan, slots)),
    }
}
