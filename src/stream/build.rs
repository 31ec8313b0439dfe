//! From a model to a predictor: which layers can take one row at a time.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::Predictor;
use super::layers::{Recurrent, Stage};
use crate::error::{Error, Result};
use crate::model::{Activation, Normalization};
use crate::train::Model;

impl Model {
    /// The model with its weights as they are, for rows that come one by one.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if the model is no chain of layers, or has one that must see other rows than those before: a Bidirectional or one with
    /// `go_backwards`, pooling, Flatten, ...; it is named. [`Error::Device`] if the weights cannot be read.
    pub fn predictor(&mut self) -> Result<Predictor> {
        let weights = self.weights()?.into_iter().map(|weight| (weight.path, weight.values)).collect();
        let network = self.network();
        let features = network.input_shape().last().copied().unwrap_or(1);
        let mut parts = Parts { weights, layer: String::new() };
        let (mut stages, mut value, mut width) = (Vec::new(), 0, features);
        for call in &network.calls {
            let ([input], [output]) = (&call.inputs[..], &call.outputs[..]) else {
                return Err(not_a_chain(&network.layers[call.layer].name));
            };
            if *input != value {
                return Err(not_a_chain(&network.layers[call.layer].name));
            }
            let named = &network.layers[call.layer];
            parts.layer.clone_from(&named.name);
            if let Some(stage) =
                parts.stage(named.layer.class_name(), &named.layer.config(), &network.values[*input], width)?
            {
                width = stage.outputs();
                stages.push(stage);
            }
            value = *output;
        }
        match network.outputs[..] {
            [output] if output == value => Ok(Predictor::new(stages, features, width)),
            _ => Err(not_a_chain("the output")),
        }
    }
}

fn not_a_chain(at: &str) -> Error {
    Error::usage(format!(
        "`{at}` is not one of a chain of layers, each of which takes what the one before gives: rows cannot be predicted one by one"
    ))
}

/// A model's weights, and the layer that is looked at.
struct Parts {
    weights: HashMap<String, Vec<f32>>,
    layer: String,
}

impl Parts {
    /// A layer as a stage; none where it does nothing in inference.
    fn stage(
        &mut self,
        class: &str,
        config: &Map<String, Value>,
        input: &[usize],
        width: usize,
    ) -> Result<Option<Stage>> {
        Ok(Some(match class {
            "Dropout" | "SpatialDropout1D" => return Ok(None),
            "Normalization" => self.normalization(config, width),
            "BatchNormalization" => self.batch_normalization(config, input, width)?,
            "Rescaling" => {
                let [scale, offset] = ["scale", "offset"].map(|name| vec![number(config, name) as f32; width]);
                Stage::Affine { scale, offset }
            }
            "Masking" => Stage::Mask { width, value: number(config, "mask_value") as f32 },
            "Activation" => Stage::Activate { width, activation: self.activation(config, "activation")? },
            "Dense" => {
                let kernel = self.take("kernel").unwrap_or_default();
                let units = kernel.len() / width.max(1);
                let bias = self.take("bias").unwrap_or_else(|| vec![0.0; units]);
                Stage::Dense { kernel, bias, activation: self.activation(config, "activation")? }
            }
            "LSTM" => Stage::Lstm(self.recurrent(config, 4)?),
            "GRU" => Stage::Gru(self.recurrent(config, 3)?),
            other => return Err(self.refuse(&format!("a {other} needs more than the rows so far, one by one"))),
        }))
    }

    fn refuse(&self, why: &str) -> Error {
        Error::usage(format!("`{}`: {why}: rows cannot be predicted one by one", self.layer))
    }

    fn take(&mut self, variable: &str) -> Option<Vec<f32>> {
        self.weights.remove(&format!("{}/{variable}", self.layer))
    }

