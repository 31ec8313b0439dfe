//! Losses, metrics and weights of compiled models, on numbers that can be checked by hand.

use gatenorm::data::Dataset;
use gatenorm::model::Masking;
use gatenorm::prelude::*;
use gatenorm::train::{Average, Curve, EarlyStopping, Reduction};

/// A model whose prediction is its input.
fn identity(features: usize, loss: Loss, metrics: impl IntoIterator<Item = Metric>) -> Model {
    let layers = Sequential::new(&[features]).add(Dense::new(features).use_bias(false));
    let mut model = layers.compile(Device::CpuF64, loss, Sgd::new(0.1), metrics).unwrap();
    let kernel: Vec<f32> = (0..features * features).map(|i| f32::from(i % (features + 1) == 0)).collect();
    model.set_weights([("dense/kernel", &kernel[..])]).unwrap();
    model
}

/// Unequal numbers in 0..1.
fn numbers(count: usize, seed: f32) -> Vec<f32> {
    (0..count).map(|i| 0.5 + 0.49 * ((i as f32 + 1.0) * 1.7 + seed).sin()).collect()
}

fn near(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-6 * (1.0 + b.abs()), "{a} is not {b}");
}

#[test]
fn metrics_are_of_all_samples_whatever_the_batches() {
    let metrics = [
        Metric::Auc,
        Metric::Auc.curve(Curve::Pr).named("pr"),
        Metric::Precision,
        Metric::Recall.threshold(0.3),
        Metric::F1Score.threshold(0.5).average(Average::Macro),
        Metric::R2Score,
        Metric::RootMeanSquaredError,
        Metric::BinaryAccuracy,
        Metric::FalsePositives,
    ];
    let mut model = identity(2, Loss::BinaryCrossentropy, metrics);
    let y: Vec<f32> = numbers(40, 0.4).into_iter().map(|v| f32::from(v > 0.5)).collect();
    let data = Dataset::from_arrays(numbers(40, 0.1), &[20, 2], y, &[20, 2]).unwrap();
    let whole = model.evaluate_in_batches(&data, 20).unwrap();
    let parts = model.evaluate_in_batches(&data, 3).unwrap();
    assert_eq!(whole.0.len(), 10);
    for ((name, a), (_, b)) in whole.0.iter().zip(&parts.0) {
        assert!(a.is_finite() && *a > 0.0, "{name}: {a}");
        near(*a, *b);
    }
}

#[test]
fn areas_come_near_to_the_share_of_pairs_in_order() {
    let (x, y) = (numbers(200, 0.2), numbers(200, 1.9).into_iter().map(|v| f32::from(v > 0.6)).collect::<Vec<f32>>());
    let mut model = identity(1, Loss::BinaryCrossentropy, [Metric::Auc]);
    let data = Dataset::from_arrays(x.clone(), &[200, 1], y.clone(), &[200, 1]).unwrap();
    let area = model.evaluate(&data).unwrap().get("auc").unwrap();
    let of = |label: f32| x.iter().zip(&y).filter(move |(_, y)| **y == label).map(|(x, _)| *x).collect::<Vec<f32>>();
    let (positive, negative) = (of(1.0), of(0.0));
    let pairs = positive.iter().flat_map(|p| negative.iter().map(move |n| f64::from(u8::from(p > n))));
    let share = pairs.sum::<f64>() / (positive.len() * negative.len()) as f64;
    assert!((area - share).abs() < 0.01, "{area} against {share}");
}

#[test]
fn samples_count_by_their_weights() {
    let metrics = [Metric::MeanAbsoluteError, Metric::MeanAbsoluteError.weighted(true)];
    let mut model = identity(1, Loss::MeanSquaredError, metrics);
    let data = Dataset::from_arrays(vec![1.0, 2.0, 4.0], &[3, 1], vec![0.0; 3], &[3, 1]).unwrap();
    let weighted = data.clone().with_sample_weight(vec![1.0, 0.0, 2.0], &[3]).unwrap();
    let scores = model.evaluate_in_batches(&weighted, 3).unwrap();
    // The sum is divided by the number of samples in the loss, and by the sum of the weights in the metric.
    assert_eq!(scores.get("loss"), Some((1.0 + 2.0 * 16.0) / 3.0));
    assert_eq!((scores.get("mae"), scores.get("weighted_mae")), (Some(7.0 / 3.0), Some(3.0)));
    let rows = [0, 1, 2];
    let gradient =
        |model: &mut Model, data: &Dataset, rows: &[u32]| model.trace(data, rows, true).unwrap().gradients[0].values[0];
    let parts: Vec<f64> = rows.iter().map(|&row| gradient(&mut model, &data, &[row])).collect();
    near(gradient(&mut model, &weighted, &rows), (parts[0] + 2.0 * parts[2]) / 3.0);
    for (reduction, expected) in [(Reduction::Sum, 33.0), (Reduction::MeanWithSampleWeight, 11.0)] {
        let mut model = identity(1, Loss::MeanSquaredError.reduction(reduction), []);
        assert_eq!(model.evaluate(&weighted).unwrap().get("loss"), Some(expected));
        let parts: Vec<f64> = rows.iter().map(|&row| gradient(&mut model, &data, &[row])).collect();
        let whole = parts[0] + 2.0 * parts[2];
        near(gradient(&mut model, &weighted, &rows), if reduction == Reduction::Sum { whole } else { whole / 3.0 });
    }
}

