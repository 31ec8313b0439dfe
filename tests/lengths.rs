//! Samples of unequal lengths: padding that the model masks, exactly.

mod common;

use gatenorm::data::{Dataset, Missing};
use gatenorm::model::{ANY_LENGTH, Masking};
use gatenorm::prelude::*;

/// Sequences of 1 to 7 steps of 3 features of different sizes, each with 0 or 1 as its target.
fn ragged(samples: usize) -> Dataset {
    let value = |i: usize, k: usize| ((i * 37 + k * 101) % 211) as f32 / 7.0 * [1e-3, 1.0, 1e4][k % 3] - 3.0;
    let x: Vec<Vec<f32>> = (0..samples).map(|i| (0..(1 + i * 5 % 7) * 3).map(|k| value(i, k)).collect()).collect();
    let y = (0..samples).map(|i| f32::from(u8::from(i % 3 == 0))).collect();
    Dataset::from_sequences(&x, 3, y, &[samples]).unwrap()
}

fn devices() -> Vec<Device> {
    [Device::Cpu, Device::CpuF64].into_iter().chain(common::gpu()).collect()
}

/// A model that shows which steps are masked: a weighted sum of the scaled features, which is 0 for these.
fn shown(steps: usize, device: Device) -> Model {
    Sequential::new(&[steps, 3])
        .add(Normalization::new())
        .add(Masking::new())
        .add(Dense::new(1).use_bias(false))
        .compile(device, Loss::MeanSquaredError, Adam::default(), [])
        .unwrap()
}

#[test]
fn padding_becomes_exactly_what_is_masked() {
    let data = ragged(40);
    for device in devices() {
        for steps in [ANY_LENGTH, 9] {
            let mut model = shown(steps, device.clone());
            model.adapt(&data).unwrap();
            let shown = model.predict(&data).unwrap();
            let (padded, lengths) = (steps.max(7), data.lengths().unwrap());
            assert_eq!(shown.len(), 40 * padded, "{device}");
            for (sample, &length) in shown.chunks(padded).zip(lengths) {
                let masked: Vec<bool> = sample.iter().map(|&sum| sum == 0.0).collect();
                let wanted: Vec<bool> = (0..padded).map(|step| step >= length as usize).collect();
                assert_eq!(masked, wanted, "{device}: {sample:?}");
            }
        }
    }
}

/// The lesson's kind of model for samples of any length.
fn lesson(data: &Dataset, device: Device) -> Model {
    let model = Sequential::new(&[ANY_LENGTH, 3])
        .add(Normalization::new())
        .add(Masking::new())
        .add_lstms(&[8, 5])
        .add(Dense::new(1).activation(Activation::Sigmoid));
    let mut model = model.compile(device, Loss::BinaryCrossentropy, Adam::new(0.01), [Metric::Accuracy]).unwrap();
    model.adapt(data).unwrap();
    model
}

fn assert_close(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (f, e) in found.iter().zip(expected) {
        assert!((f - e).abs() <= tolerance * e.abs().max(1.0), "{what}: {found:?} are not {expected:?}");
    }
}

#[test]
fn padding_changes_neither_training_nor_predictions() {
    let data = ragged(40);
    for device in devices() {
        // Longer sums are rounded otherwise.
        let tolerance = if matches!(device, Device::CpuF64) { 1e-10 } else { 1e-4 };
        let (mut short, mut long) = (lesson(&data, device.clone()), lesson(&data, device.clone()));
        let longer = data.pad_to(12).unwrap();
        let losses =
            |model: &mut Model, data: &Dataset| model.fit(data, Fit::epochs(4).batch_size(16)).unwrap().get("loss");
        let trained = losses(&mut short, &data);
        assert!(trained[3] < trained[0], "{device}: {trained:?}");
        assert_close(&format!("{device}, losses"), &losses(&mut long, &longer), &trained, tolerance);

        let all = short.predict_f64(&data).unwrap();
        assert_close(&format!("{device}, padded further"), &short.predict_f64(&longer).unwrap(), &all, tolerance);
        for i in [0, 1, 5, 6, 39] {
            let (x, _) = data.sample(i);
            let alone = Dataset::from_sequences(&[x], 3, vec![], &[]).unwrap();
            assert_eq!(alone.lengths(), None, "no padding at all");
            let alone = short.predict_f64(&alone).unwrap();
            assert_close(&format!("{device}, sample {i} alone"), &alone, &all[i..=i], tolerance);
        }
    }
}

