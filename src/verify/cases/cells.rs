//! The parts of an LSTM's cell, step by step, whose windows tiny bindings make small.

use super::super::case::{At, Builder};
use super::super::draw::Numbers;
use crate::kernels::{
    CellOutput, CellOutputGrad, CellOutputGradSlots, CellOutputSlots, CellState, CellStateGrad, CellStateGradSlots,
    CellStateSlots, Options,
};
use crate::plan::Slot;

/// T and N·H; three steps' gates need windows in a tiny binding.
fn shape(b: &mut Builder) -> [usize; 2] {
    b.perhaps_tiny_bindings();
    let n = b.draw.size(&[1, 2, 3, 5, 31, 63, 64, 65, 127, 128, 201], 1 << 16);
    let steps = if b.draw.timing { 2 } else { 1 + b.draw.below(3) };
    [steps, n]
}

/// Activated gates: i, f and o between 0 and 1, the candidate between -1 and 1; some are saturated.
fn activated(b: &mut Builder, [steps, n]: [usize; 2]) -> Slot {
    let mut gates = b.draw.numbers(4 * steps * n, Numbers::Probabilities);
    gates.iter_mut().skip(2).step_by(4).for_each(|g| *g = 2.0 * *g - 1.0);
    b.holding("gates", gates, At::Aligned)
}

/// States of steps from the initial one on; those after it are not computed yet.
fn states(b: &mut Builder, name: &str, [steps, n]: [usize; 2]) -> Slot {
    let (initial, later) = (b.draw.numbers(n, Numbers::Logits), b.draw.dirt(steps * n));
    b.holding(name, [initial, later].concat(), At::Aligned)
}

pub(super) fn cell_state(b: &mut Builder, _: &Options) {
    let shape @ [steps, n] = shape(b);
    let gates = b.input("gates", 4 * steps * n, Numbers::Logits);
    let c = states(b, "c", shape);
    (0..steps)
        .for_each(|t| CellState::record(t, n, &mut b.plan, &CellStateSlots { gates: gates.clone(), c: c.clone() }));
}

pub(super) fn cell_state_grad(b: &mut Builder, _: &Options) {
    let shape @ [steps, n] = shape(b);
    let gates = activated(b, shape);
    let c = b.input("c", (steps + 1) * n, Numbers::Logits);
    let dc = b.input("dc", n, Numbers::Unit);
    let slots = CellStateGradSlots { gates, c, dc };
    (0..steps).rev().for_each(|t| CellStateGrad::record(t, n, &mut b.plan, &slots));
}

pub(super) fn cell_output(b: &mut Builder, _: &Options) {
    let shape @ [steps, count] = shape(b);
    let gates = activated(b, shape);
    let n = b.input("n", steps * count, Numbers::Logits);
    let h = states(b, "h", shape);
    let slots = CellOutputSlots { gates, n, h };
    (0..steps).for_each(|t| CellOutput::record(t, count, &mut b.plan, &slots));
}

pub(super) fn cell_output_grad(b: &mut Builder, _: &Options) {
    let shape @ [steps, count] = shape(b);
    let sequences = b.draw.one_in(2);
    let gates = activated(b, shape);
    let n = b.input("n", steps * count, Numbers::Logits);
    let dy = b.input("dy", if sequences { steps * count } else { count }, Numbers::Unit);
    let dh = b.output("dh", count, false, At::Aligned);
    let slots = CellOutputGradSlots { gates, n, dy, dh };
    (0..steps).rev().for_each(|t| CellOutputGrad::record(t, [steps, count], sequences, &mut b.plan, &slots));
}
