//! The LSTM with layer normalisation in its recurrence.

use serde_json::{Map, Value, json};

use super::initializer::Initializer;
use super::layer::{Layer, Layout, Shape, VariableSpec, features, single};
use super::normed_lstm::{Norm, Run};
use super::recorder::{Recorder, Tensor};
use super::row_norm::RowNorm;
use super::weight_args::RecurrentArgs;
use crate::error::{Error, Result};

/// An LSTM whose two products and whose cell state are layer-normalised in each time step (Ba et al. 2016).
///
/// z = LN(x·kernel; gamma_x) + LN(h·recurrent_kernel; gamma_h) + bias, gates i, f, c, o; c' = σ(f) c + σ(i) tanh(z_c);
/// h' = σ(o) tanh(LN(c'; gamma_c, beta_c)). Mean and biased variance are taken over the features of each sample, of all gates
/// together, alike in training and inference. Input `[T, F]`; output `[units]`, or `[T, units]` with `return_sequences`. Masked
/// sequences are refused.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerNormLstm {
    units: usize,
    return_sequences: bool,
    epsilon: f64,
    /// Whether it was made of an LSTM with options that it does not have.
    other_options: bool,
}

impl LayerNormLstm {
    /// This many units; epsilon is 1e-3, as in Keras's LayerNormalization.
    pub fn new(units: usize) -> Self {
        LayerNormLstm { units, return_sequences: false, epsilon: 1e-3, other_options: false }
    }

    /// The same refused when it is built.
    pub(super) fn of_other_options(self) -> Self {
        LayerNormLstm { other_options: true, ..self }
    }

    /// Whether every time step's output is given, or only the last one's (the default).
    pub fn return_sequences(self, return_sequences: bool) -> Self {
        LayerNormLstm { return_sequences, ..self }
    }

    /// What is added to variances.
    pub fn epsilon(self, epsilon: f64) -> Self {
        LayerNormLstm { epsilon, ..self }
    }
}

impl Layer for LayerNormLstm {
    fn class_name(&self) -> &'static str {
        "LayerNormLSTM"
    }

    fn in_keras(&self) -> bool {
        false
    }

    fn config(&self) -> Map<String, Value> {
        let config = json!({ "units": self.units, "return_sequences": self.return_sequences, "epsilon": self.epsilon });
        config.as_object().cloned().unwrap_or_default()
    }

    fn output_shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        let input = single("LayerNormLSTM", inputs)?;
        if self.other_options {
            return Err(Error::usage(
                "LayerNormLSTM has of an LSTM's options only units and return_sequences: leave the others out",
            ));
        }
        if self.units == 0 || !(self.epsilon > 0.0 && self.epsilon.is_finite()) {
            let (units, epsilon) = (self.units, self.epsilon);
            return Err(Error::usage(format!(
                "LayerNormLSTM needs units >= 1 and an epsilon above 0, not {units} and {epsilon}"
            )));
        }
        match input {
            [steps, _] => Ok(vec![if self.return_sequences { vec![*steps, self.units] } else { vec![self.units] }]),
            other => Err(Error::usage(format!("LayerNormLSTM takes sequences [steps, features], but gets {other:?}"))),
        }
    }

    fn variables(&self, inputs: &[Shape]) -> Vec<VariableSpec> {
        let (units, width) = (self.units, 4 * self.units);
        let gates =
            |name, shape: &[usize], initializer| VariableSpec::new(name, shape, initializer).laid_out(Layout::LSTM);
        let forget = Initializer::UnitForgetBias(4, Box::new(Initializer::Zeros));
        vec![
            gates("kernel", &[features(inputs), width], RecurrentArgs::KERNEL),
            gates("recurrent_kernel", &[units, width], RecurrentArgs::RECURRENT),
            gates("bias", &[width], forget),
            gates("gamma_x", &[width], Initializer::Ones),
            gates("gamma_h", &[width], Initializer::Ones),
            VariableSpec::new("gamma_c", &[units], Initializer::Ones),
            VariableSpec::new("beta_c", &[units], Initializer::Zeros),
        ]
    }

    fn record(&self, recorder: &mut Recorder, inputs: &[Tensor]) -> Vec<Tensor> {
        let [input] = inputs else { return Vec::new() };
        if input.mask.is_some() {
            recorder.plan.fail(
                "a LayerNormLSTM does not know masked steps: leave Masking out in front of it, or use an LSTM"
                    .to_owned(),
            );
        }
        let (samples, rows) = (recorder.samples, recorder.rows(input));
        let parts =
            [("x", 4 * self.units, Some("bias")), ("h", 4 * self.units, None), ("c", self.units, Some("beta_c"))];
        let norms = parts.map(|(part, width, beta)| {
            let (gamma, beta) = (Some(format!("gamma_{part}")), beta.map(str::to_owned));
            let norm = RowNorm::new(recorder, [rows, width], gamma, beta, self.epsilon);
            Norm::Layer { norm, samples, sums: recorder.plan.scratch("sums", &[rows, 2]) }
        });
        vec![Run::record(recorder, input, self.units, self.return_sequences, norms)]
    }
}
