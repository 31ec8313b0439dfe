//! Regularizers and constraints in a plan.

use super::constraint::{Groups, NormBounds};
use super::recorder::{Recorder, Tensor};
use super::regularizer::Regularizer;
use super::table::{Arena, Table, Variable, buffers};
use crate::error::Result;
use crate::kernels::{
    ColumnSum, ColumnSumSlots, Constrain, ConstrainSlots, GroupSquares, GroupSquaresSlots, Penalty, PenaltyGrad,
    PenaltyGradSlots, PenaltySlots,
};
use crate::plan::{Plan, Slot};

/// Threads that sum one norm, at most, and the terms of each, at least.
const NORM_PARTS: usize = 16;
const NORM_TERMS: usize = 64;

impl Recorder {
    /// Adds what the regularizers of all trained variables add to the loss, once each, and leaves their gradients on the tape.
    pub(crate) fn regularize_weights(&mut self) {
        let table = self.table();
        let trained = table.variables().iter().filter(|v| v.spec.trainable);
        for (variable, regularizer) in trained.filter_map(|v| Some((v, v.spec.regularizer?))) {
            let name = variable.spec.name.clone();
            self.enter(variable.layer());
            let weights = self.variable(&name);
            self.penalize(regularizer, &weights, 1);
            self.on_backward(move |recorder| {
                if let Some((gradient, accumulate)) = recorder.variable_gradient(&name) {
                    add_gradient(regularizer, &mut recorder.plan, 1, &weights, (&gradient, accumulate));
                }
            });
        }
    }

    /// Adds what a regularizer of a layer's outputs adds to the loss, and leaves its gradient on the tape; to be called last in a
    /// layer's `record`.
    pub(super) fn regularize_activity(&mut self, regularizer: Option<Regularizer>, outputs: &[Tensor]) {
        let Some(regularizer) = regularizer else { return };
        let samples = self.samples;
        for output in outputs {
            self.penalize(regularizer, &output.slot, samples);
            if !output.differentiable {
                continue;
            }
            let output = output.clone();
            self.on_backward(move |recorder| {
                let (gradient, accumulate) = recorder.gradient_target(&output);
                add_gradient(regularizer, &mut recorder.plan, samples, &output.slot, (&gradient, accumulate));
            });
        }
    }

    fn penalize(&mut self, regularizer: Regularizer, x: &Slot, divisor: usize) {
        let out = self.plan.scratch("penalty", &[1]);
        let slots = PenaltySlots { x: x.clone(), out: out.clone() };
        Penalty::record_whole(factors(regularizer), divisor, &mut self.plan, slots);
        self.penalties.push(out);
    }
}

fn factors(regularizer: Regularizer) -> [f32; 2] {
    [regularizer.l1 as f32, regularizer.l2 as f32]
}

fn add_gradient(regularizer: Regularizer, plan: &mut Plan, divisor: usize, x: &Slot, (dx, accumulate): (&Slot, bool)) {
    let [l1, l2] = factors(regularizer);
    for range in plan.row_chunks(x.len, &[1]) {
        let n = range.len() as u32;
        let step = PenaltyGrad { n, accumulate: accumulate.into(), divisor: divisor as u32, l1, l2 };
        step.record(plan, PenaltyGradSlots { x: x.range(range.clone()), dx: dx.range(range) });
    }
}

/// Records what holds the trained variables to their constraints; to be called behind the optimiser's update.
pub(crate) fn record_constraints(plan: &mut Plan, table: &Table) -> Result<()> {
    let trained = table.variables().iter().filter(|v| v.arena == Arena::Trainable);
    for variable in trained {
        let Some(constraint) = &variable.spec.constraint else { continue };
        plan.set_scope(&variable.path);
        let groups = constraint.groups(&variable.device_shape())?;
        record_constraint(plan, table, variable, groups, constraint.bounds());
    }
    Ok(())
}

fn record_constraint(plan: &mut Plan, table: &Table, variable: &Variable, groups: Groups, bounds: Option<NormBounds>) {
    let arena = plan.persistent(&buffers::trainable(buffers::PARAMETERS, table));
    let w = arena.range(variable.device_range());
    let squares = bounds.map(|_| record_squares(plan, groups, &w));
    let NormBounds { least, largest, rate } = bounds.unwrap_or(NormBounds { least: 0.0, largest: 0.0, rate: 0.0 });
    let health = plan.persistent(&buffers::health());
    let step = Constrain {
        n: w.len as u32,
        reduced: groups.reduced as u32,
        inner: groups.inner as u32,
        least: least as f32,
        largest: largest as f32,
        rate: rate as f32,
        one_minus_rate: (1.0 - rate) as f32,
    };
    step.record(plan, ConstrainSlots { health, squares, w });
}

/// `[outer, inner]`: the sum of squares of each group.
fn record_squares(plan: &mut Plan, Groups { outer, reduced, inner }: Groups, w: &Slot) -> Slot {
    let groups = outer * inner;
    let parts = reduced.div_ceil(NORM_TERMS).min(NORM_PARTS);
    let squares = plan.scratch("parts_of_squares", &[parts, groups]);
    let [outer, reduced, inner] = [outer, reduced, inner].map(|n| n as u32);
    let slots = GroupSquaresSlots { w: w.clone(), squares: squares.clone() };
    GroupSquares { outer, reduced, inner, parts: parts as u32 }.record(plan, slots);
    if parts == 1 {
        return squares;
    }
    let whole = plan.scratch("squares", &[groups]);
    ColumnSum::record([parts, groups], false, plan, ColumnSumSlots { x: squares, out: whole.clone() });
    whole
}
