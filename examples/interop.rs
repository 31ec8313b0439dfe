//! Drives models from the command line for `tests/interop`, which compares them with Keras. Arrays travel as JSON:
//! `{"x": [...], "x_shape": [...], "y": [...], "y_shape": [...]}`, in C order, further inputs and targets in `more_x` and `more_y`,
//! sample weights in `weights`, class weights in `class_weight`; a `batch` is the size of batches to evaluate in;
//! `lengths` tells how many steps of each sample are its own, where they are not all.

use std::error::Error;
use std::fs;

use gatenorm::formats::{Compile, Description};
use gatenorm::model::{Bidirectional, Masking, MergeMode};
use gatenorm::prelude::*;
use gatenorm::train::{
    CsvLogger, EarlyStopping, ModelCheckpoint, Optimizer, ReduceLrOnPlateau, TensorBoard, UpdateFreq,
};
use serde_json::{Value, json};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const USAGE: &str =
    "usage: interop train-and-save KIND DATA.json OUT.keras OUT.json (KIND: adam, momentum, nesterov, sgd, raw, \
                     untrained, several, lengths, arguments)
       interop open FILE.keras DATA.json OUT.json
       interop begin FILE.json DATA.json OUT.keras OUT.json
       interop predict FILE.keras DATA.json OUT.keras|- OUT.json
       interop continue FILE.keras STEPS DATA.json OUT.keras OUT.json
       interop callbacks FILE.keras EPOCHS DATA.json SETTINGS FOLDER";

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["train-and-save", kind, data, out, report] => train_and_save(kind, data, out, report),
        ["open", file, data, out] => describe(&mut Model::load(file, Device::Cpu)?, data, &[], out),
        ["begin", file, data, saved, out] => {
            let text = fs::read_to_string(file)?;
            let mut model = Description::from_json(&text)?.model(Device::Cpu, 5, Compile::default())?;
            model.fit(&read_data(data)?, Fit::epochs(2).batch_size(16))?;
            model.save(saved)?;
            describe(&mut model, data, &[], out)
        }
        ["predict", file, data, saved, out] => {
            let mut model = Model::load(file, Device::Cpu)?;
            let predictions = model.predict_all(&read_data(data)?)?;
            if saved != "-" {
                model.save(saved)?;
            }
            Ok(fs::write(out, json!({ "predictions": predictions }).to_string())?)
        }
        ["continue", file, steps, data, out, report] => {
            let mut model = Model::load(file, Device::Cpu)?;
            let losses = full_batches(&mut model, steps.parse()?, data)?;
            model.save(out)?;
            describe(&mut model, data, &losses, report)
        }
        ["callbacks", file, epochs, data, settings, folder] => {
            callbacks(&mut Model::load(file, Device::Cpu)?, epochs.parse()?, &read_data(data)?, settings, folder)
        }
        _ => Err(USAGE.into()),
    }
}

fn read(path: &str) -> Outcome<Value> {
    Ok(serde_json::from_str(&fs::read_to_string(path)?)?)
}

fn read_data(path: &str) -> Outcome<Dataset> {
    let json = read(path)?;
    let values = |name: &str| serde_json::from_value::<Vec<f32>>(json[name].clone());
    let shape = |name: &str| serde_json::from_value::<Vec<usize>>(json[name].clone());
    let (x, x_shape, y, y_shape) = (values("x")?, shape("x_shape")?, values("y")?, shape("y_shape")?);
    let mut data = match &json["lengths"] {
        Value::Null => Dataset::from_arrays(x, &x_shape, y, &y_shape)?,
        lengths => {
            let (lengths, features) = (serde_json::from_value::<Vec<usize>>(lengths.clone())?, x_shape[2]);
            let samples = x.chunks(x_shape[1] * features).zip(lengths);
            let own: Vec<Vec<f32>> = samples.map(|(sample, length)| sample[..length * features].to_vec()).collect();
            Dataset::from_sequences(&own, features, y, &y_shape)?
        }
    };
    for more in json["more_x"].as_array().into_iter().flatten() {
        let (values, shape) = array(more)?;
        data = data.with_input(values, &shape)?;
    }
    for more in json["more_y"].as_array().into_iter().flatten() {
        let (values, shape) = array(more)?;
        data = data.with_target(values, &shape)?;
    }
    if json["weights"].is_object() {
        let (values, shape) = array(&json["weights"])?;
        data = data.with_sample_weight(values, &shape)?;
    }
    Ok(data)
}

