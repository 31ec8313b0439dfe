//! The LSTM with batch normalisation in its recurrence.

use serde_json::{Map, Value, json};

use super::initializer::Initializer;
use super::layer::{Layer, Layout, Shape, VariableSpec, features, single};
use super::normed_lstm::{Norm, Run};
use super::recorder::{Recorder, Tensor};
use super::step_norm::StepNorm;
use crate::error::{Error, Result};

/// An LSTM whose two products and whose cell state are batch-normalised in each time step (Cooijmans et al. 2016).
///
/// z = BN(x·kernel; gamma_x) + BN(h·recurrent_kernel; gamma_h) + bias, gates i, f, c, o; c' = σ(f) c + σ(i) tanh(z_c);
/// h' = σ(o) tanh(BN(c'; gamma_c, beta_c)). Mean and biased variance are taken over the batch, of each time step on its own;
/// gradients go through them. The moving ones are kept for the first `max_steps` steps; later steps use the last one's in
/// inference. Input `[T, F]`; output `[units]`, or `[T, units]` with `return_sequences`. Masked sequences are refused.
#[derive(Clone, Debug, PartialEq)]
pub struct RecurrentBatchNormLstm {
    units: usize,
    max_steps: usize,
    return_sequences: bool,
    momentum: f64,
    epsilon: f64,
    /// Whether it was made of an LSTM with options that it does not have.
    other_options: bool,
}

impl RecurrentBatchNormLstm {
    /// This many units, with moving statistics for this many time steps; momentum 0.99 and epsilon 1e-3, as in Keras's
    /// BatchNormalization.
    pub fn new(units: usize, max_steps: usize) -> Self {
        RecurrentBatchNormLstm {
            units,
            max_steps,
            return_sequences: false,
            momentum: 0.99,
            epsilon: 1e-3,
            other_options: false,
        }
    }

    /// The same refused when it is built.
    pub(super) fn of_other_options(self) -> Self {
        RecurrentBatchNormLstm { other_options: true, ..self }
    }

    /// Whether every time step's output is given, or only the last one's (the default).
    pub fn return_sequences(self, return_sequences: bool) -> Self {
        RecurrentBatchNormLstm { return_sequences, ..self }
    }

    /// How much of the moving statistics stays at each training step.
    pub fn momentum(self, momentum: f64) -> Self {
        RecurrentBatchNormLstm { momentum, ..self }
    }

    /// What is added to variances.
    pub fn epsilon(self, epsilon: f64) -> Self {
        RecurrentBatchNormLstm { epsilon, ..self }
    }
}

/// The gammas begin here, so that tanh is not saturated (Cooijmans et al. 2016, section 4).
const FIRST_GAMMA: Initializer = Initializer::Constant(0.1);

impl Layer for RecurrentBatchNormLstm {
    fn class_name(&self) -> &'static str {
        "RecurrentBatchNormLSTM"
    }

    fn in_keras(&self) -> bool {
        false
    }

    fn config(&self) -> Map<String, Value> {
        let config = json!({
            "units": self.units,
            "max_steps": self.max_steps,
            "return_sequences": self.return_sequences,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
        });
        config.as_object().cloned().unwrap_or_default()
    }

    fn output_shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        let input = single("RecurrentBatchNormLSTM", inputs)?;
        if self.other_options {
            return Err(Error::usage(
                "RecurrentBatchNormLSTM has of an LSTM's options only units and return_sequences: leave the others out",
            ));
        }
        if self.units == 0 || self.max_steps == 0 {
            return Err(Error::usage("RecurrentBatchNormLSTM needs units >= 1 and max_steps >= 1"));
        }
        if !((0.0..=1.0).contains(&self.momentum) && self.epsilon > 0.0 && self.epsilon.is_finite()) {
            return Err(Error::usage(format!(
                "RecurrentBatchNormLSTM needs a momentum from 0 to 1 and an epsilon above 0, not {} and {}",
                self.momentum, self.epsilon
            )));
        }
        match input {
            [steps, _] => Ok(vec![if self.return_sequences { vec![*steps, self.units] } else { vec![self.units] }]),
            other => Err(Error::usage(format!(
                "RecurrentBatchNormLSTM takes sequences [steps, features], but gets {other:?}"
            ))),
        }
    }

    fn variables(&self, inputs: &[Shape]) -> Vec<VariableSpec> {
        let (units, width, steps) = (self.units, 4 * self.units, self.max_steps);
        let gates =
            |name, shape: &[usize], initializer| VariableSpec::new(name, shape, initializer).laid_out(Layout::LSTM);
        let moving = |name, shape: &[usize], initializer| VariableSpec::new(name, shape, initializer).fixed();
        vec![
            gates("kernel", &[features(inputs), width], Initializer::GlorotUniform),
            gates("recurrent_kernel", &[units, width], Initializer::Orthogonal { gain: 1.0 }),
            gates("bias", &[width], Initializer::UnitForgetBias(4, Box::new(Initializer::Zeros))),
            gates("gamma_x", &[width], FIRST_GAMMA),
            gates("gamma_h", &[width], FIRST_GAMMA),
            VariableSpec::new("gamma_c", &[units], FIRST_GAMMA),
            VariableSpec::new("beta_c", &[units], Initializer::Zeros),
            moving("moving_mean_x", &[steps, width], Initializer::Zeros).laid_out(Layout::LSTM),
            moving("moving_variance_x", &[steps, width], Initializer::Ones).laid_out(Layout::LSTM),
            moving("moving_mean_h", &[steps, width], Initializer::Zeros).laid_out(Layout::LSTM),
            moving("moving_variance_h", &[steps, width], Initializer::Ones).laid_out(Layout::LSTM),
            moving("moving_mean_c", &[steps, units], Initializer::Zeros),
            moving("moving_variance_c", &[steps, units], Initializer::Ones),
        ]
    }

    fn record(&self, recorder: &mut Recorder, inputs: &[Tensor]) -> Vec<Tensor> {
        let [input] = inputs else { return Vec::new() };
        if input.mask.is_some() {
            recorder.plan.fail(
                "a RecurrentBatchNormLSTM does not know masked steps: leave Masking out in front of it, or use an LSTM"
                    .to_owned(),
            );
        }
        let shape = [input.steps.unwrap_or(1), recorder.samples];
        let norms = [("x", Some("bias")), ("h", None), ("c", Some("beta_c"))]
            .map(|(part, beta)| Norm::Batch(StepNorm::new(recorder, part, beta, shape, self.momentum, self.epsilon)));
        vec![Run::record(recorder, input, self.units, self.return_sequences, norms)]
    }
}
