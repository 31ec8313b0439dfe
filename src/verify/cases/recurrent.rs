//! The LSTM's time steps: whole sequences, whose windows tiny bindings make small.

use super::super::case::{At, Builder};
use super::super::draw::Numbers;
use crate::kernels::{LstmStep, LstmStepGrad, LstmStepGradSlots, LstmStepSlots, Options};
use crate::plan::Slot;

/// Around the 4 rows of a thread and the 16 of a workgroup.
const BATCHES: [usize; 11] = [1, 2, 3, 4, 5, 7, 15, 16, 17, 31, 33];
/// Around the 16 units of a workgroup.
const UNITS: [usize; 11] = [1, 2, 3, 4, 5, 8, 15, 16, 17, 32, 33];

/// T, N, H. The recurrent kernel and two steps' gates must fit the tiny binding.
fn shape(b: &mut Builder) -> [usize; 3] {
    let rows = b.draw.size(&BATCHES, 64);
    let units = b.draw.size(&UNITS, 128);
    let steps = if b.draw.timing { 2 } else { 1 + b.draw.below(3) };
    if 4 * units * units <= 1024 && 8 * rows * units + 64 <= 1024 {
        b.perhaps_tiny_bindings();
    }
    [steps, rows, units]
}

/// A sequence that begins with the initial state; the rest is not computed yet.
fn state(b: &mut Builder, name: &str, [steps, rows, units]: [usize; 3], kind: Numbers) -> Slot {
    let size = rows * units;
    let initial = b.draw.numbers(size, kind);
    let later = b.draw.dirt(steps * size);
    b.holding(name, [initial, later].concat(), At::Aligned)
}

pub(super) fn lstm_step(b: &mut Builder, _: &Options) {
    let shape @ [steps, rows, units] = shape(b);
    let u = b.input("u", 4 * units * units, Numbers::Unit);
    let gates = b.input("gates", 4 * steps * rows * units, Numbers::Logits);
    let h = state(b, "h", shape, Numbers::Unit);
    let c = state(b, "c", shape, Numbers::Logits);
    let slots = LstmStepSlots { u, gates, h, c };
    (0..steps).for_each(|t| LstmStep::record(t, rows, units, &mut b.plan, &slots));
    b.flops = (8 * steps * rows * units * units) as f64;
}

pub(super) fn lstm_step_grad(b: &mut Builder, _: &Options) {
    let shape @ [steps, rows, units] = shape(b);
    let size = rows * units;
    let sequences = b.draw.one_in(2);
    let u = b.input("u", 4 * units * units, Numbers::Unit);
    let c = b.input("c", (steps + 1) * size, Numbers::Logits);
    let dy = b.input("dy", if sequences { steps * size } else { size }, Numbers::Unit);
    // Activated gates: i, f and o between 0 and 1, the candidate between -1 and 1; some are saturated.
    let mut gates = b.draw.numbers(4 * steps * size, Numbers::Probabilities);
    gates.iter_mut().skip(2).step_by(4).for_each(|g| *g = 2.0 * *g - 1.0);
    let gates = b.holding("gates", gates, At::Aligned);
    let dc = b.output("dc", size, false, At::Aligned);
    let slots = LstmStepGradSlots { u, c, dy, gates, dc };
    (0..steps).rev().for_each(|t| LstmStepGrad::record(t, shape, sequences, &mut b.plan, &slots));
    // The last time step multiplies nothing.
    b.flops = (8 * (steps - 1) * rows * units * units) as f64;
}
