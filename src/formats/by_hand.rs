//! Models that a person describes: layers in order with Keras's argument names, turned into Keras's JSON, so that all that reads a
//! model's JSON reads these too.
//!
//! ```toml
//! [[layer]]
//! class = "LSTM"
//! units = 64
//!
//! [[layer]]
//! class = "Dense"
//! units = 1
//! activation = "sigmoid"
//!
//! [compile]
//! loss = "binary_crossentropy"
//! optimizer = "adam"
//! learning_rate = 0.001
//! ```

use serde_json::{Map, Value, json};

use super::keras_args::{BY_HAND, Read, short};
use super::keras_nodes::batch_shape;
use crate::data::spelling::nearest;
use crate::model::snake_case;

/// The model's input, by the name that layers refer to.
const INPUT: &str = "input";

/// A layer of a description.
struct Described {
    name: String,
    class: String,
    /// Where its inputs come from, and behind them its initial states; nothing: from the layer before.
    inputs: Vec<String>,
    config: Map<String, Value>,
}

/// Keras's JSON of a described model, for inputs of this shape.
pub(super) fn to_keras(described: &Value, input_shape: &[usize]) -> Read<Value> {
    let mut top = described.as_object().cloned().ok_or("the description is no table")?;
    let entries = match top.remove("layer") {
        Some(Value::Array(entries)) if !entries.is_empty() => entries,
        _ => return Err("it has no layers; begin each with [[layer]], and a line such as class = \"LSTM\"".into()),
    };
    let outputs = names("`outputs`", top.remove("outputs"))?;
    let compile = top.remove("compile");
    if let Some(name) = top.keys().next() {
        return Err(unknown("the description", name, &["layer", "outputs", "compile"]));
    }
    let layers = layers(entries)?;
    let graph = !outputs.is_empty() || layers.iter().any(|layer| !layer.inputs.is_empty());
    let mut model = if graph { functional(layers, &outputs, input_shape)? } else { sequential(layers, input_shape) };
    if let Some(compile) = compile {
        model["compile_config"] = compile_config(compile)?;
    }
    Ok(model)
}

fn layers(entries: Vec<Value>) -> Read<Vec<Described>> {
    let mut layers: Vec<Described> = Vec::with_capacity(entries.len());
    let named: Vec<String> =
        entries.iter().filter_map(|entry| entry.get("name")?.as_str().map(str::to_owned)).collect();
    for (i, entry) in entries.into_iter().enumerate() {
        let place = format!("layer {}", i + 1);
        let Value::Object(mut config) = entry else {
            return Err(format!("{place} is no table: begin it with [[layer]]"));
        };
        let class = match config.remove("class") {
            Some(Value::String(class)) => class,
            _ => return Err(format!("{place} has no `class`, such as class = \"LSTM\"")),
        };
        let place = format!("{place} ({class})");
        let name = match config.remove("name") {
            None => free_name(&class, &layers, &named),
            Some(Value::String(name)) if name != INPUT && layers.iter().all(|layer| layer.name != name) => name,
            Some(other) => return Err(format!("{place}: the name {} is taken, or no text", short(&other))),
        };
        let mut inputs = names(&format!("{place}: `inputs`"), config.remove("inputs"))?;
        let states = names(&format!("{place}: `initial_state`"), config.remove("initial_state"))?;
        if inputs.is_empty() && !states.is_empty() {
            inputs.push(layers.last().map_or(INPUT, |layer| &layer.name).to_owned());
        }
        inputs.extend(states);
        let mut config: Map<String, Value> =
            config.into_iter().map(|(name, value)| (name, class_entry(value))).collect();
        config.insert("name".into(), name.as_str().into());
        config.insert(BY_HAND.into(), true.into());
        layers.push(Described { name, class, inputs, config });
    }
    Ok(layers)
}

/// Keras's name for a layer that has none of its own.
fn free_name(class: &str, layers: &[Described], named: &[String]) -> String {
    let base = snake_case(class);
    let taken = |name: &String| named.contains(name) || layers.iter().any(|layer| layer.name == *name);
    let mut numbered =
        (0..=layers.len() + named.len()).map(|i| if i == 0 { base.clone() } else { format!("{base}_{i}") });
    numbered.find(|name| !taken(name)).unwrap_or(base.clone())
}

/// A name, or a list of names; none where nothing is said.
fn names(place: &str, value: Option<Value>) -> Read<Vec<String>> {
    let wrong = |value: &Value| format!("{place} is {}; give the name of a layer, or a list of names", short(value));
    match value {
        None => Ok(Vec::new()),
        Some(Value::String(name)) => Ok(vec![name]),
        Some(Value::Array(list)) if !list.is_empty() => {
            list.iter().map(|name| name.as_str().map(str::to_owned).ok_or_else(|| wrong(name))).collect()
        }
        Some(other) => Err(wrong(&other)),
    }
}

