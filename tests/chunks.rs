//! Data sets that pass through the device in chunks: the same bits as where they lie there whole, in bounded memory.

mod common;

use gatenorm::data::{Dataset, Missing, TableOptions, TimeFeature};
use gatenorm::exec::Counters;
use gatenorm::model::{Functional, Masking};
use gatenorm::prelude::*;

/// Samples of a batch.
const BATCH: usize = 8;

fn devices() -> Vec<Device> {
    [Device::Cpu].into_iter().chain(common::gpu()).collect()
}

fn wave(len: usize, rate: f32) -> Vec<f32> {
    (0..len).map(|i| (i as f32 * rate + (i * i) as f32 * 0.37).sin()).collect()
}

fn classes(samples: usize) -> Vec<f32> {
    (0..samples).map(|i| f32::from(u8::from(i.is_multiple_of(3)))).collect()
}

fn samples(count: usize) -> Dataset {
    Dataset::from_arrays(wave(count * 10, 0.7), &[count, 5, 2], classes(count), &[count, 1]).unwrap()
}

fn model(shape: &[usize], masking: bool, device: &Device) -> Model {
    let layers = Sequential::new(shape);
    let layers = if masking { layers.add(Masking::new().mask_value(-9.0)) } else { layers };
    layers
        .add(Lstm::new(6).return_sequences(true).dropout(0.2))
        .add(BatchNormalization::new())
        .add(Lstm::new(4))
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .compile(device.clone(), Loss::BinaryCrossentropy, Adam::new(0.01), [Metric::Accuracy, Metric::Auc])
        .unwrap()
}

/// All that comes of a model: bits of weights, losses, scores and predictions.
#[derive(Debug, PartialEq)]
struct Came {
    weights: Vec<(String, Vec<u32>)>,
    losses: Vec<u64>,
    scores: String,
    predictions: Vec<u64>,
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Trains, estimates statistics, evaluates and predicts with so much memory for data.
fn come(mut model: Model, (train, validation): &(Dataset, Dataset), memory: Option<usize>, shuffle: bool) -> Came {
    model.set_device_memory(memory);
    let fit = Fit::epochs(3).batch_size(BATCH).validation(validation).shuffle(shuffle);
    let history = model.fit(train, fit).unwrap();
    let in_fit = model.device_memory().data;
    let steps = model.train_on(train, &[vec![5, 1, 3], vec![2]]).unwrap();
    model.estimate_population_statistics(train, BATCH).unwrap();
    let scores = model.evaluate_in_batches(train, 5).unwrap();
    let predictions = model.predict_in_batches(train, 7).unwrap().into_iter().map(f64::to_bits).collect();
    if let Some(most) = memory {
        assert!(in_fit <= most && model.device_memory().data <= most, "{most} bytes: {}", model.device_memory());
    }
    let weights = model.weights().unwrap().into_iter().map(|w| (w.path, bits(&w.values))).collect();
    let losses = [history.get("loss"), history.get("val_loss")].concat().into_iter();
    let losses = losses.chain(steps.iter().filter_map(|scores| scores.get("loss"))).map(f64::to_bits).collect();
    Came { weights, losses, scores: format!("{scores:?}"), predictions }
}

/// `memory` holds a part of the data set only.
#[track_caller]
fn same_bits(data: Dataset, memory: usize, model: impl Fn(&Device) -> Model) {
    let parts = data.validation_split(0.25).unwrap();
    for device in devices() {
        let whole = come(model(&device), &parts, None, true);
        assert_eq!(come(model(&device), &parts, Some(memory), true), whole, "{device}");
        assert_ne!(come(model(&device), &parts, Some(memory), false), whole, "{device}: the order matters");
    }
}

#[test]
fn samples_that_pass_through_give_the_same_bits() {
    // 52 bytes a sample: 4 chunks of 5 batches and a last one that is short, as its last batch is.
    same_bits(samples(241), 6_000, |device| model(&[5, 2], false, device));
}

#[test]
fn windows_with_rows_to_mask_give_the_same_bits() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let value = |i: usize| if i % 7 == 3 { String::new() } else { (i as f32 * 0.7).sin().to_string() };
    let rows: String = (0..400).map(|i| format!("{},{},{}\n", value(i), value(i), i % 5 / 3)).collect();
    std::fs::write(file.path(), "a,b,y\n".to_owned() + &rows).unwrap();
    let data = Dataset::csv(file.path()).target("y").window(6).missing(Missing::Mask).load().unwrap();
    // The rows lie there once where all do, so that it takes little memory to have room for them.
    same_bits(data, 2_200, |device| model(&[6, 2], true, device));
}

#[test]
fn samples_of_unequal_lengths_give_the_same_bits() {
    let sequences: Vec<Vec<f32>> = (0..90).map(|i| wave(2 * (1 + i % 7), 0.3 + i as f32)).collect();
    let data = Dataset::from_sequences(&sequences, 2, classes(90), &[90, 1]).unwrap();
    same_bits(data, 3_500, |device| model(&[7, 2], true, device));
}

