//! The Concatenate layer.

use serde_json::{Map, Value, json};

use super::layer::{ANY_LENGTH, Layer, Shape, VariableSpec};
use super::merge::{either, same_steps};
use super::recorder::{Recorder, Tensor};
use crate::error::{Error, Result};
use crate::kernels::{Copy, CopySlots, Fill, FillSlots, Rearrange, RearrangeSlots, Strides};
use crate::plan::{Plan, Slot};

/// Puts tensors one behind the other along an axis, as Keras's `Concatenate`: their features (the last axis, the default), or
/// the steps of sequences.
///
/// Along the features a step counts where it counts in any input; an input without a mask counts everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concatenate {
    axis: i64,
}

impl Default for Concatenate {
    fn default() -> Self {
        Concatenate { axis: -1 }
    }
}

/// What an axis is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Axis {
    Steps,
    Features,
}

impl Concatenate {
    /// Along the last axis.
    pub fn new() -> Self {
        Self::default()
    }

    /// Along this axis; 0 is the batch's, and negative ones count from the end.
    pub fn axis(self, axis: i64) -> Self {
        Concatenate { axis }
    }

    /// What the axis is in tensors of this shape.
    fn of(&self, shape: &[usize]) -> Result<Axis> {
        let rank = shape.len() as i64 + 1;
        match if self.axis < 0 { self.axis + rank } else { self.axis } {
            axis if axis == rank - 1 => Ok(Axis::Features),
            1 => Ok(Axis::Steps),
            _ => Err(Error::usage(format!(
                "Concatenate has the axis {}, but of inputs {shape:?} with the batch axis before them it takes 1 to {}",
                self.axis,
                rank - 1
            ))),
        }
    }
}

impl Layer for Concatenate {
    fn class_name(&self) -> &'static str {
        "Concatenate"
    }

    fn config(&self) -> Map<String, Value> {
        json!({ "axis": self.axis }).as_object().cloned().unwrap_or_default()
    }

    fn output_shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        let [first, rest @ ..] = inputs else { return Err(Error::usage("Concatenate takes two inputs or more")) };
        if rest.is_empty() {
            return Err(Error::usage("Concatenate takes two inputs or more, but gets 1"));
        }
        let axis = self.of(first)?;
        // Where along the axis itself sizes may differ.
        let others = |shape: &Shape| match axis {
            Axis::Features => shape[..shape.len() - 1].to_vec(),
            Axis::Steps => shape[1..].to_vec(),
        };
        if rest.iter().any(|shape| shape.len() != first.len() || others(shape) != others(first)) {
            return Err(Error::usage(format!(
                "Concatenate takes inputs that differ along axis {} alone, but gets {inputs:?}",
                self.axis
            )));
        }
        let sizes = inputs.iter().map(|shape| shape[if axis == Axis::Steps { 0 } else { shape.len() - 1 }]);
        let any = sizes.clone().any(|size| size == ANY_LENGTH);
        let size = if any { ANY_LENGTH } else { sizes.sum() };
        Ok(vec![match axis {
            Axis::Features => [others(first), vec![size]].concat(),
            Axis::Steps => [vec![size], others(first)].concat(),
        }])
    }

    fn variables(&self, _: &[Shape]) -> Vec<VariableSpec> {
        Vec::new()
    }

    fn record(&self, recorder: &mut Recorder, inputs: &[Tensor]) -> Vec<Tensor> {
        let Some(first) = inputs.first() else { return Vec::new() };
        let shape: Vec<usize> = first.steps.into_iter().chain([first.features]).collect();
        match self.of(&shape) {
            Ok(Axis::Features) => vec![features(recorder, inputs)],
            Ok(Axis::Steps) => vec![steps(recorder, inputs)],
            Err(error) => {
                recorder.plan.fail(error.to_string());
                Vec::new()
            }
        }
    }
}

/// Where each input begins along the axis, and what they add up to.
fn begins(sizes: impl Iterator<Item = usize>) -> (Vec<usize>, usize) {
    let ends = sizes.scan(0, |end, size| {
        *end += size;
        Some((*end - size, *end))
    });
    let (begins, ends): (Vec<usize>, Vec<usize>) = ends.unzip();
    (begins, ends.last().copied().unwrap_or(0))
}

