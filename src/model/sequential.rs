//! A model as a list of layers.

use std::sync::Arc;

use super::functional::{Functional, Symbol};
use super::layer::{Layer, Shape};
use super::network::Network;
use crate::error::Result;

/// Layers one after another, as Keras's `Sequential`.
#[derive(Clone, Debug)]
pub struct Sequential {
    input_shape: Shape,
    layers: Vec<Entry>,
    seed: u64,
}

#[derive(Clone, Debug)]
struct Entry {
    name: Option<String>,
    layer: Arc<dyn Layer>,
    trainable: bool,
}

impl Sequential {
    /// A model for inputs of this shape, without the batch axis: `[T, F]` or `[F]`; T may be
    /// [`ANY_LENGTH`](super::ANY_LENGTH).
    pub fn new(input_shape: &[usize]) -> Self {
        Sequential { input_shape: input_shape.to_vec(), layers: Vec::new(), seed: 0 }
    }

    /// Adds a layer; it is named as Keras names it: `lstm`, `lstm_1`, ...
    #[expect(clippy::should_implement_trait, reason = "Keras's name")]
    pub fn add(mut self, layer: impl Layer + 'static) -> Self {
        self.push(None, Arc::new(layer), true);
        self
    }

    /// Adds a layer under a name of its own.
    pub fn add_named(mut self, name: &str, layer: Arc<dyn Layer>) -> Self {
        self.push(Some(name.to_owned()), layer, true);
        self
    }

    /// Adds a layer that is not trained, as one whose `trainable` is False in Keras: its variables stay, and a
    /// BatchNormalization runs in inference mode.
    pub fn add_frozen(mut self, layer: impl Layer + 'static) -> Self {
        self.push(None, Arc::new(layer), false);
        self
    }

    /// Adds a layer under its name in a file, if it has one there.
    pub(crate) fn push(&mut self, name: Option<String>, layer: Arc<dyn Layer>, trainable: bool) {
        self.layers.push(Entry { name, layer, trainable });
    }

    /// Seeds the first weights, the shuffling of samples and dropout (0 unless set): the same seed on the same device gives the
    /// same bits.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The layers as the begin of a graph, and what the last of them gives.
    ///
    /// Errors: layers that do not fit each other.
    pub fn graph(self) -> Result<(Functional, Symbol)> {
        let mut graph = Functional::new().seed(self.seed);
        let mut value = graph.input("input", &self.input_shape)?;
        for Entry { name, layer, trainable } in self.layers {
            let layer = graph.place(name.as_deref(), layer, trainable)?;
            value = graph.call(layer, &[value])?[0];
        }
        Ok((graph, value))
    }

    /// Checks the layers against each other and places their variables.
    pub(crate) fn build(self) -> Result<Network> {
        let mut network = Network { seed: self.seed, ..Network::default() };
        let mut value = network.input(None, &self.input_shape)?;
        for Entry { name, layer, trainable } in self.layers {
            let layer = network.place(name, layer, trainable)?;
            // Of a layer with several outputs the first goes on.
            value = network.call(layer, &[value])?[0];
        }
        network.finish(&[value], &[])
    }
}
