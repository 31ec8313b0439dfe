//! A model as a graph of layers, as Keras's functional form.

use std::sync::Arc;

use super::layer::Layer;
use super::network::{Keys, Network, ValueId};
use crate::error::{Error, Result};

/// What a layer gives, or an input: to be handed on to other layers of the same model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Symbol(ValueId);

/// A layer that may be called several times, sharing its variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared(usize);

/// A model as a graph: several inputs and outputs, shared layers, skip connections.
///
/// ```
/// use gatenorm::prelude::*;
///
/// # fn main() -> Result<()> {
/// let mut graph = Functional::new();
/// let sequence = graph.input("sequence", &[10, 3])?;
/// let context = graph.input("context", &[4])?;
/// let summary = graph.add(Lstm::new(8), &[sequence])?;
/// let dense = graph.add(Dense::new(8), &[context])?;
/// let score = graph.add(Dense::new(1).activation(Activation::Sigmoid), &[dense])?;
/// let value = graph.add(Dense::new(2), &[summary])?;
/// let model = graph.outputs(&[score, value]);
/// # let _ = model;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Functional {
    network: Network,
    outputs: Vec<ValueId>,
    /// The layers' names in the order of a file; else they get Keras's.
    order: Vec<String>,
}

impl Functional {
    /// An empty graph.
    pub fn new() -> Self {
        Functional { network: Network { functional: true, ..Network::default() }, ..Functional::default() }
    }

    /// An input of this shape, without the batch axis: `[T, F]` or `[F]`; T may be [`ANY_LENGTH`](super::ANY_LENGTH).
    pub fn input(&mut self, name: &str, shape: &[usize]) -> Result<Symbol> {
        if self.network.inputs.len() < self.network.values.len() {
            return Err(Error::usage(format!("the input `{name}` comes after a layer: name all inputs first")));
        }
        self.network.input(Some(name.to_owned()), shape).map(Symbol)
    }

    /// A layer to call once or several times, named as Keras names it.
    pub fn layer(&mut self, layer: impl Layer + 'static) -> Result<Shared> {
        self.place(None, Arc::new(layer), true)
    }

    /// The same under a name of its own; one that is not `trainable` keeps its variables.
    pub fn place(&mut self, name: Option<&str>, layer: Arc<dyn Layer>, trainable: bool) -> Result<Shared> {
        self.network.place(name.map(str::to_owned), layer, trainable).map(Shared)
    }

    /// Calls a layer: all that it gives, as the output and the final states of an LSTM with `return_state`. States go in behind
    /// the sequence.
    pub fn call(&mut self, layer: Shared, inputs: &[Symbol]) -> Result<Vec<Symbol>> {
        let ids: Vec<ValueId> = inputs.iter().map(|symbol| symbol.0).collect();
        if layer.0 >= self.network.layers.len() || ids.iter().any(|&id| id >= self.network.values.len()) {
            return Err(Error::usage("a layer or a value belongs to another model"));
        }
        Ok(self.network.call(layer.0, &ids)?.into_iter().map(Symbol).collect())
    }

    /// Adds a layer and calls it; gives its first output.
    pub fn add(&mut self, layer: impl Layer + 'static, inputs: &[Symbol]) -> Result<Symbol> {
        let layer = self.layer(layer)?;
        Ok(self.call(layer, inputs)?[0])
    }

    /// The shape of a value, without the batch axis.
    pub fn shape(&self, symbol: Symbol) -> &[usize] {
        self.network.values.get(symbol.0).map_or(&[], Vec::as_slice)
    }

    /// Names the model's outputs. What leads to none of them is left out, as in Keras.
    pub fn outputs(mut self, outputs: &[Symbol]) -> Self {
        self.outputs = outputs.iter().map(|symbol| symbol.0).collect();
        self
    }

    /// Seeds the first weights, the shuffling of samples and dropout (0 unless set).
    pub fn seed(mut self, seed: u64) -> Self {
        self.network.seed = seed;
        self
    }

    /// The layers in the order of a file.
    pub(crate) fn in_order(self, names: Vec<String>) -> Self {
        Functional { order: names, ..self }
    }

    /// Takes a dict of inputs, or gives a dict of outputs, where there are names.
    pub(crate) fn keyed(mut self, keys: Keys) -> Self {
        self.network.keys = keys;
        self
    }

    pub(crate) fn build(self) -> Result<Network> {
        self.network.finish(&self.outputs, &self.order)
    }
}