fn features(recorder: &mut Recorder, inputs: &[Tensor]) -> Tensor {
    same_steps(recorder, "Concatenate", inputs);
    let (begins, width) = begins(inputs.iter().map(|input| input.features));
    let differentiable = inputs.iter().any(|input| input.differentiable);
    let mut output = recorder.new_tensor("output", inputs[0].steps, width, differentiable);
    let rows = recorder.rows(&output);
    for (input, &begin) in inputs.iter().zip(&begins) {
        let (x, out) = ((&input.slot, input.features, 0), (&output.slot, width, begin));
        copy_columns(&mut recorder.plan, [rows, input.features], x, out, false);
    }
    output.mask = mask_of_any(recorder, inputs);
    let (result, inputs) = (output.clone(), inputs.to_vec());
    recorder.on_backward(move |recorder| {
        let Some(dy) = recorder.gradient(&output) else { return };
        for (input, &begin) in inputs.iter().zip(&begins).filter(|(input, _)| input.differentiable) {
            let (dx, accumulate) = recorder.gradient_target(input);
            let (x, out) = ((&dy, width, begin), (&dx, input.features, 0));
            copy_columns(&mut recorder.plan, [rows, input.features], x, out, accumulate);
        }
    });
    result
}

/// Copies `columns` columns of a matrix into another; each is given with its width and where the columns begin.
fn copy_columns(
    plan: &mut Plan,
    [rows, columns]: [usize; 2],
    (x, x_width, x_at): (&Slot, usize, usize),
    (out, out_width, out_at): (&Slot, usize, usize),
    accumulate: bool,
) {
    for part in plan.row_chunks(rows, &[x_width, out_width]) {
        let strides = |at, width| Strides { at, by: [width, 1, 0] };
        let slots = RearrangeSlots { x: x.rows(part.clone(), x_width), out: out.rows(part.clone(), out_width) };
        let strides = (strides(x_at, x_width), strides(out_at, out_width));
        Rearrange::record([part.len(), columns, 1], strides, accumulate, plan, slots);
    }
}

/// Where any of the inputs counts. Behind one without a mask all steps count, which is a mask all the same, as in Keras.
fn mask_of_any(recorder: &mut Recorder, inputs: &[Tensor]) -> Option<Slot> {
    inputs.iter().find(|input| input.mask.is_some())?;
    let mut joined = inputs[0].clone();
    for input in &inputs[1..] {
        joined.mask = either(recorder, &joined, input);
    }
    if joined.mask.is_none() {
        let ones = recorder.plan.scratch("mask", &[joined.steps.unwrap_or(1), recorder.samples]);
        Fill::record(1.0, &mut recorder.plan, FillSlots { out: ones.clone() });
        joined.mask = Some(ones);
    }
    joined.mask
}

fn steps(recorder: &mut Recorder, inputs: &[Tensor]) -> Tensor {
    let (begins, total) = begins(inputs.iter().map(|input| input.steps.unwrap_or(1)));
    let features = inputs[0].features;
    let differentiable = inputs.iter().any(|input| input.differentiable);
    let mut output = recorder.new_tensor("output", Some(total), features, differentiable);
    let row = recorder.samples;
    let part = move |whole: &Slot, input: &Tensor, begin: usize, width: usize| {
        whole.rows(begin * row..(begin + input.steps.unwrap_or(1)) * row, width)
    };
    for (input, &begin) in inputs.iter().zip(&begins) {
        copy(&mut recorder.plan, features, false, &input.slot, &part(&output.slot, input, begin, features));
    }
    if inputs.iter().any(|input| input.mask.is_some()) {
        let mask = recorder.plan.scratch("mask", &[total, row]);
        for (input, &begin) in inputs.iter().zip(&begins) {
            let out = part(&mask, input, begin, 1);
            match &input.mask {
                Some(x) => copy(&mut recorder.plan, 1, false, x, &out),
                None => Fill::record(1.0, &mut recorder.plan, FillSlots { out }),
            }
        }
        output.mask = Some(mask);
    }
    let (result, inputs) = (output.clone(), inputs.to_vec());
    recorder.on_backward(move |recorder| {
        let Some(dy) = recorder.gradient(&output) else { return };
        for (input, &begin) in inputs.iter().zip(&begins).filter(|(input, _)| input.differentiable) {
            let (dx, accumulate) = recorder.gradient_target(input);
            copy(&mut recorder.plan, features, accumulate, &part(&dy, input, begin, features), &dx);
        }
    });
    result
}

/// Copies rows to rows, in as many runs as bindings need.
fn copy(plan: &mut Plan, width: usize, accumulate: bool, x: &Slot, out: &Slot) {
    for part in plan.row_chunks(x.len / width, &[width]) {
        let slots = CopySlots { x: x.rows(part.clone(), width), out: out.rows(part, width) };
        Copy::record(accumulate, plan, slots);
    }
}
