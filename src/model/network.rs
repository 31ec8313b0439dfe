//! A model whose shapes and variables are known: layers, and the graph of their calls.

use std::sync::Arc;

use super::layer::{Layer, Shape, VariableSpec};
use super::recorder::{Recorder, Tensor};
use super::table::Table;
use crate::error::{Error, Result};

/// A value that flows between layers: an index into [`Network::values`].
pub type ValueId = usize;

/// A layer in its place.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Its name, unique in the model.
    pub name: String,
    /// The layer.
    pub layer: Arc<dyn Layer>,
    /// Whether it is trained; a frozen layer's variables stay, and BatchNormalization runs in inference mode.
    pub trainable: bool,
    /// What it gets where it is called first.
    pub input_shapes: Vec<Shape>,
    /// What it gives there.
    pub output_shapes: Vec<Shape>,
}

/// One call of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Index into [`Network::layers`].
    pub layer: usize,
    /// What it is called with.
    pub inputs: Vec<ValueId>,
    /// What it gives.
    pub outputs: Vec<ValueId>,
}

/// An input of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its name, unique among layers too; a sequential model's has none until it is saved.
    pub name: Option<String>,
    /// Its shape.
    pub shape: Shape,
}

/// Keras's names for the inputs and outputs of a model that takes or gives a dict; none where it is a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// Of each input.
    pub inputs: Vec<String>,
    /// Of each output.
    pub outputs: Vec<String>,
}

/// A model whose shapes and variables are known.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// The inputs in order: the first values.
    pub inputs: Vec<Input>,
    /// The layers in the order in which they are called first.
    pub layers: Vec<Placed>,
    /// All calls, each behind those it needs.
    pub calls: Vec<Call>,
    /// The outputs in order.
    pub outputs: Vec<ValueId>,
    /// The shape of every value.
    pub values: Vec<Shape>,
    /// Where the variables lie.
    pub table: Arc<Table>,
    /// Of the first weights, of shuffling and of dropout.
    pub seed: u64,
    /// Whether it was built as a `Functional` model, and is saved as one.
    pub functional: bool,
    /// Of a functional model's dicts.
    pub keys: Keys,
}

impl Network {
    /// Adds an input.
    pub(super) fn input(&mut self, name: Option<String>, shape: &[usize]) -> Result<ValueId> {
        let wrong = shape.is_empty() || shape.len() > 2 || shape.last() == Some(&0);
        if wrong {
            return Err(Error::usage(format!(
                "the input shape {shape:?} must be [steps, features] or [features], none of them 0 (but steps may be ANY_LENGTH, which is)"
            )));
        }
        self.inputs.push(Input { name, shape: shape.to_vec() });
        self.values.push(shape.to_vec());
        Ok(self.values.len() - 1)
    }

    /// Adds a layer that is called later; without a name it gets Keras's.
    pub(super) fn place(&mut self, name: Option<String>, layer: Arc<dyn Layer>, trainable: bool) -> Result<usize> {
        let name = name.unwrap_or_else(|| self.free_name(layer.class_name()));
        if self.is_taken(&name) {
            return Err(Error::usage(format!("two layers are named `{name}`")));
        }
        self.layers.push(Placed { name, layer, trainable, input_shapes: Vec::new(), output_shapes: Vec::new() });
        Ok(self.layers.len() - 1)
    }

    /// Calls a layer; its first call makes its variables.
    pub(super) fn call(&mut self, layer: usize, inputs: &[ValueId]) -> Result<Vec<ValueId>> {
        let shapes: Vec<Shape> = inputs.iter().map(|&id| self.values[id].clone()).collect();
        let placed = &mut self.layers[layer];
        let named = |error: Error| Error::usage(format!("layer `{}`: {error}", placed.name));
        let output_shapes = placed.layer.output_shapes(&shapes).map_err(named)?;
        if placed.layer.numbers_below().is_some() && inputs.iter().any(|&id| id >= self.inputs.len()) {
            return Err(named(Error::usage("it takes whole numbers, which must be an input of the model")));
        }
        let again = self.calls.iter().any(|call| call.layer == layer);
        let specs = |shapes: &[Shape]| placed.layer.variables(shapes);
        if again {
            let sizes = |shapes: &[Shape]| specs(shapes).into_iter().map(|s| s.shape).collect::<Vec<_>>();
            if sizes(&shapes) != sizes(&placed.input_shapes) {
                let (first, now) = (&placed.input_shapes, &shapes);
                return Err(named(Error::usage(format!("its variables are made for {first:?}, but it gets {now:?}"))));
            }
        } else {
            let specs = specs(&shapes).into_iter().map(|s| if placed.trainable { s } else { s.fixed() });
            let specs: Vec<VariableSpec> = specs.collect();
            specs.iter().try_for_each(VariableSpec::check).map_err(named)?;
            Arc::make_mut(&mut self.table).add(&placed.name, specs);
            placed.input_shapes = shapes;
            placed.output_shapes = output_shapes.clone();
        }
        let first = self.values.len();
        self.values.extend(output_shapes);
        let outputs: Vec<ValueId> = (first..self.values.len()).collect();
        self.calls.push(Call { layer, inputs: inputs.to_vec(), outputs: outputs.clone() });
        Ok(outputs)
    }

