//! Calls of layers in Keras's JSON of a functional model: where their inputs come from, there and back.

use serde_json::{Value, json};

use super::keras_args::{Read, short};
use crate::model::ANY_LENGTH;

/// A tensor of the graph, Keras's `keras_history`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Source {
    /// The name of the layer that gives it.
    pub layer: String,
    /// Which of the layer's calls.
    pub node: usize,
    /// Which of what that call gives.
    pub tensor: usize,
}

impl Source {
    /// `["lstm", 0, 1]`
    fn read(value: &Value) -> Option<Source> {
        let [layer, node, tensor] = value.as_array()?.as_slice() else { return None };
        let index = |value: &Value| value.as_u64().and_then(|n| usize::try_from(n).ok());
        Some(Source { layer: layer.as_str()?.to_owned(), node: index(node)?, tensor: index(tensor)? })
    }

    pub fn write(&self) -> Value {
        json!([self.layer, self.node, self.tensor])
    }
}

/// What a layer is called with.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Its inputs; behind them the initial states.
    pub inputs: Vec<Source>,
    /// Whether some of the inputs are initial states.
    pub has_states: bool,
    /// Where Keras names the mask that a layer gets, which it would get anyway.
    pub mask: Option<Source>,
    /// A number among the arguments, as operations have.
    pub number: Option<f64>,
}

/// Reads the calls of a layer from its entry. `place` names the layer.
pub(super) fn read(place: &str, entry: &Value) -> Read<Vec<Node>> {
    match entry.get("inbound_nodes") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(nodes)) => {
            nodes.iter().enumerate().map(|(i, node)| read_node(&format!("{place}, call {i}"), node)).collect()
        }
        Some(other) => Err(format!("{place}: its `inbound_nodes` are {}, not a list", short(other))),
    }
}

fn read_node(place: &str, value: &Value) -> Read<Node> {
    let args = value.get("args").and_then(Value::as_array);
    let args = args
        .ok_or_else(|| format!("{place}: {} has no list of `args`; save the model again in Keras 3", short(value)))?;
    let mut node = Node { has_states: args.len() > 1, ..Node::default() };
    for value in args {
        match value.as_f64() {
            Some(number) => node.number = Some(number),
            None => tensors(place, "args", value, &mut node.inputs)?,
        }
    }
    let kwargs = match value.get("kwargs") {
        None | Some(Value::Null) => return Ok(node),
        Some(Value::Object(kwargs)) => kwargs,
        Some(other) => return Err(format!("{place}: its `kwargs` are {}, not an object", short(other))),
    };
    for (name, value) in kwargs {
        match (name.as_str(), value) {
            (_, Value::Null | Value::Bool(false)) => {}
            ("mask", value) => node.mask = Some(tensor(place, "mask", value)?),
            ("initial_state", value) => {
                tensors(place, "initial_state", value, &mut node.inputs)?;
                node.has_states = true;
            }
            (name, value) => {
                return Err(format!(
                    "{place}: argument `{name}` is {}; supported here: the inputs and `initial_state`. Call the layer without it in Keras and save the model again",
                    short(value)
                ));
            }
        }
    }
    Ok(node)
}

/// A tensor, or a list of tensors.
fn tensors(place: &str, name: &str, value: &Value, sources: &mut Vec<Source>) -> Read<()> {
    match value {
        Value::Array(list) => {
            list.iter().try_for_each(|value| tensor(place, name, value).map(|source| sources.push(source)))
        }
        value => tensor(place, name, value).map(|source| sources.push(source)),
    }
}

/// `{"class_name": "__keras_tensor__", "config": {"shape", "dtype", "keras_history"}}`
fn tensor(place: &str, name: &str, value: &Value) -> Read<Source> {
    let is_tensor = value.get("class_name").and_then(Value::as_str) == Some("__keras_tensor__");
    let history = value.get("config").and_then(|config| config.get("keras_history")).filter(|_| is_tensor);
    history.and_then(Source::read).ok_or_else(|| {
        format!(
            "{place}: argument `{name}` holds {}; supported here: what layers of the model give. Call the layer on these alone in Keras and save the model again",
            short(value)
        )
    })
}

/// Reads `input_layers` or `output_layers`: one tensor, a list of them, or a dict, whose names come too, in Keras's order.
pub(super) fn read_ends(name: &str, value: Option<&Value>) -> Read<(Vec<String>, Vec<Source>)> {
    let value = value.unwrap_or(&Value::Null);
    let wrong = |value: &Value| {
        format!("the model's `{name}` hold {}; supported here: a tensor, a list or a dict of them", short(value))
    };
    let source = |value: &Value| Source::read(value).ok_or_else(|| wrong(value));
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            let keys = entries.iter().map(|(key, _)| (*key).clone()).collect();
            Ok((keys, entries.into_iter().map(|(_, value)| source(value)).collect::<Read<_>>()?))
        }
        value if Source::read(value).is_some() => Ok((Vec::new(), vec![source(value)?])),
        Value::Array(list) => Ok((Vec::new(), list.iter().map(source).collect::<Read<_>>()?)),
        other => Err(wrong(other)),
    }
}

/// The same back.
pub(super) fn write_ends(keys: &[String], sources: &[Source]) -> Value {
    match sources {
        [only] if keys.is_empty() => only.write(),
        _ if keys.is_empty() => sources.iter().map(Source::write).collect(),
        _ => Value::Object(keys.iter().cloned().zip(sources.iter().map(Source::write)).collect()),
    }
}

/// A call of a layer of this class.
pub(super) fn write(class: &str, inputs: &[(Source, &[usize])]) -> Value {
    let tensors: Vec<Value> = inputs.iter().map(|(source, shape)| write_tensor(source, shape)).collect();
    match tensors.as_slice() {
        [only] if !takes_list(class) => json!({"args": [only], "kwargs": {}}),
        [sequence, states @ ..] if !takes_list(class) => {
            json!({"args": [sequence], "kwargs": {"initial_state": states}})
        }
        all => json!({"args": [all], "kwargs": {}}),
    }
}

/// Whether a layer takes its inputs as a list; what else has several is recurrent, and has initial states behind its sequence.
pub(super) fn takes_list(class: &str) -> bool {
    let merging = ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot"];
    merging.contains(&class)
}

fn write_tensor(source: &Source, shape: &[usize]) -> Value {
    let shape = batch_shape(shape);
    json!({
        "class_name": "__keras_tensor__",
        "config": {"shape": shape, "dtype": "float32", "keras_history": source.write()},
    })
}

/// A shape with the batch axis, of any size, in front.
pub(super) fn batch_shape(shape: &[usize]) -> Vec<Option<usize>> {
    std::iter::once(None).chain(shape.iter().map(|&n| (n != ANY_LENGTH).then_some(n))).collect()
}
