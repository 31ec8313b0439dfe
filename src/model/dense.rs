//! The Dense layer.

use serde_json::{Map, Value, json};

use super::activate::activate;
use super::activation::Activation;
use super::initializer::Initializer;
use super::layer::{Layer, Shape, VariableSpec, features, single};
use super::products::{bias_gradient, input_gradient, project, weight_gradient};
use super::recorder::{Recorder, Tensor};
use super::regularizer::Regularizer;
use super::weight_args::{WeightArgs, weight_setters, write_activity_regularizer};
use crate::error::{Error, Result};

/// activation(x·kernel + bias) over the last axis, as Keras's `Dense`. Input `[F]` or `[T, F]`, output `[units]` or `[T, units]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    units: usize,
    activation: Activation,
    use_bias: bool,
    pub(crate) kernel: WeightArgs,
    pub(crate) bias: WeightArgs,
    pub(crate) activity_regularizer: Option<Regularizer>,
}

impl Dense {
    /// Keras's default of `kernel_initializer`.
    pub(crate) const KERNEL: Initializer = Initializer::GlorotUniform;
    /// Keras's default of `bias_initializer`.
    pub(crate) const BIAS: Initializer = Initializer::Zeros;

    /// A linear layer of this many outputs.
    pub fn new(units: usize) -> Self {
        Dense {
            units,
            activation: Activation::Linear,
            use_bias: true,
            kernel: WeightArgs::new(Self::KERNEL),
            bias: WeightArgs::new(Self::BIAS),
            activity_regularizer: None,
        }
    }

    /// What is applied to the result.
    pub fn activation(self, activation: Activation) -> Self {
        Dense { activation, ..self }
    }

    /// Whether there is a bias (the default).
    pub fn use_bias(self, use_bias: bool) -> Self {
        Dense { use_bias, ..self }
    }

    /// What is added to the loss for the outputs (nothing by default).
    pub fn activity_regularizer(self, regularizer: Regularizer) -> Self {
        Dense { activity_regularizer: Some(regularizer), ..self }
    }

    weight_setters! {
        kernel: kernel_initializer, kernel_regularizer, kernel_constraint;
        bias: bias_initializer, bias_regularizer, bias_constraint;
    }
}

impl Layer for Dense {
    fn class_name(&self) -> &'static str {
        "Dense"
    }

    fn config(&self) -> Map<String, Value> {
        let config = json!({ "units": self.units, "activation": self.activation.name(), "use_bias": self.use_bias });
        let mut config = config.as_object().cloned().unwrap_or_default();
        self.kernel.write("kernel", &Self::KERNEL, &mut config);
        self.bias.write("bias", &Self::BIAS, &mut config);
        write_activity_regularizer(self.activity_regularizer, &mut config);
        config
    }

    fn output_shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        self.activity_regularizer.iter().try_for_each(Regularizer::check)?;
        match single("Dense", inputs)? {
            _ if self.units == 0 => Err(Error::usage("Dense needs units >= 1")),
            [rest @ .., _] => Ok(vec![[rest, &[self.units]].concat()]),
            [] => Err(Error::usage("Dense takes [features] or [steps, features], but gets a single number")),
        }
    }

    fn variables(&self, inputs: &[Shape]) -> Vec<VariableSpec> {
        let kernel = self.kernel.variable("kernel", &[features(inputs), self.units]);
        let bias = self.use_bias.then(|| self.bias.variable("bias", &[self.units]));
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
        let output = match self.activation {
            Activation::Linear => z,
            activation => activate(recorder, activation, z),
        };
        let outputs = vec![output];
        recorder.regularize_activity(self.activity_regularizer, &outputs);
        outputs
    }
}
