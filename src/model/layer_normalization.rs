//! The LayerNormalization layer.

use serde_json::{Map, Value, json};

use super::initializer::Initializer;
use super::layer::{Layer, Shape, VariableSpec, features, single};
use super::recorder::{Recorder, Tensor};
use super::row_norm::RowNorm;
use super::weight_args::{WeightArgs, weight_setters};
use crate::error::{Error, Result};

/// Layer normalisation (Ba et al. 2016) over the last axis, as Keras's `LayerNormalization`: each sample's features, of a sequence
/// each step's, get mean 0 and variance 1, then gamma multiplies and beta is added. Training and inference are the same. Input and
/// output `[F]` or `[T, F]`; masks are passed on.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerNormalization {
    epsilon: f64,
    center: bool,
    scale: bool,
    pub(crate) beta: WeightArgs,
    pub(crate) gamma: WeightArgs,
}

impl Default for LayerNormalization {
    fn default() -> Self {
        LayerNormalization {
            epsilon: 1e-3,
            center: true,
            scale: true,
            beta: WeightArgs::new(Self::BETA),
            gamma: WeightArgs::new(Self::GAMMA),
        }
    }
}

impl LayerNormalization {
    /// Keras's default of `beta_initializer`.
    pub(crate) const BETA: Initializer = Initializer::Zeros;
    /// Keras's default of `gamma_initializer`.
    pub(crate) const GAMMA: Initializer = Initializer::Ones;

    /// Keras's defaults: epsilon 1e-3, beta and gamma.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is added to the variance.
    pub fn epsilon(self, epsilon: f64) -> Self {
        LayerNormalization { epsilon, ..self }
    }

    /// Whether beta is added.
    pub fn center(self, center: bool) -> Self {
        LayerNormalization { center, ..self }
    }

    /// Whether gamma multiplies.
    pub fn scale(self, scale: bool) -> Self {
        LayerNormalization { scale, ..self }
    }

    weight_setters! {
        beta: beta_initializer, beta_regularizer, beta_constraint;
        gamma: gamma_initializer, gamma_regularizer, gamma_constraint;
    }
}

impl Layer for LayerNormalization {
    fn class_name(&self) -> &'static str {
        "LayerNormalization"
    }

    fn config(&self) -> Map<String, Value> {
        let config = json!({ "axis": -1, "epsilon": self.epsilon, "center": self.center, "scale": self.scale });
        let mut config = config.as_object().cloned().unwrap_or_default();
        self.beta.write("beta", &Self::BETA, &mut config);
        self.gamma.write("gamma", &Self::GAMMA, &mut config);
        config
    }

    fn output_shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        let input = single("LayerNormalization", inputs)?;
        if !(self.epsilon > 0.0 && self.epsilon.is_finite()) {
            return Err(Error::usage(format!("LayerNormalization needs an epsilon above 0, not {}", self.epsilon)));
        }
        match input {
            [] => {
                Err(Error::usage("LayerNormalization takes [features] or [steps, features], but gets a single number"))
            }
            shape => Ok(vec![shape.to_vec()]),
        }
    }

    fn variables(&self, inputs: &[Shape]) -> Vec<VariableSpec> {
        let shape = [features(inputs)];
        let gamma = self.scale.then(|| self.gamma.variable("gamma", &shape));
        let beta = self.center.then(|| self.beta.variable("beta", &shape));
        gamma.into_iter().chain(beta).collect()
    }

    fn record(&self, recorder: &mut Recorder, inputs: &[Tensor]) -> Vec<Tensor> {
        let [input] = inputs else { return Vec::new() };
        let rows = recorder.rows(input);
        let name = |there: bool, name: &str| there.then(|| name.to_owned());
        let (gamma, beta) = (name(self.scale, "gamma"), name(self.center, "beta"));
        let norm = RowNorm::new(recorder, [rows, input.features], gamma, beta, self.epsilon);
        let differentiable = input.differentiable || (recorder.trainable && (self.center || self.scale));
        let mut output = recorder.new_tensor("output", input.steps, input.features, differentiable);
        output.mask = input.mask.clone();
        norm.forward(&mut recorder.plan, 0..rows, &input.slot, (&output.slot, false));
        let (input, result) = (input.clone(), output.clone());
        recorder.on_backward(move |recorder| {
            let Some(dy) = recorder.gradient(&output) else { return };
            norm.variable_gradients(recorder, &input.slot, &dy);
            if input.differentiable {
                let sums = recorder.plan.scratch("row_sums", &[rows, 2]);
                let (dx, accumulate) = recorder.gradient_target(&input);
                norm.backward(&mut recorder.plan, 0..rows, [&input.slot, &dy, &sums], (&dx, accumulate));
            }
        });
        vec![result]
    }
}
