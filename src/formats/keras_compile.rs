//! `compile_config`: losses, optimizer and metrics in Keras's JSON, there and back.

use serde_json::{Map, Value, json};

use super::keras_args::{Args, Read};
use super::keras_outputs::{Outputs, only};
use super::{keras_loss, keras_metric, keras_optimizer};
use crate::model::{Network, Placed};
use crate::train::{Adam, Compilation, Loss, Metric};

pub(super) const PLACE: &str = "compile_config";

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
    let outputs = Outputs::of(network);
    let mut losses = match args.get("loss") {
        Some(value) => read_losses(value, &outputs)?,
        None => fitting_losses(network),
    };
    if let Some(value) = args.get("loss_weights") {
        losses = with_weights(losses, value, &outputs).ok_or_else(|| args.wrong("loss_weights", value, "numbers"))?;
    }
    let mut metrics = Vec::new();
    for (name, weighted) in [("metrics", false), ("weighted_metrics", true)] {
        if let Some(value) = args.get(name) {
            metrics.extend(read_metrics(value, &outputs)?.into_iter().map(|metric| metric.weighted(weighted)));
        }
    }
    // How Keras runs it, and what acts on mixed precision only.
    args.ignore(&["run_eagerly", "steps_per_execution", "jit_compile", "auto_scale_loss"]);
    args.finish()?;
    Ok(Some(Compilation { losses, optimizer, metrics }))
}

/// One loss for all outputs, or one for each.
fn read_losses(value: &Value, outputs: &Outputs<'_>) -> Read<Vec<Loss>> {
    if outputs.is_structured(value) {
        let each = outputs.each("loss", value)?;
        let missing = || format!("{PLACE}: argument `loss` names none for an output; give one for each");
        return each.into_iter().map(|value| keras_loss::read(value.ok_or_else(missing)?)).collect();
    }
    Ok(vec![keras_loss::read(only(value).unwrap_or(value))?])
}

fn with_weights(losses: Vec<Loss>, value: &Value, outputs: &Outputs<'_>) -> Option<Vec<Loss>> {
    if !outputs.is_structured(value) {
        let weight = only(value).unwrap_or(value).as_f64()?;
        return Some(losses.into_iter().map(|loss| loss.weight(weight)).collect());
    }
    let each = outputs.each("loss_weights", value).ok()?;
    let loss_of = |i: usize| losses[i.min(losses.len() - 1)];
    each.into_iter().enumerate().map(|(i, weight)| Some(loss_of(i).weight(weight?.as_f64()?))).collect()
}

/// All metrics, each with its output where there are several.
fn read_metrics(value: &Value, outputs: &Outputs<'_>) -> Read<Vec<Metric>> {
    let empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
    if outputs.names.len() == 1 || empty(value) {
        return Outputs::flat(value).into_iter().map(keras_metric::read).collect();
    }
    let mut metrics = Vec::new();
    for (name, value) in outputs.names.iter().zip(outputs.each("metrics", value)?) {
        for value in value.map(Outputs::flat).unwrap_or_default() {
            metrics.push(keras_metric::read(value)?.on(*name));
        }
    }
    Ok(metrics)
}

/// For a model that was saved without having been compiled: Adam, and the losses that fit its outputs.
pub(super) fn fitting(network: &Network) -> Compilation {
    Compilation { losses: fitting_losses(network), optimizer: Adam::default().into(), metrics: Vec::new() }
}

/// Binary cross-entropy for a single sigmoid, categorical cross-entropy for a softmax, else the mean squared error.
fn fitting_losses(network: &Network) -> Vec<Loss> {
    let fitting = |(layer, shape): (Option<&Placed>, &Vec<usize>)| {
        let activation = layer.and_then(|placed| placed.layer.config().remove("activation"));
        match activation.as_ref().and_then(Value::as_str) {
            Some("sigmoid") if shape.last() == Some(&1) => Loss::BinaryCrossentropy,
            Some("softmax") => Loss::CategoricalCrossentropy,
            _ => Loss::MeanSquaredError,
        }
    };
    network.output_layers().into_iter().zip(network.output_shapes()).map(fitting).collect()
}

/// Reads the loss of the only output.
pub(super) fn loss(value: &Value) -> Read<Loss> {
    keras_loss::read(only(value).unwrap_or(value))
}

/// Keras's JSON of what a model was compiled with.
pub(super) fn write(compilation: &Compilation, network: &Network) -> Value {
    let Compilation { losses, optimizer, metrics } = compilation;
    let names = network.output_names();
    let several = names.len() > 1;
    let mut config = Map::new();
    config.insert("optimizer".into(), keras_optimizer::write(optimizer));
    // One loss for all of several outputs could have one weight only in a list.
    let weighted = losses.iter().any(|loss| loss.counts_for() != 1.0);
    let of_output = |i: usize| losses[i.min(losses.len() - 1)];
    let each: Vec<Loss> = (0..names.len()).map(of_output).collect();
    let list = several && (losses.len() > 1 || weighted);
    let written: Vec<Value> = each.iter().map(|loss| keras_loss::write(*loss)).collect();
    config.insert("loss".into(), if list { written.into() } else { written[0].clone() });
    if weighted {
        config.insert("loss_weights".into(), each.iter().map(|loss| loss.counts_for()).collect());
    }
    for (key, weighted) in [("metrics", false), ("weighted_metrics", true)] {
        let chosen = metrics.iter().filter(|metric| metric.weighted == weighted);
        let sparse = |name: &str| names.iter().position(|n| *n == name).is_some_and(|i| each[i].kind().is_sparse());
        let of = |name: &str| -> Vec<Value> {
            let mine = chosen.clone().filter(|metric| !several || metric.output.as_deref() == Some(name));
            let outputs = network.output_shapes()[names.iter().position(|n| *n == name).unwrap_or(0)].clone();
            mine.map(|metric| keras_metric::write(metric, &outputs, sparse(name))).collect()
        };
        let value: Value = match several {
            false => of(names[0]).into(),
            true => names.iter().map(|name| of(name)).collect::<Vec<_>>().into(),
        };
        if key == "metrics" || chosen.clone().next().is_some() {
            config.insert(key.into(), value);
        }
    }
    json!(config)
}