    /// Names the outputs, and checks that there is something to train or run. The layers of a functional model get Keras's order,
    /// or the one that a file has them in, and those that lead to no output go, as in Keras.
    pub(super) fn finish(mut self, outputs: &[ValueId], order: &[String]) -> Result<Network> {
        if self.layers.is_empty() {
            return Err(Error::usage("the model has no layers: add some before compiling it"));
        }
        if outputs.is_empty() {
            return Err(Error::usage("the model has no outputs: name what its layers give"));
        }
        if let Some(unused) = self.layers.iter().find(|placed| placed.output_shapes.is_empty()) {
            return Err(Error::usage(format!("layer `{}` is never called", unused.name)));
        }
        self.outputs = outputs.to_vec();
        Ok(if self.functional { self.arranged(order) } else { self })
    }

    /// The inputs that hold whole numbers, by their place among the inputs: for which layer, and below what they must lie.
    pub(crate) fn number_limits(&self) -> Vec<(usize, &str, usize)> {
        let limit = |call: &Call| {
            let placed = &self.layers[call.layer];
            Some((*call.inputs.first()?, placed.name.as_str(), placed.layer.numbers_below()?))
        };
        self.calls.iter().filter_map(limit).collect()
    }

    /// The shape of the first input.
    pub fn input_shape(&self) -> &[usize] {
        self.inputs.first().map_or(&[], |input| &input.shape)
    }

    /// The shape of the first output.
    pub fn output_shape(&self) -> &[usize] {
        self.outputs.first().map_or(&[], |&id| &self.values[id])
    }

    /// The shapes of all outputs.
    pub fn output_shapes(&self) -> Vec<&Shape> {
        self.outputs.iter().map(|&id| &self.values[id]).collect()
    }

    /// The name of each output: in a dict its key, else that of the layer that gives it.
    pub fn output_names(&self) -> Vec<&str> {
        if !self.keys.outputs.is_empty() {
            return self.keys.outputs.iter().map(String::as_str).collect();
        }
        self.outputs.iter().map(|&id| self.giver(id).map_or("input", |placed| placed.name.as_str())).collect()
    }

    /// The layer that gives each output; none where it is an input.
    pub fn output_layers(&self) -> Vec<Option<&Placed>> {
        self.outputs.iter().map(|&id| self.giver(id)).collect()
    }

    fn giver(&self, id: ValueId) -> Option<&Placed> {
        let call = self.calls.iter().find(|call| call.outputs.contains(&id))?;
        Some(&self.layers[call.layer])
    }

    /// Records all calls' forward passes; gives every value's tensor.
    pub fn record(&self, recorder: &mut Recorder, inputs: Vec<Tensor>) -> Vec<Tensor> {
        recorder.seed = self.seed;
        let mut values: Vec<Option<Tensor>> = vec![None; self.values.len()];
        values.iter_mut().zip(inputs).for_each(|(value, input)| *value = Some(input));
        for call in &self.calls {
            let placed = &self.layers[call.layer];
            recorder.enter(&placed.name);
            recorder.trainable = placed.trainable;
            let inputs: Vec<Tensor> = call.inputs.iter().filter_map(|&id| values[id].clone()).collect();
            let outputs = placed.layer.record(recorder, &inputs);
            call.outputs.iter().zip(outputs).for_each(|(&id, output)| values[id] = Some(output));
        }
        values.into_iter().flatten().collect()
    }

    fn is_taken(&self, name: &str) -> bool {
        let inputs = self.inputs.iter().filter_map(|input| input.name.as_deref());
        self.layers.iter().map(|l| l.name.as_str()).chain(inputs).any(|taken| taken == name)
    }

    /// Keras's name for the next layer of a class: `batch_normalization`, `batch_normalization_1`, ...
    pub(super) fn free_name(&self, class_name: &str) -> String {
        let base = snake_case(class_name);
        let numbered = |i: usize| if i == 0 { base.clone() } else { format!("{base}_{i}") };
        (0..).map(numbered).find(|name| !self.is_taken(name)).unwrap_or(base.clone())
    }
}

/// `BatchNormalization` to `batch_normalization`, `LSTM` to `lstm`, `SpatialDropout1D` to `spatial_dropout1d`, as Keras does: a
/// word begins with an upper-case letter that has a lower-case one before or behind it.
pub(crate) fn snake_case(class_name: &str) -> String {
    let chars: Vec<char> = class_name.chars().collect();
    let mut out = String::new();
    for (i, c) in chars.iter().enumerate() {
        let lower = |at: Option<usize>| at.and_then(|at| chars.get(at)).is_some_and(|c| c.is_lowercase());
        if c.is_uppercase() && i > 0 && (lower(i.checked_sub(1)) || lower(Some(i + 1))) {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_keras() {
        for (class, name) in [
            ("LSTM", "lstm"),
            ("BatchNormalization", "batch_normalization"),
            ("SpatialDropout1D", "spatial_dropout1d"),
            ("GlobalAveragePooling1D", "global_average_pooling1d"),
            ("TimeDistributed", "time_distributed"),
            ("RNNCell", "rnn_cell"),
        ] {
            assert_eq!(snake_case(class), name);
        }
    }
}
