//! A model as a list of layers, before and after its shapes are known.

use std::sync::Arc;

use super::layer::Layer;
use super::recorder::{Recorder, Tensor};
use super::table::Table;
use crate::error::{Error, Result};

/// Layers one after another, as Keras's `Sequential`.
#[derive(Clone, Debug)]
pub struct Sequential {
    input_shape: Vec<usize>,
    layers: Vec<(Option<String>, Arc<dyn Layer>)>,
    seed: u64,
}

impl Sequential {
    /// A model for inputs of this shape, without the batch axis: `[T, F]` or `[F]`.
    pub fn new(input_shape: &[usize]) -> Self {
        Sequential { input_shape: input_shape.to_vec(), layers: Vec::new(), seed: 0 }
    }

    /// Adds a layer; it is named as Keras names it: `lstm`, `lstm_1`, ...
    #[expect(clippy::should_implement_trait, reason = "Keras's name")]
    pub fn add(mut self, layer: impl Layer + 'static) -> Self {
        self.layers.push((None, Arc::new(layer)));
        self
    }

    /// Adds a layer under a name of its own.
    pub fn add_named(mut self, name: &str, layer: Arc<dyn Layer>) -> Self {
        self.layers.push((Some(name.to_owned()), layer));
        self
    }

    /// Adds a layer under its name in a file, if it has one there.
    pub(crate) fn push(&mut self, name: Option<String>, layer: Arc<dyn Layer>) {
        self.layers.push((name, layer));
    }

    /// Seeds the first weights and the shuffling of samples (0 unless set): the same seed on the same device gives the same bits.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Checks the layers against each other and places their variables.
    pub(crate) fn build(self) -> Result<Stack> {
        if self.layers.is_empty() {
            return Err(Error::usage("the model has no layers: add some before compiling it"));
        }
        if self.input_shape.is_empty() || self.input_shape.len() > 2 || self.input_shape.contains(&0) {
            return Err(Error::usage(format!(
                "the input shape {:?} must be [steps, features] or [features], none of them 0",
                self.input_shape
            )));
        }
        let mut stack =
            Stack { input_shape: self.input_shape.clone(), layers: Vec::new(), table: Arc::default(), seed: self.seed };
        let (mut table, mut shape) = (Table::default(), self.input_shape);
        for (name, layer) in self.layers {
            let name = name.unwrap_or_else(|| stack.free_name(layer.class_name()));
            if stack.layers.iter().any(|l| l.name == name) {
                return Err(Error::usage(format!("two layers are named `{name}`")));
            }
            let output_shape =
                layer.output_shape(&shape).map_err(|error| Error::usage(format!("layer `{name}`: {error}")))?;
            let variables = layer.variables(&shape);
            // Its backward pass is not implemented: behind a trained layer it would cut the gradient off.
            if layer.class_name() == "Normalization" && table.count().0 > 0 {
                return Err(Error::usage(format!(
                    "layer `{name}`: Normalization must come before all layers that are trained"
                )));
            }
            table.add(&name, variables);
            stack.layers.push(Placed { name, layer, input_shape: shape, output_shape: output_shape.clone() });
            shape = output_shape;
        }
        stack.table = Arc::new(table);
        Ok(stack)
    }
}

/// A layer in its place.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Its name, unique in the model.
    pub name: String,
    /// The layer.
    pub layer: Arc<dyn Layer>,
    /// What it gets.
    pub input_shape: Vec<usize>,
    /// What it gives.
    pub output_shape: Vec<usize>,
}

/// A model whose shapes and variables are known.
#[derive(Clone, Debug)]
pub struct Stack {
    /// Without the batch axis.
    pub input_shape: Vec<usize>,
    /// In order.
    pub layers: Vec<Placed>,
    /// Where the variables lie.
    pub table: Arc<Table>,
    /// Of the first weights and of shuffling.
    pub seed: u64,
}

impl Stack {
    /// The model's output shape, without the batch axis.
    pub fn output_shape(&self) -> &[usize] {
        self.layers.last().map_or(&self.input_shape, |l| &l.output_shape)
    }

    /// Records all layers' forward passes; gives every layer's output by name.
    pub fn record(&self, recorder: &mut Recorder, input: &Tensor) -> Vec<(String, Tensor)> {
        let mut outputs: Vec<(String, Tensor)> = Vec::with_capacity(self.layers.len());
        for placed in &self.layers {
            recorder.enter(&placed.name);
            let input = outputs.last().map_or(input, |(_, tensor)| tensor);
            let output = placed.layer.record(recorder, input);
            outputs.push((placed.name.clone(), output));
        }
        outputs
    }

    /// Keras's name for the next layer of a class: `batch_normalization`, `batch_normalization_1`, ...
    fn free_name(&self, class_name: &str) -> String {
        let base = snake_case(class_name);
        let taken = |name: &str| self.layers.iter().any(|l| l.name == name);
        let numbered = |i: usize| if i == 0 { base.clone() } else { format!("{base}_{i}") };
        (0..).map(numbered).find(|name| !taken(name)).unwrap_or(base.clone())
    }
}

/// `BatchNormalization` to `batch_normalization`, `LSTM` to `lstm`.
pub(crate) fn snake_case(class_name: &str) -> String {
    let mut out = String::new();
    let mut before_lower = false;
    for c in class_name.chars() {
        if c.is_uppercase() && before_lower {
            out.push('_');
        }
        before_lower = c.is_lowercase() || c.is_ascii_digit();
        out.extend(c.to_lowercase());
    }
    out
}