/// Values and shape.
fn array(json: &Value) -> Outcome<(Vec<f32>, Vec<usize>)> {
    Ok((serde_json::from_value(json["x"].clone())?, serde_json::from_value(json["x_shape"].clone())?))
}

fn train_and_save(kind: &str, file: &str, out: &str, report: &str) -> Outcome {
    let data = &read_data(file)?;
    let optimizer: Optimizer = match kind {
        "momentum" => Sgd::new(0.05).momentum(0.9).into(),
        "nesterov" => Sgd::new(0.05).momentum(0.9).nesterov(true).into(),
        "sgd" => Sgd::new(0.1).into(),
        _ => Adam::new(0.003).into(),
    };
    let mut model = match kind {
        "several" => several_outputs(data, optimizer)?,
        "directions" => directions(data, optimizer)?,
        "arguments" => with_weight_arguments(data, optimizer)?,
        _ => lesson(data, optimizer, kind != "raw")?,
    };
    let epochs = if kind == "untrained" { 0 } else { 3 };
    let history = model.fit(data, Fit::epochs(epochs).batch_size(16))?;
    model.save(out)?;
    describe(&mut model, file, &history.get("loss"), report)
}

/// Two LSTM and batch normalisation pairs over a sigmoid.
fn lesson(data: &Dataset, optimizer: Optimizer, normalized: bool) -> Outcome<Model> {
    let mut layers = Sequential::new(data.input_shape()).seed(3);
    if normalized {
        layers = layers.add(Normalization::new());
    }
    if data.lengths().is_some() {
        layers = layers.add(Masking::new());
    }
    let layers = layers
        .add(Lstm::new(16).return_sequences(true))
        .add(BatchNormalization::new())
        .add(Lstm::new(8))
        .add(BatchNormalization::new())
        .add(Dense::new(1).activation(Activation::Sigmoid));
    let metrics = [Metric::Accuracy, Metric::MeanAbsoluteError];
    let mut model = layers.compile(Device::Cpu, Loss::BinaryCrossentropy, optimizer, metrics)?;
    if normalized {
        model.adapt(data)?;
    }
    Ok(model)
}

/// An output for every step, and several of them.
fn several_outputs(data: &Dataset, optimizer: Optimizer) -> Outcome<Model> {
    let layers = Sequential::new(data.input_shape())
        .add(Lstm::new(5).use_bias(false).return_sequences(true))
        .add(BatchNormalization::new().center(false).scale(false))
        .add(Dense::new(4).activation(Activation::Tanh))
        .add(Dense::new(2));
    let metrics = [Metric::Accuracy, Metric::MeanSquaredError];
    Ok(layers.compile(Device::Cpu, Loss::MeanSquaredError, optimizer, metrics)?)
}

/// Both directions, with dropout of inputs and states.
fn directions(data: &Dataset, optimizer: Optimizer) -> Outcome<Model> {
    let layers = Sequential::new(data.input_shape())
        .add(Normalization::new())
        .add(Bidirectional::new(Lstm::new(6).return_sequences(true).dropout(0.2)))
        .add(Bidirectional::new(Lstm::new(5).recurrent_dropout(0.3)).merge_mode(MergeMode::Sum))
        .add(Dense::new(1).activation(Activation::Sigmoid));
    let mut model = layers.compile(Device::Cpu, Loss::BinaryCrossentropy, optimizer, [Metric::Accuracy])?;
    model.adapt(data)?;
    Ok(model)
}

/// Initializers, regularizers, constraints and activations.
fn with_weight_arguments(data: &Dataset, optimizer: Optimizer) -> Outcome<Model> {
    let first = Dense::new(7)
        .activation(Activation::Selu)
        .kernel_initializer(Initializer::RandomNormal { mean: 0.0, stddev: 1.0 })
        .kernel_regularizer(Regularizer::l1_l2(0.01, 0.02))
        .kernel_constraint(Constraint::max_norm(0.9))
        .bias_regularizer(Regularizer::l1(0.1))
        .activity_regularizer(Regularizer::l2(0.01));
    let normalization = BatchNormalization::new()
        .gamma_initializer(Initializer::Constant(0.5))
        .gamma_constraint(Constraint::NonNeg)
        .beta_regularizer(Regularizer::l2(0.1));
    let layers =
        Sequential::new(data.input_shape()).add(first).add(Lstm::new(6)).add(normalization).add(
            Dense::new(1).kernel_constraint(Constraint::min_max_norm(0.5, 1.0)).bias_constraint(Constraint::NonNeg),
        );
    Ok(layers.compile(Device::Cpu, Loss::MeanSquaredError, optimizer, [])?)
}