/// Turns tables with a `class`, as a wrapper's layer or a regularizer, into Keras's objects.
fn class_entry(value: Value) -> Value {
    match value {
        Value::Object(mut map) => {
            let class = map.remove("class");
            let mut config: Map<String, Value> =
                map.into_iter().map(|(name, value)| (name, class_entry(value))).collect();
            match class {
                Some(class) => {
                    config.insert(BY_HAND.into(), true.into());
                    json!({"class_name": class, "config": config})
                }
                None => Value::Object(config),
            }
        }
        Value::Array(list) => list.into_iter().map(class_entry).collect(),
        other => other,
    }
}

fn unknown(place: &str, name: &str, known: &[&str]) -> String {
    let known: Vec<String> = known.iter().map(|name| (*name).to_owned()).collect();
    match nearest(name, &known) {
        Some(other) => format!("{place} holds `{name}`. Did you mean `{other}`?"),
        None => format!("{place} holds `{name}`, which means nothing there; it has: {}", known.join(", ")),
    }
}

fn input_layer(input_shape: &[usize]) -> Value {
    let config = json!({"name": INPUT, "batch_shape": batch_shape(input_shape)});
    json!({"class_name": "InputLayer", "config": config, "name": INPUT, "inbound_nodes": []})
}

fn entry(layer: Described) -> Value {
    json!({"class_name": layer.class, "config": layer.config, "name": layer.name})
}

fn sequential(layers: Vec<Described>, input_shape: &[usize]) -> Value {
    let entries: Vec<Value> = std::iter::once(input_layer(input_shape)).chain(layers.into_iter().map(entry)).collect();
    json!({"class_name": "Sequential", "config": {"name": "sequential", "layers": entries}})
}

fn functional(layers: Vec<Described>, outputs: &[String], input_shape: &[usize]) -> Read<Value> {
    let mut entries = vec![input_layer(input_shape)];
    let mut known = vec![INPUT.to_owned()];
    for layer in layers {
        let place = format!("layer `{}` ({})", layer.name, layer.class);
        let before = known.last().cloned().unwrap_or_default();
        let inputs = if layer.inputs.is_empty() { vec![before] } else { layer.inputs.clone() };
        let tensor = |name: &String| {
            let history = reference(&format!("{place}: its input"), name, &known)?;
            Ok(json!({"class_name": "__keras_tensor__", "config": {"keras_history": history}}))
        };
        let args = inputs.iter().map(tensor).collect::<Read<Vec<Value>>>()?;
        known.push(layer.name.clone());
        let mut entry = entry(layer);
        entry["inbound_nodes"] = json!([{"args": args, "kwargs": {}}]);
        entries.push(entry);
    }
    let last = known.last().cloned().into_iter().collect::<Vec<_>>();
    let outputs = if outputs.is_empty() { &last } else { outputs };
    let outputs = outputs.iter().map(|name| reference("`outputs`", name, &known)).collect::<Read<Vec<Value>>>()?;
    let config = json!({"layers": entries, "input_layers": [[INPUT, 0, 0]], "output_layers": outputs});
    Ok(json!({"class_name": "Functional", "config": config}))
}

/// `memory`, or `memory:1` for the second of what it gives.
fn reference(place: &str, text: &str, known: &[String]) -> Read<Value> {
    let whole = (text, 0);
    let (name, index) = match text.rsplit_once(':') {
        Some((name, index)) if !known.iter().any(|name| name == text) => {
            index.parse().map(|index: usize| (name, index)).unwrap_or(whole)
        }
        _ => whole,
    };
    if known.iter().any(|other| other == name) {
        return Ok(json!([name, 0, index]));
    }
    let meant = nearest(name, known).map(|other| format!(". Did you mean `{other}`?"));
    let meant = meant.unwrap_or_else(|| format!("; there are: {}", known.join(", ")));
    Err(format!("{place} is `{text}`, which is neither `{INPUT}` nor a layer above{meant}"))
}

fn compile_config(value: Value) -> Read<Value> {
    let Value::Object(mut compile) = value else { return Err("`compile` is no table: begin it with [compile]".into()) };
    let rate = compile.remove("learning_rate");
    let mut optimizer = match compile.remove("optimizer") {
        None => json!({"class_name": "Adam", "config": {BY_HAND: true}}),
        Some(Value::String(name)) => json!({"class_name": name, "config": {BY_HAND: true}}),
        Some(table) => class_entry(table),
    };
    if let Some(rate) = rate {
        match optimizer.get_mut("config").and_then(Value::as_object_mut) {
            Some(config) => drop(config.insert("learning_rate".into(), class_entry(rate))),
            None => return Err("compile: its `optimizer` has no `class`".into()),
        }
    }
    let mut compile: Map<String, Value> = compile.into_iter().map(|(name, value)| (name, class_entry(value))).collect();
    compile.insert("optimizer".into(), optimizer);
    compile.insert(BY_HAND.into(), true.into());
    Ok(compile.into())
}
