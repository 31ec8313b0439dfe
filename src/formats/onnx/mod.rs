//! Models as ONNX files: the graph of the layers' calls as operators, for batches of any size.
//!
//! A layer is written from its class and Keras's arguments, as `.keras` files hold them. Tensors are batch-major as in
//! Keras, `[N, T, F]`; masks are tensors beside them.

mod activation;
mod cells;
mod graph;
mod layers;
mod lengths;
mod masks;
mod merging;
mod native;
mod norms;
mod proto;
mod recurrent;
mod scan;
mod site;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use prost::Message;
use serde_json::{Value as Json, json};

use super::atomic;
use super::keras_args::Read;
use super::keras_weights::finite;
use crate::data::Reading;
use crate::error::{Error, Result};
use crate::model::{ANY_LENGTH, Network, Shape};
use crate::train::{DataSpec, Model, Weight};
use graph::{Graph, known, unknown, value_info};
use layers::Call;
use proto::{Dimension, OperatorSet, Property, ValueInfo};
use site::{Site, States};

/// The set of operators (2022), and the format that came with it.
const OPERATORS: i64 = 17;
const FORMAT: i64 = 8;

/// A tensor in the graph and the mask of its steps, where it has one.
#[derive(Clone, Debug)]
struct Value {
    name: String,
    mask: Option<String>,
}

impl Value {
    /// Without a mask.
    fn plain(name: impl Into<String>) -> Value {
        Value { name: name.into(), mask: None }
    }

    /// Another tensor of the same steps.
    fn with(&self, name: String) -> Value {
        Value { name, mask: self.mask.clone() }
    }
}

impl Model {
    /// Writes the model as an ONNX file (opset 17), which onnxruntime and others run: it takes raw rows, batches of any
    /// size and, unless a layer needs a fixed number, any number of time steps; it gives what [`Model::predict`] gives,
    /// to rounding.
    ///
    /// Inputs have the model's names for them, or else `input`; outputs those of the layers that give them. `LSTM` and
    /// `GRU` become the operators of these names, those with activations that these do not know, coupled gates or
    /// normalisation in the recurrence a `Scan`; masks of any pattern are heeded. The states of stateful layers become
    /// inputs (`LAYER/state_h`; zeros to begin with) and outputs (`LAYER/state_h_next`). Columns, window and classes
    /// stand in the file's metadata, lists as JSON. The file is written whole or not at all; the same model gives the
    /// same bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if a layer has no counterpart, a weight is not finite or the file would pass 2 GiB, which is as
    /// much as the format holds; [`Error::Io`] if it cannot be written.
    pub fn export(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let weights = self.weights()?;
        let cannot = |why: String| Error::usage(format!("the model cannot be written as ONNX: {why}"));
        let model = model(self.network(), &weights, self.data_spec()).map_err(cannot)?;
        if model.encoded_len() > i32::MAX as usize {
            return Err(cannot("its weights are more than the 2 GiB that an ONNX file holds".to_owned()));
        }
        let bytes = model.encode_to_vec();
        atomic::write_file(path.as_ref(), |file| file.write_all(&bytes))
    }
}

/// The whole file.
fn model(network: &Network, weights: &[Weight], spec: Option<&DataSpec>) -> Read<proto::Model> {
    weights.iter().try_for_each(|weight| finite(&weight.values, &format!("`{}`", weight.path)))?;
    let weights: BTreeMap<&str, &Weight> = weights.iter().map(|weight| (weight.path.as_str(), weight)).collect();
    let shapes = lengths::free(network);
    let mut graph = Graph::new();
    let mut states = States::default();
    let inputs = inputs(network, &shapes, &mut graph);
    let names = network.output_names();
    let outputs: Vec<String> = names.into_iter().map(|name| graph.name(name)).collect();
    let mut values: Vec<Option<Value>> = vec![None; shapes.len()];
    values.iter_mut().zip(&inputs).for_each(|(value, input)| *value = Some(Value::plain(&input.name)));
    for call in &network.calls {
        let placed = &network.layers[call.layer];
        let config = Json::Object(placed.layer.config());
        let [from, to] = [&call.inputs, &call.outputs].map(|ids| ids.first().map_or(&[][..], |&id| &shapes[id]));
        let class = placed.layer.class_name();
        let given = call.inputs.iter().filter_map(|&id| values[id].clone()).collect();
        let layer = Call { class, config: &config, inputs: given, from, to };
        let written = layers::write(&mut Site::new(&mut graph, &weights, &mut states, &placed.name), &layer);
        let written = written.map_err(|why| format!("layer `{}` ({class}): {why}", placed.name))?;
        call.outputs.iter().zip(written).for_each(|(&id, value)| values[id] = Some(value));
    }
    let mut ends = Vec::with_capacity(outputs.len());
    for (name, &id) in outputs.into_iter().zip(&network.outputs) {
        let value = values[id].as_ref().map_or("", |value| value.name.as_str());
        graph.push("Identity", &[value], std::slice::from_ref(&name), vec![]);
        ends.push(value_info(&name, axes(&shapes[id], &format!("{name}_time"))));
    }
    let begins =
        inputs.into_iter().chain(states.0.iter().map(|state| value_info(&state.input, vec![known(state.units)])));
    let begins: Vec<ValueInfo> = begins.collect();
    for state in &states.0 {
        let name = graph.name(&site::next_of(state));
        graph.push("Identity", &[&state.now], std::slice::from_ref(&name), vec![]);
        ends.push(value_info(&name, vec![known(state.units)]));
    }
    Ok(proto::Model {
        ir_version: FORMAT,
        producer_name: "gatenorm".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(graph.finish("model", begins, ends)),
        opset_import: vec![OperatorSet { domain: String::new(), version: OPERATORS }],
        metadata_props: spec.map(metadata).unwrap_or_default(),
    })
}

/// The inputs under their names: a dict's keys, those of a functional model, or `input`.
fn inputs(network: &Network, shapes: &[Shape], graph: &mut Graph) -> Vec<ValueInfo> {
    let sequences = shapes[..network.inputs.len()].iter().filter(|shape| shape.len() == 2).count();
    let input = |(i, input): (usize, &crate::model::Input)| {
        let key = network.keys.inputs.get(i).or(input.name.as_ref());
        let name = graph.name(key.map_or("input", String::as_str));
        let time = if sequences == 1 { "time".to_owned() } else { format!("{name}_time") };
        value_info(&name, axes(&shapes[i], &time))
    };
    network.inputs.iter().enumerate().map(input).collect()
}

fn axes(shape: &[usize], time: &str) -> Vec<Dimension> {
    let axis = |(i, &size): (usize, &usize)| match size {
        ANY_LENGTH if i == 0 && shape.len() == 2 => unknown(time),
        size => known(size),
    };
    shape.iter().enumerate().map(axis).collect()
}

/// How the input is made from a table, and what the classes are called.
fn metadata(spec: &DataSpec) -> Vec<Property> {
    let mut words = vec![
        ("columns", json!(spec.columns).to_string()),
        ("targets", json!(spec.targets).to_string()),
        ("window", spec.window.to_string()),
        ("stride", spec.stride.to_string()),
    ];
    if spec.reading != Reading::default() {
        words.push(("reading", json!(spec.reading).to_string()));
    }
    words.extend(spec.classes.iter().map(|classes| ("classes", json!(classes).to_string())));
    words.extend(spec.label_classes.iter().map(|classes| ("label_classes", json!(classes).to_string())));
    words.into_iter().map(|(key, value)| Property { key: key.to_owned(), value }).collect()
}