#[test]
fn several_inputs_and_targets_with_weights_for_each_step_give_the_same_bits() {
    let count = 60;
    let data = Dataset::from_arrays(wave(count * 12, 0.9), &[count, 4, 3], wave(count * 4, 0.2), &[count, 4, 1]);
    let data = data.unwrap().with_input(wave(count * 8, 0.4), &[count, 4, 2]).unwrap();
    let data = data.with_target(wave(count * 8, 0.6), &[count, 4, 2]).unwrap();
    let data = data.with_sample_weight(wave(count * 4, 0.1).iter().map(|w| 1.0 + w).collect(), &[count, 4]).unwrap();
    same_bits(data, 5_000, |device| {
        let mut graph = Functional::new();
        let inputs = [("a", [4, 3]), ("b", [4, 2])].map(|(name, shape)| graph.input(name, &shape).unwrap());
        let states = inputs.map(|input| graph.add(Lstm::new(3).return_sequences(true), &[input]).unwrap());
        let outputs = [1, 2].map(|units| graph.add(Dense::new(units), &[states[units - 1]]).unwrap());
        let adam = Adam::new(0.01);
        graph.outputs(&outputs).compile(device.clone(), Loss::MeanSquaredError, adam, []).unwrap()
    });
}

/// Writes series `[count, 5, 2]`, and classes beside them.
fn save_series(folder: &std::path::Path, count: usize) {
    let npy = |shape: String, values: &[f32]| {
        let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n");
        let values = values.iter().flat_map(|value| value.to_le_bytes());
        let begins = [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes()].concat();
        begins.into_iter().chain(values).collect::<Vec<u8>>()
    };
    std::fs::write(folder.join("x.npy"), npy(format!("({count}, 5, 2)"), &wave(count * 10, 0.7))).unwrap();
    std::fs::write(folder.join("y.npy"), npy(format!("({count}, 1)"), &classes(count))).unwrap();
}

/// What is read from a file while a model trains on it gives what the same data in memory give. Samples are `[5, 2]`.
fn same_from_file(memory: &(Dataset, Dataset), file: &(Dataset, Dataset)) {
    assert!(file.0.is_in_file() && file.1.is_in_file() && !memory.0.is_in_file());
    for device in devices() {
        let adapted = |data: &Dataset| {
            let mut model = Sequential::new(&[5, 2])
                .add(gatenorm::model::Normalization::new())
                .add(Lstm::new(6))
                .add(Dense::new(1).activation(Activation::Sigmoid))
                .compile(device.clone(), Loss::BinaryCrossentropy, Adam::new(0.01), [Metric::Accuracy])
                .unwrap();
            model.adapt(data).unwrap();
            model
        };
        let whole = come(adapted(&memory.0), memory, None, true);
        for most in [None, Some(6_000)] {
            assert_eq!(come(adapted(&file.0), file, most, true), whole, "{device}");
        }
    }
}

#[test]
fn series_that_stay_in_their_file_give_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    save_series(folder.path(), 241);
    let file = || Dataset::series(folder.path().join("x.npy")).unwrap().numeric_target();
    let split = |data: Dataset| data.validation_split(0.25).unwrap();
    same_from_file(&split(file().load().unwrap()), &split(file().host_memory(1).load().unwrap()));
}

/// Writes `count` minutes of two columns and a class, with a gap behind the first third.
fn save_table(path: &std::path::Path, count: usize) {
    let (x, y) = (wave(2 * count, 0.7), classes(count));
    let line = |i: usize| {
        let minute = if i < count / 3 { i } else { i + 30 };
        let [a, b] = [x[2 * i], x[2 * i + 1]];
        format!("{a},2020-01-01 {:02}:{:02}:00,{},{b}\n", minute / 60, minute % 60, y[i])
    };
    let lines: String = (0..count).map(line).collect();
    std::fs::write(path, format!("a,when,y,b\n{lines}")).unwrap();
}

#[test]
fn windows_over_a_table_that_stays_in_a_file_give_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let [one, two] = ["one.csv", "two.csv"].map(|name| folder.path().join(name));
    save_table(&one, 200);
    save_table(&two, 40);
    let table = || Dataset::csv(&one).and(&two).target("y").window(5);
    let split = |data: Dataset| data.split_by_time(0.75).unwrap();
    // Of two columns 8 bytes a row: all rows at once, some at a time.
    for bytes in [8 * 239, 8 * 100, 30] {
        let (memory, file) = (table().load().unwrap(), table().host_memory(bytes).load().unwrap());
        assert_eq!((file.len(), file.row_counts(), file.times()), (memory.len(), memory.row_counts(), memory.times()));
        assert_eq!(file.row_counts().gaps, 2);
        assert!((0..memory.len()).all(|i| file.sample(i) == memory.sample(i)), "{bytes}");
        assert_eq!(file.feature_statistics().unwrap(), memory.feature_statistics().unwrap());
    }
    assert!(!table().host_memory(8 * 240).load().unwrap().is_in_file(), "it fits");
    same_from_file(&split(table().load().unwrap()), &split(table().host_memory(100).load().unwrap()));
}

