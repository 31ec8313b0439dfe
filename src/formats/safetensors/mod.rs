//! A model's variables alone as `.safetensors` files, under Keras's names or PyTorch's.

mod keras_names;
mod pytorch_names;

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;

use safetensors::{Dtype, SafeTensors, View, serialize, tensor::TensorView};

use super::atomic;
use super::keras_args::Read;
use super::keras_weights::{check_variance, finite};
use crate::error::{Error, Result};
use crate::model::{Network, Normalization};
use crate::train::{Model, Weight};

/// Whose names and layouts the tensors of a `.safetensors` file have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WeightNames {
    /// The paths in `.keras` and `.weights.h5` files, such as `layers/lstm/cell/vars/0`, and Keras's layouts. These
    /// tensors, written as the data sets of these paths into an HDF5 file, are a `.weights.h5` file.
    #[default]
    Keras,
    /// Those of a `torch.nn.Module` whose attributes are named as the layers, such as `lstm.weight_ih_l0`, for its
    /// `load_state_dict`: `LSTM`, `GRU` (with `reset_after`) and `Bidirectional` of them as `nn.LSTM` and `nn.GRU`;
    /// `Dense` and `TimeDistributed(Dense)` as `nn.Linear`; `BatchNormalization` as `nn.BatchNorm1d`;
    /// `LayerNormalization` as `nn.LayerNorm`; `Embedding` as `nn.Embedding`; `Normalization` as buffers `mean` and
    /// `variance`.
    PyTorch,
}

impl WeightNames {
    /// Both.
    pub const ALL: [WeightNames; 2] = [WeightNames::Keras, WeightNames::PyTorch];

    /// In lower case.
    pub fn name(self) -> &'static str {
        match self {
            WeightNames::Keras => "keras",
            WeightNames::PyTorch => "pytorch",
        }
    }

    /// What the file's metadata say under `format`; libraries for PyTorch want to read `pt`.
    fn format(self) -> &'static str {
        match self {
            WeightNames::Keras => "keras",
            WeightNames::PyTorch => "pt",
        }
    }

    fn entries(self, network: &Network) -> Read<Vec<Entry>> {
        match self {
            WeightNames::Keras => Ok(keras_names::entries(network)),
            WeightNames::PyTorch => pytorch_names::entries(network),
        }
    }
}

/// A tensor of a file.
struct Entry {
    name: String,
    shape: Vec<usize>,
    source: Source,
}

/// What a tensor is made of.
enum Source {
    /// The elements of the model's variable of this index.
    Variable {
        index: usize,
        /// Which element of the variable an element of the tensor is.
        element: Box<dyn Fn(usize) -> usize>,
        /// Where it is false, zeros are written, and what is read is added: the second of two biases that stand for
        /// one.
        written: bool,
    },
    /// A number of batches, which no variable holds; what is read of it is passed over.
    Count { value: Count, dtype: Dtype },
}

/// Which number of batches.
#[derive(Clone, Copy)]
enum Count {
    Zero,
    /// The training steps so far.
    Steps,
}

impl Entry {
    /// A variable as it is.
    fn same(name: String, shape: Vec<usize>, index: usize) -> Entry {
        Entry { name, shape, source: Source::Variable { index, element: Box::new(|i| i), written: true } }
    }

    /// Its elements from a model's weights.
    fn tensor(&self, weights: &[Weight], steps: u64) -> Bytes {
        let (dtype, bytes) = match &self.source {
            Source::Variable { index, element, written } => {
                let values = &weights[*index].values;
                let value = |i| if *written { values[element(i)] } else { 0.0 };
                (Dtype::F32, (0..self.len()).flat_map(|i| value(i).to_le_bytes()).collect())
            }
            Source::Count { value, dtype } => {
                let count = match value {
                    Count::Zero => 0,
                    Count::Steps => steps,
                };
                // The low bytes come first.
                (*dtype, count.to_le_bytes()[..dtype.bitsize() / 8].to_vec())
            }
        };
        Bytes { dtype, shape: self.shape.clone(), bytes }
    }

    fn len(&self) -> usize {
        self.shape.iter().product()
    }
}

/// A tensor to be written.
struct Bytes {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl View for Bytes {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> std::borrow::Cow<'_, [u8]> {
        (&self.bytes).into()
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

impl Model {
    /// Writes weights and moving statistics, without the optimizer's state, as a `.safetensors` file under Keras's or
    /// PyTorch's names; [`Model::load_weights`] reads both. The file is written whole or not at all; the same model
    /// gives the same bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if PyTorch has no such layer, or a weight is not finite; [`Error::Io`] if the file cannot be
    /// written.
    pub fn save_safetensors(&mut self, path: impl AsRef<Path>, names: WeightNames) -> Result<()> {
        let (weights, steps) = (self.weights()?, self.iterations());
        let unsaved = |why: String| Error::usage(format!("the weights cannot be saved: {why}"));
        weights.iter().try_for_each(|w| finite(&w.values, &format!("`{}`", w.path))).map_err(unsaved)?;
        let entries = names.entries(self.network()).map_err(unsaved)?;
        let tensors = entries.iter().map(|entry| (entry.name.as_str(), entry.tensor(&weights, steps)));
        let words = HashMap::from([("format".to_owned(), names.format().to_owned())]);
        let bytes = serialize(tensors, Some(words)).map_err(|e| unsaved(e.to_string()))?;
        atomic::write_file(path.as_ref(), |file| file.write_all(&bytes))
    }

