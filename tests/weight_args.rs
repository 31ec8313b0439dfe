//! Constraints and regularizers in training, against their formulas.

mod common;

use gatenorm::model::Gru;
use gatenorm::prelude::*;

fn data(samples: usize) -> Dataset {
    let x: Vec<f32> = (0..samples * 12).map(|i| ((i * i) as f32 * 0.37 + i as f32).sin()).collect();
    let y = x.chunks(6).map(|x| x.iter().sum()).collect();
    Dataset::from_arrays(x, &[samples, 4, 3], y, &[samples, 2]).unwrap()
}

/// Norms of a matrix `[rows, cols]` along axis 0, axis 1 or both, one for each element.
fn norms(w: &[f64], cols: usize, along: &[i64]) -> Vec<f64> {
    let (by_col, by_row) = (along == [0], along == [1] || along == [-1]);
    let same = |i: usize, j: usize| (!by_col || i % cols == j % cols) && (!by_row || i / cols == j / cols);
    let of = |i: usize| (0..w.len()).filter(|&j| same(i, j)).map(|j| w[j] * w[j]).sum::<f64>().sqrt();
    (0..w.len()).map(of).collect()
}

/// Keras's constraints (keras/src/constraints).
fn constrained(constraint: &Constraint, w: &[f64], cols: usize) -> Vec<f64> {
    let axes: &[i64] = match constraint {
        Constraint::NonNeg => return w.iter().map(|w| w.max(0.0)).collect(),
        Constraint::MaxNorm { axes, .. } | Constraint::UnitNorm { axes } | Constraint::MinMaxNorm { axes, .. } => axes,
    };
    let desired = |norm: f64| match constraint {
        Constraint::MaxNorm { max_value, .. } => norm.min(*max_value),
        Constraint::MinMaxNorm { min_value, max_value, rate, .. } => {
            rate * norm.clamp(*min_value, *max_value) + (1.0 - rate) * norm
        }
        _ => 1.0,
    };
    w.iter().zip(norms(w, cols, axes)).map(|(w, norm)| w * desired(norm) / (norm + 1e-7)).collect()
}

fn constraints() -> Vec<Constraint> {
    let slowly = Constraint::MinMaxNorm { min_value: 0.9, max_value: 1.1, rate: 0.3, axes: vec![0] };
    vec![
        Constraint::NonNeg,
        Constraint::max_norm(0.5),
        Constraint::max_norm(0.8).along(&[1]),
        Constraint::max_norm(1.2).along(&[]),
        Constraint::unit_norm(),
        Constraint::unit_norm().along(&[-1]),
        Constraint::min_max_norm(0.4, 0.6),
        slowly,
    ]
}

/// A model with this constraint on one weight.
fn held(path: &str, constraint: Option<&Constraint>) -> Sequential {
    let (mut dense, mut lstm, mut gru) = (Dense::new(7), Lstm::new(3).return_sequences(true), Gru::new(3));
    if let Some(constraint) = constraint.cloned() {
        match path {
            "dense/kernel" => dense = dense.kernel_constraint(constraint),
            "dense/bias" => dense = dense.bias_constraint(constraint),
            "lstm/kernel" => lstm = lstm.kernel_constraint(constraint),
            "lstm/recurrent_kernel" => lstm = lstm.recurrent_constraint(constraint),
            "lstm/bias" => lstm = lstm.bias_constraint(constraint),
            "gru/kernel" => gru = gru.kernel_constraint(constraint),
            _ => gru = gru.recurrent_constraint(constraint),
        }
    }
    Sequential::new(&[4, 3]).add(dense).add(lstm).add(gru).add(Dense::new(2))
}

/// The weights of a path after one step of training.
fn after_one_step(model: Sequential, device: Device, path: &str) -> (Vec<f64>, usize) {
    let mut model = model.seed(5).compile(device, Loss::MeanSquaredError, Sgd::new(0.1), []).unwrap();
    model.fit(&data(6), Fit::epochs(1).batch_size(6).shuffle(false)).unwrap();
    let weight = model.weights().unwrap().into_iter().find(|w| w.path == path).expect("a weight of this path");
    (weight.values.iter().map(|&v| v as f64).collect(), *weight.shape.last().unwrap())
}

