//! Layers that bring elements into another shape.

use serde_json::{Map, Value, json};

use super::layer::{ANY_LENGTH, Layer, Shape, VariableSpec, single};
use super::recorder::{Recorder, Tensor};
use crate::error::{Error, Result};
use crate::kernels::{ColumnSum, ColumnSumSlots, Rearrange, RearrangeSlots, Strides};

/// All of a sample in one vector, step by step, as Keras's `Flatten`. Input `[T, F]`, output `[T F]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flatten;

impl Flatten {
    /// As Keras's with channels last.
    pub fn new() -> Self {
        Flatten
    }
}

impl Layer for Flatten {
    fn class_name(&self) -> &'static str {
        "Flatten"
    }

    fn config(&self) -> Map<String, Value> {
        json!({ "data_format": "channels_last" }).as_object().cloned().unwrap_or_default()
    }

    fn output_shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        let input = single("Flatten", inputs)?;
        Ok(vec![vec![elements("Flatten", input)?]])
    }

    fn variables(&self, _: &[Shape]) -> Vec<VariableSpec> {
        Vec::new()
    }

    fn record(&self, recorder: &mut Recorder, inputs: &[Tensor]) -> Vec<Tensor> {
        inputs.iter().map(|input| flatten(recorder, input)).collect()
    }
}

/// The elements of a sample, row by row, in another shape, as Keras's `Reshape`: `[F]` or `[T, F]` to `[F]` or `[T, F]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reshape {
    target_shape: Vec<Option<usize>>,
}

impl Reshape {
    /// A shape without the batch axis; of one axis the size may be None, and follows from the others.
    pub fn new(target_shape: &[Option<usize>]) -> Self {
        Reshape { target_shape: target_shape.to_vec() }
    }

    /// The shape that elements of this number take.
    fn shape(&self, elements: usize) -> Option<Shape> {
        let known: usize = self.target_shape.iter().flatten().product();
        let open = self.target_shape.iter().filter(|size| size.is_none()).count();
        let left = if open == 0 { 1 } else { elements.checked_div(known)? };
        let shape: Shape = self.target_shape.iter().map(|size| size.unwrap_or(left)).collect();
        let fits = open <= 1 && matches!(shape.len(), 1 | 2) && shape.iter().product::<usize>() == elements;
        fits.then_some(shape)
    }
}

impl Layer for Reshape {
    fn class_name(&self) -> &'static str {
        "Reshape"
    }

    fn config(&self) -> Map<String, Value> {
        // Every release of Keras 3 knows -1.
        let sizes: Vec<i64> = self.target_shape.iter().map(|size| size.map_or(-1, |size| size as i64)).collect();
        json!({ "target_shape": sizes }).as_object().cloned().unwrap_or_default()
    }

    fn output_shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        let input = single("Reshape", inputs)?;
        let elements = elements("Reshape", input)?;
        let shape = self.shape(elements).ok_or_else(|| {
            Error::usage(format!(
                "Reshape has the target_shape {:?}, which must be [features] or [steps, features] of the {elements} elements of {input:?}",
                self.target_shape
            ))
        })?;
        Ok(vec![shape])
    }

    fn variables(&self, _: &[Shape]) -> Vec<VariableSpec> {
        Vec::new()
    }

    fn record(&self, recorder: &mut Recorder, inputs: &[Tensor]) -> Vec<Tensor> {
        let [input] = inputs else { return Vec::new() };
        let flat = flatten(recorder, input);
        match self.shape(flat.features).as_deref() {
            Some(&[steps, features]) => vec![unflatten(recorder, &flat, steps, features)],
            _ => vec![flat],
        }
    }
}

/// A vector as every step of a sequence, as Keras's `RepeatVector`. Input `[F]`, output `[n, F]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepeatVector {
    n: usize,
}

impl RepeatVector {
    /// A sequence of this many steps.
    pub fn new(n: usize) -> Self {
        RepeatVector { n }
    }
}

