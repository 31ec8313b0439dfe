//! Layers that make one vector of a sequence.

use serde_json::{Map, Value, json};

use super::layer::{Layer, Shape, VariableSpec, single};
use super::recorder::{Recorder, Tensor};
use crate::error::{Error, Result};
use crate::kernels::{Pool, PoolSteps, PoolStepsGrad, PoolStepsGradSlots, PoolStepsSlots};

/// The mean over the steps of a sequence, as Keras's `GlobalAveragePooling1D`; masked steps do not count, and of none that
/// counts the mean is not a number. Input `[T, F]`, output `[F]`, or `[1, F]` with `keepdims`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GlobalAveragePooling1D {
    keepdims: bool,
}

/// The largest value over the steps of a sequence, as Keras's `GlobalMaxPooling1D`, which takes no notice of masks. Steps that
/// share it share its gradient. Input `[T, F]`, output `[F]`, or `[1, F]` with `keepdims`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GlobalMaxPooling1D {
    keepdims: bool,
}

impl GlobalAveragePooling1D {
    /// One vector of every sequence.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the result is a sequence of one step.
    pub fn keepdims(self, keepdims: bool) -> Self {
        GlobalAveragePooling1D { keepdims }
    }
}

impl GlobalMaxPooling1D {
    /// One vector of every sequence.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the result is a sequence of one step.
    pub fn keepdims(self, keepdims: bool) -> Self {
        GlobalMaxPooling1D { keepdims }
    }
}

impl Layer for GlobalAveragePooling1D {
    fn class_name(&self) -> &'static str {
        "GlobalAveragePooling1D"
    }

    fn config(&self) -> Map<String, Value> {
        config(self.keepdims)
    }

    fn output_shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        output_shapes(self.class_name(), self.keepdims, inputs)
    }

    fn variables(&self, _: &[Shape]) -> Vec<VariableSpec> {
        Vec::new()
    }

    fn record(&self, recorder: &mut Recorder, inputs: &[Tensor]) -> Vec<Tensor> {
        inputs.iter().map(|input| pool(recorder, Pool::Average, self.keepdims, input)).collect()
    }
}

impl Layer for GlobalMaxPooling1D {
    fn class_name(&self) -> &'static str {
        "GlobalMaxPooling1D"
    }

    fn config(&self) -> Map<String, Value> {
        config(self.keepdims)
    }

    fn output_shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        output_shapes(self.class_name(), self.keepdims, inputs)
    }

    fn variables(&self, _: &[Shape]) -> Vec<VariableSpec> {
        Vec::new()
    }

    fn record(&self, recorder: &mut Recorder, inputs: &[Tensor]) -> Vec<Tensor> {
        inputs.iter().map(|input| pool(recorder, Pool::Maximum, self.keepdims, input)).collect()
    }
}

fn config(keepdims: bool) -> Map<String, Value> {
    let config = json!({ "data_format": "channels_last", "keepdims": keepdims });
    config.as_object().cloned().unwrap_or_default()
}

fn output_shapes(class: &str, keepdims: bool, inputs: &[Shape]) -> Result<Vec<Shape>> {
    match single(class, inputs)? {
        [_, features] => Ok(vec![if keepdims { vec![1, *features] } else { vec![*features] }]),
        other => Err(Error::usage(format!("{class} takes sequences [steps, features], but gets {other:?}"))),
    }
}

fn pool(recorder: &mut Recorder, pool: Pool, keepdims: bool, input: &Tensor) -> Tensor {
    let shape = [input.steps.unwrap_or(1), recorder.samples, input.features];
    let mask = input.mask.clone().filter(|_| pool == Pool::Average);
    let output = recorder.new_tensor("output", keepdims.then_some(1), input.features, input.differentiable);
    let counts = recorder.plan.scratch("counts", &shape[1..]);
    let slots =
        PoolStepsSlots { x: input.slot.clone(), mask: mask.clone(), y: output.slot.clone(), counts: counts.clone() };
    PoolSteps::record_whole(pool, shape, &mut recorder.plan, slots);
    let (input, result) = (input.clone(), output.clone());
    recorder.on_backward(move |recorder| {
        let Some(dy) = recorder.gradient(&output).filter(|_| input.differentiable) else { return };
        let (dx, accumulate) = recorder.gradient_target(&input);
        let slots = PoolStepsGradSlots { x: input.slot.clone(), y: output.slot.clone(), counts, mask, dy, dx };
        PoolStepsGrad::record_whole(pool, shape, accumulate, &mut recorder.plan, slots);
    });
    result
}
