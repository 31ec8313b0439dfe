//! `compile_config`: loss, optimizer and metrics in Keras's JSON, there and back.

use serde_json::{Value, json};

use super::keras_args::{Args, Read, identifier, object, short};
use super::keras_optimizer;
use crate::model::{Network, snake_case};
use crate::train::{Adam, Compilation, Loss, Metric};

const PLACE: &str = "compile_config";

/// What the model was compiled with, or nothing if it was not.
pub(super) fn read(config: Option<&Value>, network: &Network) -> Read<Option<Compilation>> {
    let config = match config {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(map)) if map.is_empty() => return Ok(None),
        Some(config) => config,
    };
    let mut args = Args::new(PLACE, Some(config))?;
    let optimizer = args.get("optimizer").ok_or(
        "compile_config names no `optimizer`, which Keras takes for rmsprop; supported here: Adam, AdamW, SGD, RMSprop, Nadam, Adagrad, Lion. Compile the model with one of them and save it again",
    )?;
    let optimizer = keras_optimizer::read(optimizer)?;
    let loss = args.get("loss").map(loss).transpose()?.unwrap_or_else(|| fitting_loss(network));
    let mut metrics = Vec::new();
    if let Some(value) = args.get("metrics") {
        add_metrics(value, outputs(network), &mut metrics)?;
    }
    if let Some(value) = args.get("loss_weights") {
        let weight = only(value).unwrap_or(value);
        if weight.as_f64() != Some(1.0) {
            return Err(args.wrong("loss_weights", value, "none (null)"));
        }
    }
    if let Some(value) = args.get("weighted_metrics").filter(|value| *value != &json!([])) {
        return Err(args.wrong("weighted_metrics", value, "none (null)"));
    }
    // How Keras runs it, and what acts on mixed precision only.
    args.ignore(&["run_eagerly", "steps_per_execution", "jit_compile", "auto_scale_loss"]);
    args.finish()?;
    Ok(Some(Compilation { loss, optimizer, metrics }))
}

/// For a model that was saved without having been compiled: Adam, and the loss that fits its last layer.
pub(super) fn fitting(network: &Network) -> Compilation {
    Compilation { loss: fitting_loss(network), optimizer: Adam::default().into(), metrics: Vec::new() }
}

fn fitting_loss(network: &Network) -> Loss {
    let activation = network.output_layer().and_then(|l| l.layer.config().remove("activation"));
    let sigmoid = activation.is_some_and(|name| name == "sigmoid");
    if sigmoid && outputs(network) == 1 { Loss::BinaryCrossentropy } else { Loss::MeanSquaredError }
}

fn outputs(network: &Network) -> usize {
    network.output_shape().last().copied().unwrap_or(1)
}

/// Where Keras has one thing for each output of a model, that of the only output.
fn only(value: &Value) -> Option<&Value> {
    match value {
        Value::Array(list) if list.len() == 1 => list.first(),
        // A class of Keras is an object, too.
        Value::Object(map) if map.len() == 1 => map.values().next(),
        _ => None,
    }
}

fn loss(value: &Value) -> Read<Loss> {
    if let Some(value) = only(value) {
        return loss(value);
    }
    let refuse = || {
        format!(
            "{PLACE}: argument `loss` is {}; supported here: binary_crossentropy, mean_squared_error. Compile the model with one of them in Keras and save it again",
            short(value)
        )
    };
    if let Some(name) = identifier(value) {
        return Loss::from_name(&snake_case(name)).map_err(|_| refuse());
    }
    let (class, config) = object(PLACE, value).map_err(|_| refuse())?;
    let place = format!("{PLACE}, loss ({class})");
    let mut args = Args::new(&place, config)?;
    let loss = match class {
        "BinaryCrossentropy" => {
            args.off(&["from_logits", "label_smoothing"])?;
            if let Some(axis) = args.get("axis").filter(|axis| axis.as_i64() != Some(-1)) {
                return Err(args.wrong("axis", axis, "-1"));
            }
            Loss::BinaryCrossentropy
        }
        "MeanSquaredError" => Loss::MeanSquaredError,
        _ => return Err(refuse()),
    };
    args.ignore(&["name"]);
    args.in_f32()?;
    // Without sample weights these are all the same.
    let means = ["sum_over_batch_size", "mean", "mean_with_sample_weight"];
    args.name_of("reduction", means[0], &means)?;
    args.finish()?;
    Ok(loss)
}

fn add_metrics(value: &Value, outputs: usize, metrics: &mut Vec<Metric>) -> Read<()> {
    match (only(value), value) {
        (Some(value), _) => add_metrics(value, outputs, metrics)?,
        (None, Value::Array(list)) => {
            for value in list {
                metrics.push(metric(value, outputs)?);
            }
        }
        (None, value) => metrics.push(metric(value, outputs)?),
    }
    Ok(())
}

const METRICS: &str = "accuracy, binary_accuracy, mae, mse";

fn metric(value: &Value, outputs: usize) -> Read<Metric> {
    let refuse = |supported: &str| {
        format!(
            "{PLACE}: metric {}; supported here: {supported}. Compile the model with these in Keras and save it again",
            short(value)
        )
    };
    if let Some(name) = identifier(value) {
        let name = snake_case(name);
        if outputs > 1 && (name == "accuracy" || name == "acc") {
            // By this name Keras takes the largest of several outputs for the class.
            return Err(refuse("for several outputs, binary_accuracy, mae, mse"));
        }
        return Metric::from_name(&name).map_err(|_| refuse(METRICS));
    }
    let (class, config) = object(PLACE, value).map_err(|_| refuse(METRICS))?;
    let mut args = Args::new(format!("{PLACE}, metric ({class})"), config)?;
    args.ignore(&["name"]);
    args.in_f32()?;
    let metric = match class {
        "BinaryAccuracy" => {
            let threshold = args.number("threshold", 0.5)?;
            if threshold != 0.5 {
                return Err(args.wrong("threshold", &threshold.into(), "0.5"));
            }
            Metric::Accuracy
        }
        "MeanAbsoluteError" => Metric::MeanAbsoluteError,
        "MeanSquaredError" => Metric::MeanSquaredError,
        _ => return Err(refuse(METRICS)),
    };
    args.finish()?;
    Ok(metric)
}

/// Keras's JSON of what a model was compiled with.
pub(super) fn write(compilation: &Compilation, network: &Network) -> Value {
    let metrics: Vec<&str> = compilation.metrics.iter().map(|metric| metric_name(*metric, outputs(network))).collect();
    json!({
        "optimizer": keras_optimizer::write(&compilation.optimizer),
        "loss": compilation.loss.name(),
        "metrics": metrics,
    })
}

/// By "accuracy" Keras means the binary one for a single output only.
fn metric_name(metric: Metric, outputs: usize) -> &'static str {
    match metric {
        Metric::Accuracy if outputs > 1 => "binary_accuracy",
        other => other.name(),
    }
}
