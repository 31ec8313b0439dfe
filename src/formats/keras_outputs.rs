//! Arguments that Keras takes for each output of a model: one value, a list in the order of the outputs, or a map by their names.

use serde_json::Value;

use super::keras_args::{Read, short};
use super::keras_compile::PLACE;
use crate::model::Network;

/// A model's outputs.
pub(super) struct Outputs<'a> {
    /// In order.
    pub names: Vec<&'a str>,
}

/// A list, or a tuple as Keras writes it.
fn items(value: &Value) -> Option<&Vec<Value>> {
    let tuple = value.get("class_name").and_then(Value::as_str) == Some("__tuple__");
    let list = if tuple { value.get("config").and_then(|c| c.get("items")).or(value.get("items"))? } else { value };
    list.as_array()
}

/// A map that is no class of Keras, which is an object, too.
fn map(value: &Value) -> Option<&serde_json::Map<String, Value>> {
    value.as_object().filter(|map| !map.contains_key("class_name"))
}

/// The one value of a list or a map of one.
pub(super) fn only(value: &Value) -> Option<&Value> {
    match (items(value), map(value)) {
        (Some(list), _) if list.len() == 1 => list.first(),
        (_, Some(map)) if map.len() == 1 => map.values().next(),
        _ => None,
    }
}

impl<'a> Outputs<'a> {
    pub fn of(network: &'a Network) -> Self {
        Outputs { names: network.output_names() }
    }

    /// Whether a value has parts for several outputs.
    pub fn is_structured(&self, value: &Value) -> bool {
        self.names.len() > 1 && (items(value).is_some() || map(value).is_some())
    }

    /// The part for each output, where there is one.
    pub fn each<'v>(&self, argument: &str, value: &'v Value) -> Read<Vec<Option<&'v Value>>> {
        let set = |value: &'v Value| Some(value).filter(|value| !value.is_null());
        if let Some(list) = items(value).filter(|list| list.len() == self.names.len()) {
            return Ok(list.iter().map(set).collect());
        }
        match map(value) {
            Some(map) if map.keys().all(|key| self.names.contains(&key.as_str())) => {
                Ok(self.names.iter().map(|name| map.get(*name).and_then(set)).collect())
            }
            _ => Err(format!(
                "{PLACE}: argument `{argument}` is {}; supported here: a list with one for each output, or a map by the outputs' names ({}). Change it in Keras and save the model again",
                short(value),
                self.names.join(", ")
            )),
        }
    }

    /// All values of nested lists and maps.
    pub fn flat(value: &Value) -> Vec<&Value> {
        match (items(value), map(value)) {
            (Some(list), _) => list.iter().flat_map(Outputs::flat).collect(),
            (_, Some(map)) => map.values().flat_map(Outputs::flat).collect(),
            _ if value.is_null() => Vec::new(),
            _ => vec![value],
        }
    }
}