#[test]
fn without_scaling_the_value_of_the_masking_layer_pads() {
    let data = Dataset::from_sequences(&[vec![0.0, 0.0, 1.0, 0.0], vec![5.0, -1.0]], 2, vec![], &[]).unwrap();
    let of = |value: f64| {
        let model = Sequential::new(data.input_shape()).add(Masking::new().mask_value(value));
        model.compile(Device::Cpu, Loss::MeanSquaredError, Adam::default(), []).unwrap()
    };
    // A masked step gives 0, so the value is seen by what the model takes for a real step.
    assert_eq!(of(-1000.0).predict(&data).unwrap(), [0.0, 0.0, 1.0, 0.0, 5.0, -1.0, 0.0, 0.0]);
    let error = of(0.0).predict(&data).unwrap_err().to_string();
    assert!(error.contains("step 1 of the sample at 0 is [0.0, 0.0]") && error.contains("last digit"), "{error}");
}

#[test]
fn data_and_models_that_do_not_fit_are_refused_in_words() {
    let data = ragged(10);
    let refused = |model: Sequential, data: &Dataset, parts: &[&str]| {
        let mut model = model.compile(Device::Cpu, Loss::MeanSquaredError, Adam::default(), []).unwrap();
        let error = model.predict(data).unwrap_err().to_string();
        parts.iter().for_each(|part| assert!(error.contains(part), "`{part}` is missing from: {error}"));
    };
    let front = || Sequential::new(data.input_shape()).add(Normalization::new());
    refused(front().add(Dense::new(1)), &data, &["unequal lengths", "does not mask", "Add a Masking layer"]);
    refused(front().add(Masking::new().mask_value(2.0)), &data, &["masks 2", "mask_value of 0"]);
    let short = Sequential::new(&[6, 3]).add(Masking::new()).add(Dense::new(1));
    refused(short, &data, &["takes inputs of shape [6, 3]", "has [7, 3]"]);
}

#[test]
fn a_row_with_a_missing_value_is_skipped_like_one_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    std::fs::write(&path, "a,y\n1,0.5\n?,1\n3,1.5\n7,2\n").unwrap();
    let options = Dataset::csv(&path).target("y").numeric_target().window(3).missing(Missing::Mask);
    let data = options.load().unwrap();
    let mut model = Sequential::new(data.input_shape())
        .seed(3)
        .add(Normalization::new())
        .add(Masking::new())
        .add(Lstm::new(4).return_sequences(true))
        .add(BatchNormalization::new())
        .add(Lstm::new(3))
        .add(Dense::new(1))
        .compile(Device::Cpu, Loss::MeanSquaredError, Adam::default(), [])
        .unwrap();
    model.adapt(&data).unwrap();
    model.fit(&data, Fit::epochs(2)).unwrap();
    let short = Dataset::from_sequences(&[vec![1.0, 3.0], vec![3.0, 7.0]], 1, vec![], &[]).unwrap().pad_to(3).unwrap();
    let (with, without) = (model.predict(&data).unwrap(), model.predict(&short).unwrap());
    assert!(with[0] != with[1] && with.iter().zip(&without).all(|(a, b)| (a - b).abs() < 1e-6), "{with:?} {without:?}");
    let mut plain = Sequential::new(&[3, 1])
        .add(Lstm::new(3))
        .add(Dense::new(1))
        .compile(Device::Cpu, Loss::MeanSquaredError, Adam::default(), [])
        .unwrap();
    let message = plain.predict(&data).unwrap_err().to_string();
    assert!(message.contains("missing values to mask, but the model does not mask them"), "{message}");
}