#[test]
fn class_weights_are_weights_of_samples() {
    let data =
        Dataset::from_arrays(numbers(24, 0.3), &[12, 2], (0..12).map(|i| (i % 3) as f32).collect(), &[12, 1]).unwrap();
    let trained = |data: &Dataset, fit: Fit<'_>| {
        let layers = Sequential::new(&[2]).add(Dense::new(3).activation(Activation::Softmax));
        let mut model = layers
            .compile(Device::Cpu, Loss::SparseCategoricalCrossentropy, Sgd::new(0.1), [Metric::Accuracy])
            .unwrap();
        let history = model.fit(data, fit.batch_size(5)).unwrap();
        (history.get("loss"), model.weights().unwrap())
    };
    let by_class = trained(&data, Fit::epochs(3).class_weight([(0, 0.5), (2, 3.0)]));
    let weights = (0..12).map(|i| [0.5, 1.0, 3.0][i % 3]).collect();
    let by_sample = trained(&data.clone().with_sample_weight(weights, &[12]).unwrap(), Fit::epochs(3));
    assert_eq!(by_class, by_sample);
    assert_ne!(by_class, trained(&data, Fit::epochs(3)));
}

#[test]
fn masked_steps_count_nothing() {
    let layers = Sequential::new(&[3, 1]).add(Masking::new()).add(Dense::new(1).use_bias(false));
    let metrics = [
        Metric::MeanAbsoluteError,
        Metric::RootMeanSquaredError,
        Metric::MeanAbsoluteError.weighted(true).named("weighted"),
    ];
    let mut model = layers.compile(Device::CpuF64, Loss::MeanSquaredError, Sgd::new(0.1), metrics).unwrap();
    model.set_weights([("dense/kernel", &[1.0][..])]).unwrap();
    let x = vec![1.0, 0.0, 2.0, 0.0, 0.0, 3.0];
    let data = Dataset::from_arrays(x, &[2, 3, 1], vec![0.0; 6], &[2, 3, 1]).unwrap();
    let scores = model.evaluate_in_batches(&data, 2).unwrap();
    near(scores.get("loss").unwrap(), 14.0 / 3.0);
    near(scores.get("mae").unwrap(), 2.0);
    // Keras counts masked steps here.
    near(scores.get("root_mean_squared_error").unwrap(), (14f64 / 6.0).sqrt());
    let of_steps = data.clone().with_sample_weight(vec![1.0, 1.0, 2.0, 1.0, 1.0, 0.0], &[2, 3]).unwrap();
    let scores = model.evaluate_in_batches(&of_steps, 2).unwrap();
    near(scores.get("loss").unwrap(), (1.0 + 2.0 * 4.0) / 3.0);
    near(scores.get("weighted").unwrap(), (1.0 + 2.0 * 2.0) / 3.0);
    let of_samples = data.with_sample_weight(vec![1.0, 3.0], &[2]).unwrap();
    let scores = model.evaluate_in_batches(&of_samples, 2).unwrap();
    near(scores.get("loss").unwrap(), (1.0 + 4.0 + 3.0 * 9.0) / 3.0);
    near(scores.get("weighted").unwrap(), (3.0 + 9.0) / 5.0);
}

/// Outputs `dense` and `dense_1` that are the input, and the input doubled.
fn two_outputs(losses: impl Into<gatenorm::train::Losses>, metrics: &[Metric]) -> Result<Model> {
    let mut graph = Functional::new();
    let x = graph.input("x", &[1])?;
    let outputs = [1, 2].map(|_| graph.add(Dense::new(1).use_bias(false), &[x]).unwrap());
    let graph = graph.outputs(&outputs);
    let mut model = graph.compile(Device::CpuF64, losses, Sgd::new(0.1), metrics.iter().cloned())?;
    model.set_weights([("dense/kernel", &[1.0][..]), ("dense_1/kernel", &[2.0])])?;
    Ok(model)
}

