//! The Dense layer.

use serde_json::{Map, Value, json};

use super::activate::activate;
use super::activation::Activation;
use super::initializer::Initializer;
use super::layer::{Layer, Shape, VariableSpec, features, single};
use super::products::{bias_gradient, input_gradient, project, weight_gradient};
use super::recorder::{Recorder, Tensor};
use crate::error::{Error, Result};

/// activation(x·kernel + bias) over the last axis, as Keras's `Dense`. Input `[F]` or `[T, F]`, output `[units]` or `[T, units]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    units: usize,
    activation: Activation,
    use_bias: bool,
}

impl Dense {
    /// A linear layer of this many outputs.
    pub fn new(units: usize) -> Self {
        Dense { units, activation: Activation::Linear, use_bias: true }
    }

    /// What is applied to the result.
    pub fn activation(self, activation: Activation) -> Self {
        Dense { activation, ..self }
    }

    /// Whether there is a bias (the default).
    pub fn use_bias(self, use_bias: bool) -> Self {
        Dense { use_bias, ..self }
    }
}

impl Layer for Dense {
    fn class_name(&self) -> &'static str {
        "Dense"
    }

    fn config(&self) -> Map<String, Value> {
        let config = json!({ "units": self.units, "activation": self.activation.name(), "use_bias": self.use_bias });
        config.as_object().cloned().unwrap_or_default()
    }

    fn output_shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        match single("Dense", inputs)? {
            _ if self.units == 0 => Err(Error::usage("Dense needs units >= 1")),
            [rest @ .., _] => Ok(vec![[rest, &[self.units]].concat()]),
            [] => Err(Error::usage("Dense takes [features] or [steps, features], but gets a single number")),
        }
    }

    fn variables(&self, inputs: &[Shape]) -> Vec<VariableSpec> {
        let kernel = VariableSpec::new("kernel", &[features(inputs), self.units], Initializer::GlorotUniform);
        let bias = self.use_bias.then(|| VariableSpec::new("bias", &[self.units], Initializer::Zeros));
        std::iter::once(kernel).chain(bias).collect()
    }

    fn record(&self, recorder: &mut Recorder, inputs: &[Tensor]) -> Vec<Tensor> {
        let [input] = inputs else { return Vec::new() };
        let shape = [recorder.rows(input), input.features, self.units];
        let (kernel, bias) = (recorder.variable("kernel"), self.use_bias.then(|| recorder.variable("bias")));
        let mut z = recorder.new_tensor("z", input.steps, self.units, true);
        z.mask = input.mask.clone();
        project(&mut recorder.plan, shape, &input.slot, &kernel, bias.as_ref(), &z.slot);
        let (x, dz_of, use_bias) = (input.clone(), z.clone(), self.use_bias);
        recorder.on_backward(move |recorder| {
            let Some(dz) = recorder.gradient(&dz_of) else { return };
            if let Some((dw, accumulate)) = recorder.variable_gradient("kernel") {
                weight_gradient(&mut recorder.plan, shape, &x.slot, &dz, (&dw, accumulate));
            }
            if let Some((db, accumulate)) = use_bias.then(|| recorder.variable_gradient("bias")).flatten() {
                bias_gradient(&mut recorder.plan, [shape[0], shape[2]], &dz, (&db, accumulate));
            }
            if x.differentiable {
                let (dx, accumulate) = recorder.gradient_target(&x);
                input_gradient(&mut recorder.plan, shape, &dz, &kernel, (&dx, accumulate));
            }
        });
        match self.activation {
            Activation::Linear => vec![z],
            activation => vec![activate(recorder, activation, z)],
        }
    }
}