    /// Takes weights and moving statistics from the bytes of such a file; the model is as it was if anything is wrong.
    pub(super) fn take_safetensors(&mut self, path: &Path) -> Result<()> {
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, "read", e))?;
        let values = read(&bytes, self.network()).map_err(|why| Error::input(path, why))?;
        let network = self.network().clone();
        let paths = network.table.variables().iter().map(|variable| variable.path.as_str());
        self.set_weights(paths.zip(values.iter().map(Vec::as_slice)))
    }
}

/// The values of all variables, from a file with either's names.
fn read(bytes: &[u8], network: &Network) -> Read<Vec<Vec<f32>>> {
    let file = SafeTensors::deserialize(bytes)
        .map_err(|e| format!("this is no whole .safetensors file ({e}); copy or save it again"))?;
    let found: BTreeMap<&str, TensorView<'_>> = file.iter().collect();
    let count = |entries: &[Entry]| entries.iter().filter(|entry| found.contains_key(entry.name.as_str())).count();
    let of_keras = WeightNames::Keras.entries(network)?;
    // Keras's, unless more of PyTorch's names are there.
    let (names, entries) = match (count(&of_keras), WeightNames::PyTorch.entries(network)) {
        (matches, Ok(of_torch)) if matches < count(&of_torch) => (WeightNames::PyTorch, of_torch),
        (0, Err(why)) if !found.is_empty() => {
            return Err(format!(
                "none of its tensors has Keras's name for a variable of the model, such as `{}`, and PyTorch has no names for them: {why}",
                of_keras.first().map_or("", |entry| &entry.name)
            ));
        }
        _ => (WeightNames::Keras, of_keras),
    };
    all_there(names, &entries, &found)?;
    variables(network, &entries, &found)
}

/// Whether the file holds just the tensors of these names.
fn all_there(names: WeightNames, entries: &[Entry], found: &BTreeMap<&str, TensorView<'_>>) -> Read<()> {
    let needed = entries.iter().filter(|entry| matches!(entry.source, Source::Variable { .. }));
    let missing: Vec<&str> = needed.map(|entry| entry.name.as_str()).filter(|name| !found.contains_key(name)).collect();
    let known = |name: &&str| entries.iter().any(|entry| entry.name == *name);
    let others: Vec<&str> = found.keys().copied().filter(|name| !known(name)).collect();
    let whose = match names {
        WeightNames::Keras => "Keras",
        WeightNames::PyTorch => "PyTorch",
    };
    let words = [("missing", missing), ("not of the model", others)];
    let wrong: Vec<String> = words
        .iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("{what}: {}", list(names)))
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!(
        "its tensors are not the model's under {whose}'s names; {}. Give the model that these weights are of",
        wrong.join("; ")
    ))
}

/// Names with commas between them; of many the first.
fn list(names: &[&str]) -> String {
    const MOST: usize = 8;
    let shown = names[..names.len().min(MOST)].join(", ");
    if names.len() > MOST { format!("{shown} and {} more", names.len() - MOST) } else { shown }
}

fn variables(network: &Network, entries: &[Entry], found: &BTreeMap<&str, TensorView<'_>>) -> Read<Vec<Vec<f32>>> {
    let variables = network.table.variables();
    let mut values: Vec<Vec<f32>> = variables.iter().map(|variable| vec![0.0; variable.len]).collect();
    for entry in entries {
        let (Source::Variable { index, element, .. }, Some(tensor)) = (&entry.source, found.get(entry.name.as_str()))
        else {
            continue;
        };
        let described = format!("`{}` (of `{}`)", entry.name, variables[*index].path);
        let read = floats(tensor, &entry.shape, &described)?;
        check_variance(&variables[*index].spec.name, &read, &described)?;
        read.into_iter().enumerate().for_each(|(i, value)| values[*index][element(i)] += value);
    }
    for (variable, values) in variables.iter().zip(&mut values) {
        let layer = network.layers.iter().find(|placed| variable.path.starts_with(&format!("{}/", placed.name)));
        if variable.spec.name == "variance" && layer.is_some_and(|l| l.layer.class_name() == "Normalization") {
            values.iter_mut().for_each(|v| *v = v.max(Normalization::LEAST_VARIANCE));
        }
    }
    Ok(values)
}

/// The finite floats of a tensor of this shape.
fn floats(tensor: &TensorView<'_>, shape: &[usize], described: &str) -> Read<Vec<f32>> {
    if tensor.shape() != shape {
        return Err(format!("{described} has the shape {:?}, but the model makes it {shape:?}", tensor.shape()));
    }
    let values: Vec<f32> = match tensor.dtype() {
        Dtype::F32 => tensor.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect(),
        Dtype::F64 => tensor.data().as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes) as f32).collect(),
        other => {
            return Err(format!("{described} holds {other:?}; supported here: F32, F64. Save it as 32-bit floats"));
        }
    };
    finite(&values, described)?;
    Ok(values)
}