    fn activation(&self, config: &Map<String, Value>, name: &str) -> Result<Activation> {
        let activation = Activation::from_name(config.get(name).and_then(Value::as_str).unwrap_or("linear"))?;
        match activation.code().is_some() || activation == Activation::Softmax {
            true => Ok(activation),
            false => Err(self.refuse(&format!("the activation {}", activation.name()))),
        }
    }

    /// (x - mean) / max(σ, ε), or back.
    fn normalization(&mut self, config: &Map<String, Value>, width: usize) -> Stage {
        let mean = self.take("mean").unwrap_or_else(|| vec![0.0; width]);
        let variance = self.take("variance").unwrap_or_else(|| vec![1.0; width]);
        let deviation = variance.iter().map(|&v| f64::from(v.max(Normalization::LEAST_VARIANCE)).sqrt());
        let pairs = mean.iter().zip(deviation);
        let (scale, offset) = match is_on(config, "invert") {
            true => pairs.map(|(&m, d)| (d as f32, m)).unzip(),
            false => pairs.map(|(&m, d)| ((1.0 / d) as f32, (-f64::from(m) / d) as f32)).unzip(),
        };
        Stage::Affine { scale, offset }
    }

    /// γ (x - mean) / sqrt(variance + ε) + β with the moving statistics.
    fn batch_normalization(&mut self, config: &Map<String, Value>, input: &[usize], width: usize) -> Result<Stage> {
        let axis = config.get("axis").and_then(Value::as_i64).unwrap_or(-1);
        if axis != -1 && axis != input.len() as i64 {
            return Err(self.refuse(&format!("statistics along axis {axis}, which are of other steps")));
        }
        let [gamma, beta] =
            [("gamma", 1.0), ("beta", 0.0)].map(|(name, value)| self.take(name).unwrap_or_else(|| vec![value; width]));
        let mean = self.take("moving_mean").unwrap_or_else(|| vec![0.0; width]);
        let variance = self.take("moving_variance").unwrap_or_else(|| vec![1.0; width]);
        let epsilon = number(config, "epsilon");
        let of = |j: usize| {
            let scale = f64::from(gamma[j]) / (f64::from(variance[j]) + epsilon).sqrt();
            (scale as f32, (f64::from(beta[j]) - scale * f64::from(mean[j])) as f32)
        };
        let (scale, offset) = (0..width).map(of).unzip();
        Ok(Stage::Affine { scale, offset })
    }

    fn recurrent(&mut self, config: &Map<String, Value>, gates: usize) -> Result<Recurrent> {
        for other in ["go_backwards", "return_state", "peepholes", "coupled_gates"] {
            if is_on(config, other) {
                return Err(self.refuse(&format!("it has {other}")));
            }
        }
        let units = number(config, "units") as usize;
        let width = gates * units;
        let mut bias = self.take("bias").unwrap_or_else(|| vec![0.0; width]);
        let resets_after = gates == 3 && is_on(config, "reset_after");
        // One for x and one for h, if there are two.
        let of_h = if bias.len() > width { bias.split_off(width) } else { vec![0.0; width] };
        Ok(Recurrent {
            units,
            kernel: self.take("kernel").unwrap_or_default(),
            recurrent: self.take("recurrent_kernel").unwrap_or_default(),
            bias,
            recurrent_bias: resets_after.then_some(of_h),
            activation: self.activation(config, "activation")?,
            recurrent_activation: self.activation(config, "recurrent_activation")?,
            zero_for_mask: is_on(config, "zero_output_for_mask"),
            h: vec![0.0; units],
            c: vec![0.0; units],
            gates: vec![0.0; width],
            of_h: vec![0.0; width],
        })
    }
}

fn is_on(config: &Map<String, Value>, name: &str) -> bool {
    config.get(name).and_then(Value::as_bool).unwrap_or(false)
}

fn number(config: &Map<String, Value>, name: &str) -> f64 {
    config.get(name).and_then(Value::as_f64).unwrap_or(0.0)
}
