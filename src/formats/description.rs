//! Models without weights: Keras's JSON, or a person's words.

use serde_json::Value;

use super::keras_config::{self, FromConfig};
use super::{by_hand, keras_compile};
use crate::error::{Error, Result};
use crate::exec::Device;
use crate::model::{Network, Normalization};
use crate::train::{Loss, Metric, Model, Optimizer};

/// What a model is compiled with where its description does not say.
#[derive(Clone, Debug, Default)]
pub struct Compile {
    /// What to minimise; else what fits the last layer.
    pub loss: Option<Loss>,
    /// How gradients change the weights; else Adam.
    pub optimizer: Option<Optimizer>,
    /// What is reported beside the loss.
    pub metrics: Vec<Metric>,
}

/// A model's layers and, where they are said, its loss, optimizer and metrics; no weights.
#[derive(Clone, Debug)]
pub struct Description {
    config: Value,
    by_hand: bool,
}

impl Description {
    /// Keras's JSON of a Sequential or Functional model, as `model.to_json()` gives it.
    pub fn from_json(text: &str) -> Result<Description> {
        let config = serde_json::from_str(text)
            .map_err(|e| Error::usage(format!("it is not JSON ({e}); write what `model.to_json()` gives into it")))?;
        Ok(Description { config, by_hand: false })
    }

    /// Layers in order, each a table with its `class` and Keras's arguments in the list `layer`, for inputs of this shape without
    /// the batch axis. A layer takes what the one before it gives, or what its `inputs` name: layers above it, or `input`; a colon
    /// and a number choose one of several outputs, as `encoder:1`. An LSTM's `initial_state` names likewise. `outputs` names the
    /// model's outputs, unless it is what the last layer gives. A table `compile` may hold `loss`, `optimizer`, `learning_rate`
    /// and `metrics`.
    ///
    /// ```
    /// use gatenorm::formats::{Compile, Description};
    /// use gatenorm::prelude::*;
    /// use serde_json::json;
    ///
    /// # fn main() -> Result<()> {
    /// let layers = json!({"layer": [
    ///     {"class": "LSTM", "units": 8},
    ///     {"class": "Dense", "units": 1, "activation": "sigmoid"},
    /// ]});
    /// let model = Description::by_hand(&layers, &[10, 3])?.model(Device::Cpu, 0, Compile::default())?;
    /// assert_eq!(model.network().output_shape(), [1]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn by_hand(described: &Value, input_shape: &[usize]) -> Result<Description> {
        let config = by_hand::to_keras(described, input_shape).map_err(Error::usage)?;
        Ok(Description { config, by_hand: true })
    }

    /// Whether it says loss and optimizer.
    pub fn is_compiled(&self) -> bool {
        self.config.get("compile_config").is_some_and(|config| config.as_object().is_some_and(|map| !map.is_empty()))
    }

    /// The loss, where it is said.
    pub fn loss(&self) -> Result<Option<Loss>> {
        let said =
            self.config.get("compile_config").and_then(|config| config.get("loss")).filter(|loss| !loss.is_null());
        said.map(keras_compile::loss).transpose().map_err(|why| self.wrong(why))
    }

    /// The layers, their shapes and variables.
    pub fn network(&self) -> Result<Network> {
        Ok(self.read()?.network)
    }

    fn read(&self) -> Result<FromConfig> {
        keras_config::network_from_config(&self.config).map_err(|why| self.wrong(why))
    }

    /// What is wrong; a person's own words are not changed in Keras.
    fn wrong(&self, why: String) -> Error {
        let of_keras = |part: &&str| part.contains("save it again") || part.contains("save the model again");
        let parts: Vec<&str> = why.split(". ").filter(|part| !self.by_hand || !of_keras(part)).collect();
        let text = parts.join(". ");
        Error::usage(if self.by_hand { text.replace("compile_config", "[compile]") } else { text })
    }

    /// Whether its Normalization has yet to learn mean and variance from data ([`Model::adapt`]).
    ///
    /// # Errors
    ///
    /// Where there are several, or one that does not take the model's input itself: nothing could adapt it.
    pub fn must_adapt(&self) -> Result<bool> {
        let FromConfig { network, scaling } = self.read()?;
        let class = |layer: usize| network.layers[layer].layer.class_name();
        let open = (0..network.layers.len()).filter(|&i| class(i) == "Normalization" && scaling[i].is_none());
        let open: Vec<usize> = open.collect();
        let at_front = |layer: usize| network.calls.iter().all(|call| call.layer != layer || call.inputs == [0]);
        match open[..] {
            [] => Ok(false),
            [only] if at_front(only) => Ok(true),
            [.., last] => Err(Error::usage(format!(
                "layer `{}` (Normalization): only one that takes the model's input learns its numbers from the data; give this one `mean` and `variance`",
                network.layers[last].name
            ))),
        }
    }

    /// A model of these layers on a device, with fresh weights drawn from a seed. Mean and variance that a Normalization is given
    /// are set. What the description does not say of loss and optimizer comes from `compile`.
    pub fn model(&self, device: Device, seed: u64, compile: Compile) -> Result<Model> {
        let FromConfig { mut network, scaling } = self.read()?;
        network.seed = seed;
        let read = keras_compile::read(self.config.get("compile_config"), &network).map_err(|why| self.wrong(why))?;
        let compilation = read.unwrap_or_else(|| {
            let mut fitting = keras_compile::fitting(&network);
            fitting.losses = compile.loss.map_or(fitting.losses, |loss| vec![loss]);
            fitting.optimizer = compile.optimizer.unwrap_or(fitting.optimizer);
            fitting.metrics = compile.metrics;
            fitting
        });
        let names: Vec<String> = network.layers.iter().map(|placed| placed.name.clone()).collect();
        let mut model = Model::begin(network, compilation, device)?;
        for (name, scaling) in names.iter().zip(scaling) {
            if let Some(scaling) = scaling {
                let (mean, variance) = (format!("{name}/mean"), format!("{name}/variance"));
                let floored: Vec<f32> = scaling.variance.iter().map(|v| v.max(Normalization::LEAST_VARIANCE)).collect();
                model.set_weights([(mean.as_str(), &scaling.mean[..]), (variance.as_str(), &floored[..])])?;
            }
        }
        Ok(model)
    }
}