/// Trains on all samples at once, in order; the losses before each step.
fn full_batches(model: &mut Model, steps: usize, file: &str) -> Outcome<Vec<f64>> {
    let data = read_data(file)?;
    let mut fit = Fit::epochs(steps).batch_size(data.len()).shuffle(false);
    if let Some(weights) = read(file)?["class_weight"].as_array().filter(|weights| !weights.is_empty()) {
        fit = fit.class_weight(serde_json::from_value::<Vec<(usize, f64)>>(json!(weights))?);
    }
    Ok(model.fit(&data, fit)?.get("loss"))
}

/// Trains on all samples at once, with the callbacks that Keras is given, too.
fn callbacks(model: &mut Model, epochs: usize, data: &Dataset, settings: &str, folder: &str) -> Outcome {
    let settings: Value = serde_json::from_str(settings)?;
    let number = |name: &str| settings[name].as_f64().ok_or(format!("no {name}"));
    let reduce = ReduceLrOnPlateau::new().monitor("loss").factor(number("factor")?).min_lr(number("min_lr")?);
    let reduce = reduce.patience(number("patience")? as usize).cooldown(number("cooldown")? as usize);
    let stopping = EarlyStopping::new().monitor("loss").patience(number("stop_patience")? as usize);
    let weights = ModelCheckpoint::new(format!("{folder}/last.weights.h5")).save_weights_only(true);
    let fit = Fit::epochs(epochs)
        .batch_size(data.len())
        .shuffle(false)
        .callback(reduce.min_delta(number("min_delta")?))
        .callback(stopping.min_delta(number("stop_min_delta")?))
        .callback(CsvLogger::new(format!("{folder}/ours.csv")))
        .callback(TensorBoard::new(format!("{folder}/tensorboard")).update_freq(UpdateFreq::Batch))
        .callback(weights);
    let history = model.fit(data, fit)?;
    let weights = model.weights()?;
    let weights: Vec<Value> = weights.iter().map(|w| json!({"path": w.path, "values": w.values})).collect();
    let report = json!({ "epochs": history.epochs, "weights": weights, "iterations": model.iterations() });
    Ok(fs::write(format!("{folder}/report.json"), report.to_string())?)
}

/// Everything that Keras is held to.
fn describe(model: &mut Model, file: &str, losses: &[f64], out: &str) -> Outcome {
    let data = &read_data(file)?;
    let weights = model.weights()?;
    let weights: Vec<Value> =
        weights.iter().map(|w| json!({"path": w.path, "shape": w.shape, "values": w.values})).collect();
    let state: Vec<Vec<Vec<f32>>> = model
        .optimizer_state()?
        .into_iter()
        .map(|moment| moment.into_iter().map(|(_, values)| values).collect())
        .collect();
    let names: Vec<&str> = model.network().layers.iter().map(|layer| layer.name.as_str()).collect();
    let metrics: Vec<&str> = model.metrics().iter().map(|metric| metric.name()).collect();
    let mut report = json!({
        "names": names,
        "weights": weights,
        "moments": state,
        "iterations": model.iterations(),
        "learning_rate": model.optimizer().learning_rate(),
        "loss": model.loss().name(),
        "metrics": metrics,
        "losses": losses,
    });
    if model.network().outputs.len() == 1 {
        report["scores"] = serde_json::to_value(model.evaluate(data)?)?;
    }
    if let Some(batch) = read(file)?["batch"].as_u64() {
        report["scores_in_batches"] = serde_json::to_value(model.evaluate_in_batches(data, batch as usize)?)?;
    }
    report["predictions"] = json!(model.predict_all(data)?.concat());
    Ok(fs::write(out, serde_json::to_string(&report)?)?)
}