#[test]
fn several_outputs_have_their_losses_weights_and_metrics() {
    let x = vec![1.0, 3.0];
    let data =
        Dataset::from_arrays(x, &[2, 1], vec![0.0; 2], &[2, 1]).unwrap().with_target(vec![0.0; 2], &[2, 1]).unwrap();
    let metrics = [Metric::MeanAbsoluteError.on("dense_1"), Metric::MeanSquaredError.on("dense")];
    let losses = [Loss::MeanSquaredError, Loss::MeanAbsoluteError.weight(0.5)];
    let mut model = two_outputs(losses, &metrics).unwrap();
    let scores = model.evaluate(&data).unwrap();
    let expected =
        [("loss", 7.0), ("dense_loss", 5.0), ("dense_1_loss", 4.0), ("dense_mse", 5.0), ("dense_1_mae", 4.0)];
    assert_eq!(scores.0, expected.map(|(name, value)| (name.to_owned(), value)));
    let trace = model.trace(&data, &[0, 1], true).unwrap();
    // Of (1 + 9) / 2 k², and of half of (1 + 3) / 2 |k|.
    assert_eq!(trace.gradients.iter().map(|g| g.values[0]).collect::<Vec<f64>>(), [10.0, 1.0]);
    // By name it is known that less of both is better.
    for monitor in ["dense_1_mae", "dense_loss"] {
        let stopping = EarlyStopping::new().monitor(monitor);
        assert_eq!(model.fit(&data, Fit::epochs(1).callback(stopping)).unwrap().epochs.len(), 1);
    }
    let mut model = two_outputs(Loss::MeanSquaredError, &[]).unwrap();
    assert_eq!(model.evaluate(&data).unwrap().get("loss"), Some(25.0));
}

#[test]
fn a_confusion_matrix_counts_classes() {
    let x = vec![0.9, 0.1, 0.0, 0.2, 0.7, 0.1, 0.1, 0.3, 0.6, 0.8, 0.1, 0.1];
    let data = Dataset::from_arrays(x, &[4, 3], vec![0.0, 1.0, 2.0, 1.0], &[4, 1]).unwrap();
    let mut model = identity(3, Loss::SparseCategoricalCrossentropy, []);
    let matrix = model.confusion_matrix(&data).unwrap();
    assert_eq!(matrix.counts, [[1, 0, 0], [1, 1, 0], [0, 0, 1]]);
    assert_eq!((matrix.classes(), matrix.accuracy()), (3, 0.75));
    let data = Dataset::from_arrays(vec![0.2, 0.9, -0.1], &[3, 1], vec![1.0, 1.0, 0.0], &[3, 1]).unwrap();
    let counts = |loss: Loss| identity(1, loss, []).confusion_matrix(&data).unwrap().counts;
    assert_eq!(counts(Loss::BinaryCrossentropy), [[1, 0], [1, 1]]);
    assert_eq!(counts(Loss::BinaryCrossentropy.from_logits(true)), [[1, 0], [0, 2]]);
    let message = identity(1, Loss::MeanSquaredError, []).confusion_matrix(&data).unwrap_err().to_string();
    assert!(message.contains("mean_squared_error judges numbers"), "{message}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let compile = |loss: Loss, metric: Metric| {
        let layers = Sequential::new(&[2]).add(Dense::new(3));
        layers.compile(Device::Cpu, loss, Sgd::new(0.1), [metric]).map(drop)
    };
    let refused = |result: Result<()>, words: &[&str]| {
        let message = result.unwrap_err().to_string();
        words.iter().for_each(|word| assert!(message.contains(word), "`{word}` is not in: {message}"));
    };
    let (mse, mae) = (Loss::MeanSquaredError, Metric::MeanAbsoluteError);
    refused(compile(mse.from_logits(true), mae.clone()), &["`mean_squared_error`", "from_logits"]);
    refused(compile(mse.delta(2.0), mae.clone()), &["delta", "huber"]);
    refused(compile(Loss::Huber.delta(-1.0), mae.clone()), &["delta is -1"]);
    refused(compile(Loss::SparseCategoricalCrossentropy.label_smoothing(0.1), mae.clone()), &["label_smoothing"]);
    refused(compile(mse, mae.clone().threshold(0.5)), &["metric `mae`", "no argument threshold"]);
    refused(compile(mse, Metric::SparseCategoricalAccuracy), &["`sparse_categorical_accuracy`", "numbers of classes"]);
    refused(
        compile(Loss::SparseCategoricalCrossentropy, Metric::Precision),
        &["`precision`", "a target for each output"],
    );
    refused(compile(mse, Metric::F1Score), &["`f1_score`", "choose an average"]);
    refused(compile(mse, Metric::Precision.class_id(3)), &["class_id must be below 3"]);
    refused(compile(mse, Metric::Precision.k(2).threshold(0.1)), &["a threshold or k"]);
    refused(compile(mse, mae.clone().on("elsewhere")), &["`elsewhere`", "dense"]);
    refused(two_outputs([mse; 3], &[]).map(drop), &["2 outputs, but 3 losses"]);
    refused(two_outputs(mse, &[mae]).map(drop), &["no output", "dense, dense_1"]);
    let mut model = identity(2, Loss::SparseCategoricalCrossentropy, []);
    let data = Dataset::from_arrays(vec![0.0; 4], &[2, 2], vec![1.0, 2.0], &[2, 1]).unwrap();
    refused(model.evaluate(&data).map(drop), &["0 to 1 of 2 classes", "target 1 is 2"]);
    let data = Dataset::from_arrays(vec![0.0; 4], &[2, 2], vec![0.0; 2], &[2, 1]).unwrap();
    let of_steps = data.with_sample_weight(vec![1.0; 6], &[2, 3]).unwrap();
    refused(model.evaluate(&of_steps).map(drop), &["sequences of 3 steps", "one weight for each sample"]);
}