impl Layer for RepeatVector {
    fn class_name(&self) -> &'static str {
        "RepeatVector"
    }

    fn config(&self) -> Map<String, Value> {
        json!({ "n": self.n }).as_object().cloned().unwrap_or_default()
    }

    fn output_shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        match single("RepeatVector", inputs)? {
            _ if self.n == 0 => Err(Error::usage("RepeatVector needs n >= 1")),
            [features] => Ok(vec![vec![self.n, *features]]),
            other => Err(Error::usage(format!("RepeatVector takes vectors [features], but gets {other:?}"))),
        }
    }

    fn variables(&self, _: &[Shape]) -> Vec<VariableSpec> {
        Vec::new()
    }

    fn record(&self, recorder: &mut Recorder, inputs: &[Tensor]) -> Vec<Tensor> {
        let [input] = inputs else { return Vec::new() };
        let (n, samples, features) = (self.n, recorder.samples, input.features);
        let output = recorder.new_tensor("output", Some(n), features, input.differentiable);
        let strides = (Strides::new([0, features, 1]), Strides::new([samples * features, features, 1]));
        let slots = RearrangeSlots { x: input.slot.clone(), out: output.slot.clone() };
        Rearrange::record([n, samples, features], strides, false, &mut recorder.plan, slots);
        let (input, result) = (input.clone(), output.clone());
        recorder.on_backward(move |recorder| {
            let Some(dy) = recorder.gradient(&output).filter(|_| input.differentiable) else { return };
            let (dx, accumulate) = recorder.gradient_target(&input);
            let slots = ColumnSumSlots { x: dy, out: dx };
            ColumnSum::record([n, samples * features], accumulate, &mut recorder.plan, slots);
        });
        vec![result]
    }
}

/// Elements of a sample of this shape.
fn elements(class: &str, shape: &[usize]) -> Result<usize> {
    match shape {
        [ANY_LENGTH, _] => Err(Error::usage(format!("{class} needs a fixed number of steps, but gets any"))),
        shape => Ok(shape.iter().product()),
    }
}

/// `[T, N, F]` to `[N, T F]`.
fn flatten(recorder: &mut Recorder, input: &Tensor) -> Tensor {
    match input.steps {
        Some(steps) => {
            let strides = Layouts::new(steps, recorder.samples, input.features);
            let output = recorder.new_tensor("flat", None, steps * input.features, input.differentiable);
            rearrange(recorder, input, output, strides)
        }
        // A vector already; what it was made of, and its mask, end here.
        None => {
            let mut output = input.clone();
            output.mask = None;
            output
        }
    }
}

/// `[N, T F]` to `[T, N, F]`.
fn unflatten(recorder: &mut Recorder, flat: &Tensor, steps: usize, features: usize) -> Tensor {
    let strides = Layouts::new(steps, recorder.samples, features);
    let strides = Layouts { from: strides.to, to: strides.from, ..strides };
    let output = recorder.new_tensor("output", Some(steps), features, flat.differentiable);
    rearrange(recorder, flat, output, strides)
}

/// Where the elements of T, N and F lie before and after.
#[derive(Clone, Copy)]
struct Layouts {
    counts: [usize; 3],
    from: Strides,
    to: Strides,
}

impl Layouts {
    /// From sequences to vectors.
    fn new(steps: usize, samples: usize, features: usize) -> Self {
        Layouts {
            counts: [steps, samples, features],
            from: Strides::new([samples * features, features, 1]),
            to: Strides::new([features, steps * features, 1]),
        }
    }
}

fn rearrange(recorder: &mut Recorder, input: &Tensor, output: Tensor, Layouts { counts, from, to }: Layouts) -> Tensor {
    let slots = RearrangeSlots { x: input.slot.clone(), out: output.slot.clone() };
    Rearrange::record(counts, (from, to), false, &mut recorder.plan, slots);
    let (input, result) = (input.clone(), output.clone());
    recorder.on_backward(move |recorder| {
        let Some(dy) = recorder.gradient(&output).filter(|_| input.differentiable) else { return };
        let (dx, accumulate) = recorder.gradient_target(&input);
        Rearrange::record(counts, (to, from), accumulate, &mut recorder.plan, RearrangeSlots { x: dy, out: dx });
    });
    result
}