#[test]
fn forecasts_from_a_table_in_a_file_have_the_targets_and_baselines_of_one_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    save_table(&path, 90);
    let table = || Dataset::csv(&path).target("a").window(4).stride(3).horizon([1, 3]).season(2);
    let (memory, file) = (table().load().unwrap(), table().host_memory(64).load().unwrap());
    assert!(file.is_in_file() && (0..memory.len()).all(|i| file.sample(i) == memory.sample(i)));
    let forecasts = |data: &Dataset| format!("{:?}", data.baselines().collect::<Vec<_>>());
    assert_eq!(forecasts(&file), forecasts(&memory));
}

#[test]
fn tables_that_cannot_stay_in_a_file_are_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |rows: &str, change: &dyn Fn(TableOptions) -> TableOptions, words: &str| {
        let path = folder.path().join("rows.csv");
        std::fs::write(&path, rows).unwrap();
        let table = || change(Dataset::csv(&path).target("y"));
        let error = table().host_memory(8).load().unwrap_err().to_string();
        assert!(error.contains(words) && error.contains("--host-memory"), "{error}");
    };
    let plain = |options: TableOptions| options.window(2);
    refused("a,b,y\n1,u,0\n2,v,1\n3,u,0\n", &plain, "column `b` holds categories");
    let filled = |options: TableOptions| options.window(2).missing(Missing::Ffill);
    refused("a,b,y\n1,1,0\n,2,1\n3,3,0\n", &filled, "column `a` has missing values");
    refused("a,b,y\n1,,0\n2,,1\n3,3,0\n", &filled, "column `b` has missing values");
    let grouped = |options: TableOptions| options.window(2).group(["b"]);
    refused("a,b,y\n1,1,0\n2,2,1\n3,1,0\n4,2,1\n", &grouped, "the rows of a group");
    let dates = "a,b,y\n1,2020-01-01,0\n2,2020-01-02,1\n3,2020-01-03,0\n";
    let calendar = |options: TableOptions| options.window(2).time(["b"]).time_features(TimeFeature::ALL);
    refused(dates, &calendar, "features of the calendar");
    refused("a,b,y\n1,2,0\n3,4,1\n", &|options| options.row_steps(2), "rows that are whole samples");
}

#[test]
fn a_pass_brings_each_sample_once_and_allocates_nothing() {
    for device in devices() {
        // 160 batches of 416 bytes a batch in room for 8 of them.
        let (data, most) = (samples(160 * BATCH), 8 * 52 * BATCH);
        let mut model = model(&[5, 2], false, &device);
        model.set_device_memory(Some(most));
        let mut train = |epochs: usize| -> Counters {
            let before = model.counters();
            model.fit(&data, Fit::epochs(epochs).batch_size(BATCH)).unwrap();
            let after = model.counters();
            assert_eq!(model.device_memory().data, most, "{device}");
            Counters {
                allocations: after.allocations - before.allocations,
                bytes_in: after.bytes_in - before.bytes_in,
                ..after
            }
        };
        train(1);
        let (one, two) = (train(1), train(2));
        assert_eq!((one.allocations, two.allocations), (0, 0), "{device}");
        // The place in the order and the first row, 8 bytes of the 52, stand there once and for all; a GPU gets 256 bytes a step.
        let scalars = if matches!(device, Device::Gpu(_)) { 160 * 256 } else { 0 };
        assert_eq!(two.bytes_in - one.bytes_in, (160 * BATCH * 44 + scalars) as u64, "{device}");
    }
}

#[test]
fn too_little_memory_for_two_batches_is_refused() {
    let mut model = model(&[5, 2], false, &Device::Cpu);
    model.set_device_memory(Some(2 * 52 * BATCH - 1));
    let error = model.fit(&samples(100), Fit::epochs(1).batch_size(BATCH)).unwrap_err().to_string();
    assert!(error.contains("832 bytes") && error.contains("smaller batches"), "{error}");
    // Batches that nobody asked for become smaller: 57 samples, twice, take 5,928 bytes.
    let (data, whole) = (samples(241), model.weights().unwrap());
    model.set_device_memory(Some(6_000));
    let passed = (model.predict_all_f64(&data).unwrap().remove(0), model.evaluate(&data).unwrap());
    model.set_device_memory(None);
    assert_eq!(passed.0, model.predict_in_batches(&data, 57).unwrap());
    assert_eq!(passed.1, model.evaluate_in_batches(&data, 57).unwrap());
    assert_eq!(model.weights().unwrap(), whole);
}
