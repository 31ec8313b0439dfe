//! The Normalization layer.

use serde_json::{Map, Value, json};

use super::initializer::Initializer;
use super::layer::{Layer, Shape, VariableSpec, features, single};
use super::recorder::{Recorder, Tensor};
use crate::error::{Error, Result};
use crate::kernels::{
    BatchNormApply, BatchNormApplySlots, BatchNormGrad, BatchNormGradSlots, BatchNormTask, Statistics,
};

/// Scales every feature by a fixed mean and variance, (x - mean) / sqrt(variance), as Keras's `Normalization`; at a model's front it
/// makes the model take raw values.
///
/// Its variables `mean` and `variance` are not trained; a variance below 1e-14 counts as 1e-14, as in Keras.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Normalization;

impl Normalization {
    /// A layer with mean 0 and variance 1 until they are set.
    pub fn new() -> Self {
        Normalization
    }

    /// Keras divides by max(sqrt(variance), 1e-7).
    pub const LEAST_VARIANCE: f32 = 1e-14;
}

impl Layer for Normalization {
    fn class_name(&self) -> &'static str {
        "Normalization"
    }

    fn config(&self) -> Map<String, Value> {
        let config = json!({ "axis": [-1], "mean": null, "variance": null });
        config.as_object().cloned().unwrap_or_default()
    }

    fn output_shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        match single("Normalization", inputs)? {
            [] => Err(Error::usage("Normalization takes [features] or [steps, features], but gets a single number")),
            shape => Ok(vec![shape.to_vec()]),
        }
    }

    fn variables(&self, inputs: &[Shape]) -> Vec<VariableSpec> {
        let variable = |name, initializer| VariableSpec::new(name, &[features(inputs)], initializer).fixed();
        vec![variable("mean", Initializer::Zeros), variable("variance", Initializer::Ones)]
    }

    fn record(&self, recorder: &mut Recorder, inputs: &[Tensor]) -> Vec<Tensor> {
        let [input] = inputs else { return Vec::new() };
        let (mean, variance) = (recorder.variable("mean"), recorder.variable("variance"));
        let mut output = recorder.new_tensor("output", input.steps, input.features, input.differentiable);
        output.mask = input.mask.clone();
        let rows = recorder.rows(input);
        for range in recorder.plan.row_chunks(rows, &[input.features]) {
            let apply = BatchNormApply::of_rows(range.clone(), input.features, 0.0);
            let slots = BatchNormApplySlots {
                x: input.slot.rows(range.clone(), input.features),
                mean: mean.clone(),
                variance: variance.clone(),
                gamma: None,
                beta: None,
                y: output.slot.rows(range, input.features),
            };
            apply.record(&mut recorder.plan, slots);
        }
        let (input, result) = (input.clone(), output.clone());
        recorder.on_backward(move |recorder| {
            let Some(dy) = recorder.gradient(&output).filter(|_| input.differentiable) else { return };
            let (dx, accumulate) = recorder.gradient_target(&input);
            for range in recorder.plan.row_chunks(rows, &[input.features]) {
                let kernel = BatchNormGrad::of_rows(range.clone(), rows, input.features, 0.0);
                let slots = BatchNormGradSlots {
                    x: input.slot.rows(range.clone(), input.features),
                    dy: dy.rows(range.clone(), input.features),
                    mean: mean.clone(),
                    variance: variance.clone(),
                    gamma: None,
                    statistics: Statistics::Fixed,
                    task: BatchNormTask::Input(dx.rows(range, input.features)),
                };
                BatchNormGrad { accumulate: accumulate.into(), ..kernel }.record(&mut recorder.plan, slots);
            }
        });
        vec![result]
    }
}
