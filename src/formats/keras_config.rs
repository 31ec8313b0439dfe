//! A model's layers in Keras's JSON, there and back.

use serde_json::{Map, Value, json};

use super::keras_args::{Args, OWN_PACKAGE, Read, count, object, own_name, short};
use super::keras_functional;
use super::keras_layers::{self, Scaling};
use super::keras_nodes::batch_shape;
use crate::model::{ANY_LENGTH, Network, Sequential};

/// A model that Keras's JSON describes, without weights.
#[derive(Debug)]
pub(crate) struct FromConfig {
    pub network: Network,
    /// For each layer, what a Normalization in the config was given.
    pub scaling: Vec<Option<Scaling>>,
}

/// Reads the layers of a model's JSON, as in `config.json` and as `model.to_json()` gives it.
///
/// The error is a text, since only the caller knows the file's name.
pub(crate) fn network_from_config(model: &Value) -> Result<FromConfig, String> {
    let functional = match class_name(model) {
        Some("Functional" | "Model") => true,
        Some("Sequential") | None => false,
        Some(class) => {
            return Err(format!(
                "the model is of the class `{class}`; supported here: Sequential, Functional. Build it as one of these in Keras, set its weights and save it"
            ));
        }
    };
    let config = if functional { model.get("config") } else { object("the model", model)?.1 };
    let mut args = Args::new("the model", config)?;
    args.ignore(&["name"]);
    args.trained_in_f32()?;
    let entries = match args.get("layers") {
        Some(Value::Array(entries)) => entries.as_slice(),
        other => return Err(format!("the model's `layers` are {}, not a list", short(other.unwrap_or(&Value::Null)))),
    };
    if functional {
        let read = keras_functional::read(&mut args, entries)?;
        args.finish()?;
        return Ok(read);
    }
    let built = args.get("build_input_shape").or_else(|| model.get("build_config")?.get("input_shape"));
    args.finish()?;
    let (input_shape, entries) = match entries.split_first() {
        Some((first, rest)) if class_name(first) == Some("InputLayer") => (input_layer(first)?, rest),
        Some((first, _)) => {
            let built = built.or_else(|| first.get("build_config")?.get("input_shape"));
            let built = built.ok_or("the model has no input shape: it was saved before it was built. In Keras, begin it with `keras.Input((steps, features))`, or call it once, and save it again")?;
            (shape(built, "input_shape")?, entries)
        }
        None => return Err("the model has no layers".to_owned()),
    };
    sequential(&input_shape, entries)
}

fn sequential(input_shape: &[usize], entries: &[Value]) -> Read<FromConfig> {
    let mut sequential = Sequential::new(input_shape);
    let mut scaling = Vec::with_capacity(entries.len());
    let mut input = input_shape.to_vec();
    for (i, entry) in entries.iter().enumerate() {
        let read = keras_layers::read(entry, i + 1, std::slice::from_ref(&input))?;
        sequential.push(read.name, read.layer, read.trainable);
        scaling.push(read.scaling);
        input = read.output_shape;
    }
    let network = sequential.build().map_err(|error| error.to_string())?;
    Ok(FromConfig { network, scaling })
}

pub(super) fn class_name(entry: &Value) -> Option<&str> {
    entry.get("class_name")?.as_str()
}

/// The shape of an InputLayer, without the batch axis.
pub(super) fn input_layer(entry: &Value) -> Read<Vec<usize>> {
    let (_, config) = object("the InputLayer", entry)?;
    let mut args = Args::new("the InputLayer", config)?;
    args.ignore(&["name", "trainable"]);
    args.in_f32_or_whole()?;
    args.off(&["sparse", "ragged", "optional"])?;
    let batch_shape = args.get("batch_shape");
    let batch_shape = batch_shape.or_else(|| args.get("batch_input_shape"));
    args.finish()?;
    shape(batch_shape.ok_or("the InputLayer has no `batch_shape`")?, "batch_shape")
}

/// A shape without the batch axis, which comes first. A fixed batch size has no effect on results.
fn shape(value: &Value, name: &str) -> Read<Vec<usize>> {
    let wrong = |why: &str| format!("the model's `{name}` is {}; {why}", short(value));
    let axes = value.as_array().map_or(&[][..], |axes| axes.as_slice());
    let [_batch, axes @ ..] = axes else { return Err(wrong("a list that begins with the batch size is needed")) };
    let fits = (1..=2).contains(&axes.len());
    let size = |(i, axis): (usize, &Value)| match axis {
        Value::Null if axes.len() == 2 && i == 0 => Some(ANY_LENGTH),
        axis => count(axis),
    };
    let sizes: Option<Vec<usize>> = axes.iter().enumerate().map(size).collect();
    sizes.filter(|_| fits).ok_or_else(|| {
        wrong("supported here: [null, steps, features], with null for steps of any number, and [null, features]")
    })
}

/// The JSON of a model's layers: few arguments, so that every release of Keras 3 knows them all.
pub(super) fn write(network: &Network) -> Read<Map<String, Value>> {
    if let Some(bad) = network.layers.iter().find(|l| l.name.contains('/')) {
        return Err(format!(
            "the layer name `{}` holds a `/`, which Keras refuses; name the layer otherwise",
            bad.name
        ));
    }
    let layers = network.layers.iter().map(|placed| {
        let mut config = placed.layer.config();
        config.insert("name".into(), placed.name.as_str().into());
        if !placed.trainable {
            config.insert("trainable".into(), false.into());
        }
        // Without it Keras takes the reader's default.
        config.insert("dtype".into(), "float32".into());
        let class = placed.layer.class_name();
        if placed.layer.in_keras() { entry(class, config.into()) } else { own_entry(class, config.into()) }
    });
    if network.functional {
        return keras_functional::write(network, layers.collect());
    }
    let taken = |name: &String| network.layers.iter().any(|l| l.name == *name);
    // Keras wants it unlike every other layer's.
    let name = (0..).map(|i| if i == 0 { "input_layer".to_owned() } else { format!("input_layer_{i}") });
    let name = name.take(network.layers.len() + 1).find(|name| !taken(name));
    let input = json!({ "name": name, "batch_shape": batch_shape(network.input_shape()), "dtype": "float32" });
    let layers: Vec<Value> = std::iter::once(entry("InputLayer", input)).chain(layers).collect();
    let mut model = Map::new();
    model.insert("module".into(), "keras".into());
    model.insert("class_name".into(), "Sequential".into());
    model.insert("registered_name".into(), Value::Null);
    model.insert("config".into(), json!({ "name": "sequential", "layers": layers }));
    Ok(model)
}

/// A layer that Keras opens only where a class of this name is registered.
fn own_entry(class_name: &str, config: Value) -> Value {
    json!({ "module": OWN_PACKAGE, "class_name": class_name, "config": config, "registered_name": own_name(class_name) })
}

pub(super) fn entry(class_name: &str, config: Value) -> Value {
    json!({ "module": "keras.layers", "class_name": class_name, "config": config, "registered_name": null })
}