/// Matrices and vectors, in every order on the device: the gates of a unit lie together there, a GRU's three with a gap.
#[test]
fn weights_are_constrained_after_the_update_as_in_keras() {
    for device in [Device::Cpu].into_iter().chain(common::gpu()) {
        let of_lstm = ["lstm/kernel", "lstm/recurrent_kernel", "lstm/bias"];
        let others = ["dense/kernel", "dense/bias", "gru/kernel", "gru/recurrent_kernel"];
        for path in others.into_iter().chain(of_lstm) {
            let (free, cols) = after_one_step(held(path, None), device.clone(), path);
            // A vector has one axis: its norm is that of a matrix of one column.
            let vector = path.ends_with("bias");
            let fitting = |c: &Constraint| !vector || !format!("{c:?}").contains("1]");
            for constraint in constraints().iter().filter(|c| fitting(c)) {
                let (found, _) = after_one_step(held(path, Some(constraint)), device.clone(), path);
                let expected = constrained(constraint, &free, if vector { 1 } else { cols });
                for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                    // A norm of at most 36 terms, a root, a division and two products.
                    let bound = 40.0 * f32::EPSILON as f64 * expected.abs().max(0.1);
                    assert!((found - expected).abs() <= bound, "{device} {path} {constraint:?}: {i}");
                }
            }
        }
    }
}

/// A model in double precision whose weights are smooth, unequal numbers of both signs.
fn in_f64(model: Sequential) -> Model {
    with_values(model.compile(Device::CpuF64, Loss::MeanSquaredError, Sgd::new(0.0), []).unwrap())
}

fn with_values(mut model: Model) -> Model {
    for (at, weight) in model.weights().unwrap().into_iter().enumerate().filter(|(_, w)| !w.path.contains("moving")) {
        let values: Vec<f32> = (0..weight.values.len()).map(|i| ((i * 7 + at * 3 + 1) as f32).sin()).collect();
        model.set_weights([(weight.path.as_str(), values.as_slice())]).unwrap();
    }
    model
}

const ROWS: [u32; 6] = [0, 1, 2, 3, 4, 5];

fn penalty(regularizer: Regularizer, values: &[f64]) -> f64 {
    values.iter().map(|v| regularizer.l1 * v.abs() + regularizer.l2 * v * v).sum()
}

fn near(what: &str, found: f64, expected: f64) {
    assert!((found - expected).abs() <= 1e-13 * expected.abs().max(1.0), "{what}: {found} is not {expected}");
}

const KERNEL: Regularizer = Regularizer { l1: 0.01, l2: 0.02 };
const BIAS: Regularizer = Regularizer { l1: 0.0, l2: 0.3 };
const GAMMA: Regularizer = Regularizer { l1: 0.2, l2: 0.0 };

fn dense(regularized: bool) -> Dense {
    let dense = Dense::new(7).activation(Activation::Tanh);
    if regularized { dense.kernel_regularizer(KERNEL).bias_regularizer(BIAS) } else { dense }
}

fn model(regularized: bool) -> Sequential {
    let normalization = BatchNormalization::new();
    let normalization = if regularized { normalization.gamma_regularizer(GAMMA) } else { normalization };
    Sequential::new(&[4, 3]).add(dense(regularized)).add(normalization).add(Lstm::new(2))
}

fn regularizer_of(path: &str) -> Option<Regularizer> {
    [("dense/kernel", KERNEL), ("dense/bias", BIAS), ("batch_normalization/gamma", GAMMA)]
        .into_iter()
        .find(|(of, _)| *of == path)
        .map(|(_, regularizer)| regularizer)
}

fn expected_penalty(model: &mut Model) -> f64 {
    let weights = model.weights().unwrap();
    let of = |w: &gatenorm::train::Weight| {
        let values: Vec<f64> = w.values.iter().map(|&v| v as f64).collect();
        regularizer_of(&w.path).map_or(0.0, |regularizer| penalty(regularizer, &values))
    };
    weights.iter().map(of).sum()
}

