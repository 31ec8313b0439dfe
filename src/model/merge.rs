//! The merging layers of element by element.

use serde_json::{Map, Value};

use super::layer::{ANY_LENGTH, Layer, Shape, VariableSpec};
use super::recorder::{Recorder, Tensor};
use crate::error::{Error, Result};
use crate::kernels::{self, MergeGrad, MergeGradSlots, MergeSlots, merge_op};
use crate::plan::Slot;

/// Makes one tensor of two or more of the same shape, element by element, as Keras's layers of these names.
///
/// The output's mask is where any of the inputs counts, if all have one. What is masked counts as 1 in a product, and is left
/// out of a maximum or minimum; sums, differences and averages take it as it is, as in Keras.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// Keras's `Add`.
    Add,
    /// Keras's `Subtract`: the first less the second, of two.
    Subtract,
    /// Keras's `Multiply`.
    Multiply,
    /// Keras's `Average`.
    Average,
    /// Keras's `Maximum`. Of equal elements each gets its share of the gradient.
    Maximum,
    /// Keras's `Minimum`. Of equal elements each gets its share of the gradient.
    Minimum,
}

impl Merge {
    /// All of them.
    pub const ALL: [Merge; 6] =
        [Merge::Add, Merge::Subtract, Merge::Multiply, Merge::Average, Merge::Maximum, Merge::Minimum];

    /// The value of the kernels' override `OP`.
    fn op(self) -> u32 {
        match self {
            Merge::Add | Merge::Average => merge_op::ADD,
            Merge::Subtract => merge_op::SUBTRACT,
            Merge::Multiply => merge_op::MULTIPLY,
            Merge::Maximum => merge_op::MAXIMUM,
            Merge::Minimum => merge_op::MINIMUM,
        }
    }

    /// The mask of an operand, where masked elements are treated otherwise.
    fn heeded(self, operand: &Tensor) -> Option<Slot> {
        let heeds = matches!(self, Merge::Multiply | Merge::Maximum | Merge::Minimum);
        operand.mask.clone().filter(|_| heeds)
    }
}

impl Layer for Merge {
    fn class_name(&self) -> &'static str {
        match self {
            Merge::Add => "Add",
            Merge::Subtract => "Subtract",
            Merge::Multiply => "Multiply",
            Merge::Average => "Average",
            Merge::Maximum => "Maximum",
            Merge::Minimum => "Minimum",
        }
    }

    fn config(&self) -> Map<String, Value> {
        Map::new()
    }

    fn output_shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        let class = self.class_name();
        match inputs {
            [_, _, _, ..] if *self == Merge::Subtract => {
                Err(Error::usage(format!("Subtract takes two inputs, but gets {}", inputs.len())))
            }
            [first, second, rest @ ..] if first == second && rest.iter().all(|shape| shape == first) => {
                Ok(vec![first.clone()])
            }
            [_, _, ..] => Err(Error::usage(format!("{class} takes inputs of one shape, but gets {inputs:?}"))),
            _ => Err(Error::usage(format!("{class} takes two inputs or more, but gets {}", inputs.len()))),
        }
    }

    fn variables(&self, _: &[Shape]) -> Vec<VariableSpec> {
        Vec::new()
    }

    fn record(&self, recorder: &mut Recorder, inputs: &[Tensor]) -> Vec<Tensor> {
        let [first, rest @ .., last] = inputs else { return Vec::new() };
        same_steps(recorder, self.class_name(), inputs);
        let divisor = if *self == Merge::Average { inputs.len() as f32 } else { 1.0 };
        let before = rest.iter().fold(first.clone(), |merged, next| self.pair(recorder, &merged, next, 1.0));
        vec![self.pair(recorder, &before, last, divisor)]
    }
}

/// Sequences of any length must have the same one where they meet.
pub(super) fn same_steps(recorder: &mut Recorder, class: &str, inputs: &[Tensor]) {
    let steps: Vec<usize> = inputs.iter().map(|input| input.steps.unwrap_or(ANY_LENGTH)).collect();
    if steps.windows(2).any(|pair| pair[0] != pair[1]) {
        recorder.plan.fail(format!("{class} takes sequences of one length, but gets {steps:?} steps"));
    }
}

/// The mask of rows that count in either; none where one has none.
pub(super) fn either(recorder: &mut Recorder, a: &Tensor, b: &Tensor) -> Option<Slot> {
    let (mask_a, mask_b) = (a.mask.clone()?, b.mask.clone()?);
    if mask_a == mask_b {
        return Some(mask_a);
    }
    let y = recorder.plan.scratch("mask", &[a.steps.unwrap_or(1), recorder.samples]);
    let kernel = kernels::Merge { rows: recorder.rows(a) as u32, features: 1, divisor: 1.0 };
    let slots = MergeSlots { a: mask_a, b: mask_b, mask_a: None, mask_b: None, y: y.clone() };
    kernel.record_whole(merge_op::MAXIMUM, &mut recorder.plan, &slots);
    Some(y)
}

impl Merge {
    /// Records (a OP b) / divisor.
    fn pair(self, recorder: &mut Recorder, a: &Tensor, b: &Tensor, divisor: f32) -> Tensor {
        let (rows, features) = (recorder.rows(a) as u32, a.features);
        let mut y = recorder.new_tensor("output", a.steps, features, a.differentiable || b.differentiable);
        let slots = MergeSlots {
            a: a.slot.clone(),
            b: b.slot.clone(),
            mask_a: self.heeded(a),
            mask_b: self.heeded(b),
            y: y.slot.clone(),
        };
        let kernel = kernels::Merge { rows, features: features as u32, divisor };
        kernel.record_whole(self.op(), &mut recorder.plan, &slots);
        y.mask = either(recorder, a, b);
        let (result, a, b) = (y.clone(), a.clone(), b.clone());
        recorder.on_backward(move |recorder| {
            let Some(dy) = recorder.gradient(&y) else { return };
            let negative = if self == Merge::Subtract { -divisor } else { divisor };
            for (one, other, first, divisor) in [(&a, &b, 1, divisor), (&b, &a, 0, negative)] {
                if !one.differentiable {
                    continue;
                }
                let (da, accumulate) = recorder.gradient_target(one);
                let slots = MergeGradSlots {
                    a: one.slot.clone(),
                    b: other.slot.clone(),
                    mask_a: self.heeded(one),
                    mask_b: self.heeded(other),
                    dy: dy.clone(),
                    da,
                };
                let kernel =
                    MergeGrad { rows, features: features as u32, divisor, first, accumulate: accumulate.into() };
                kernel.record_whole(self.op(), &mut recorder.plan, &slots);
            }
        });
        result
    }
}