#[test]
fn regularizers_add_to_the_loss_and_to_gradients() {
    let data = data(6);
    let (mut plain, mut regularized) = (in_f64(model(false)), in_f64(model(true)));
    let expected = expected_penalty(&mut regularized);
    let (a, b) = (plain.trace(&data, &ROWS, true).unwrap(), regularized.trace(&data, &ROWS, true).unwrap());
    near("loss in training", b.loss - a.loss, expected);
    let weights = plain.weights().unwrap();
    for (a, b) in a.gradients.iter().zip(&b.gradients) {
        let weight = weights.iter().find(|w| w.path == a.name).expect("a weight of this path");
        let Regularizer { l1, l2 } = regularizer_of(&a.name).unwrap_or(Regularizer { l1: 0.0, l2: 0.0 });
        for (i, &w) in weight.values.iter().enumerate() {
            let w = w as f64;
            near(&a.name, b.values[i] - a.values[i], l1 * w.signum() + 2.0 * l2 * w);
        }
    }
    let (a, b) = (plain.evaluate_in_batches(&data, 4).unwrap(), regularized.evaluate_in_batches(&data, 4).unwrap());
    near("loss in evaluation", b.get("loss").unwrap() - a.get("loss").unwrap(), expected);
}

#[test]
fn the_devices_report_the_penalties() {
    let data = data(6);
    let mut truth = in_f64(model(true));
    let expected = truth.evaluate(&data).unwrap().get("loss").unwrap();
    for device in [Device::Cpu].into_iter().chain(common::gpu()) {
        let compiled = model(true).compile(device.clone(), Loss::MeanSquaredError, Sgd::new(0.0), []).unwrap();
        let found = with_values(compiled).evaluate(&data).unwrap().get("loss").unwrap();
        assert!((found - expected).abs() <= 1e-5 * expected, "{device}: {found} is not {expected}");
    }
}

/// A layer called twice, with regularizers or without.
fn shared(regularized: bool, activity: bool) -> Model {
    let mut graph = Functional::new();
    let x = graph.input("x", &[4, 3]).unwrap();
    let layer = dense(regularized);
    let shared = graph.layer(if activity { layer.activity_regularizer(KERNEL) } else { layer }).unwrap();
    let first = graph.call(shared, &[x]).unwrap()[0];
    let between = graph.add(Dense::new(3), &[first]).unwrap();
    let second = graph.call(shared, &[between]).unwrap()[0];
    let last = graph.add(Lstm::new(2), &[second]).unwrap();
    let model = graph.outputs(&[last]).compile(Device::CpuF64, Loss::MeanSquaredError, Sgd::new(0.0), []).unwrap();
    with_values(model)
}

#[test]
fn a_layer_called_twice_is_regularized_once() {
    let data = data(6);
    let mut regularized = shared(true, false);
    let expected = expected_penalty(&mut regularized);
    let loss = |model: &mut Model| model.trace(&data, &ROWS, true).unwrap().loss;
    near("loss", loss(&mut regularized) - loss(&mut shared(false, false)), expected);
}

#[test]
fn outputs_are_regularized_at_every_call_by_the_mean_over_samples() {
    let data = data(6);
    let trace = |activity| shared(false, activity).trace(&data, &ROWS, true).unwrap();
    let (plain, regularized) = (trace(false), trace(true));
    let outputs = plain.outputs.iter().filter(|output| output.name.split(':').next() == Some("dense"));
    let outputs: Vec<f64> = outputs.map(|output| penalty(KERNEL, &output.values)).collect();
    assert_eq!(outputs.len(), 2, "two calls");
    near("loss", regularized.loss - plain.loss, outputs.iter().sum::<f64>() / 6.0);
}

#[test]
fn a_frozen_layer_is_not_regularized() {
    let data = data(6);
    let loss = |regularized| {
        let model = Sequential::new(&[4, 3]).add_frozen(dense(regularized)).add(Lstm::new(2));
        in_f64(model).trace(&data, &ROWS, true).unwrap().loss
    };
    assert_eq!(loss(true), loss(false));
}
