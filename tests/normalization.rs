//! Statistics of normalising layers, against values worked out by hand.

use gatenorm::prelude::*;

/// A BatchNormalization behind a Masking of 9, statistics as they are after one training step.
fn masked_statistics(x: &[f32], shape: &[usize], device: Device) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let data = Dataset::from_arrays(x.to_vec(), shape, vec![0.0; x.len()], shape).unwrap();
    let model = Sequential::new(&shape[1..]).add(Masking::new().mask_value(9.0));
    let model = model.add(BatchNormalization::new().momentum(0.0));
    let mut model = model.compile(device, Loss::MeanSquaredError, Sgd::new(0.0), []).unwrap();
    let rows: Vec<u32> = (0..shape[0] as u32).collect();
    let trace = model.trace(&data, &rows, true).unwrap();
    let mut moving = |name: &str| model.variable(&format!("batch_normalization/{name}")).unwrap();
    (moving("moving_mean"), moving("moving_variance"), trace.outputs[1].values.clone())
}

#[test]
fn statistics_of_masked_steps_are_those_of_keras() {
    // Valid: 1, 2 and 6, divided by 3 + 1e-7 as Keras does; the masked step, whose value is 0 behind Masking, is normalised too.
    let (mean, variance, y) = masked_statistics(&[1.0, 9.0, 2.0, 6.0], &[2, 2, 1], Device::CpuF64);
    let m = 9.0 / (3.0 + 1e-7);
    let v = ((1.0 - m) * (1.0 - m) + (2.0 - m) * (2.0 - m) + (6.0 - m) * (6.0 - m)) / (3.0 + 1e-7);
    assert!((mean[0] - m).abs() < 1e-15 && (variance[0] - v).abs() < 1e-14, "{mean:?} {variance:?}");
    assert!((y[1] + m / (v + 1e-3f64).sqrt()).abs() < 1e-14, "{y:?}");
}

#[test]
fn a_batch_without_a_valid_step_has_mean_and_variance_0() {
    for device in [Device::Cpu, Device::CpuF64] {
        let (mean, variance, y) = masked_statistics(&[9.0; 6], &[3, 1, 2], device);
        assert_eq!((mean, variance, y), (vec![0.0; 2], vec![0.0; 2], vec![0.0; 6]));
    }
}

#[test]
fn a_frozen_batch_normalization_is_in_inference_mode_and_stays() {
    let x: Vec<f32> = (0..12).map(|i| i as f32).collect();
    let data = Dataset::from_arrays(x, &[6, 2], vec![0.5; 6], &[6, 1]).unwrap();
    let model = Sequential::new(&[2]).add_frozen(BatchNormalization::new()).add(Dense::new(1));
    let mut model = model.compile(Device::Cpu, Loss::MeanSquaredError, Sgd::new(0.01), []).unwrap();
    let (mean, variance) = ([1.0f32, -2.0].as_slice(), [4.0f32, 0.25].as_slice());
    let fixed = [("batch_normalization/moving_mean", mean), ("batch_normalization/moving_variance", variance)];
    model.set_weights(fixed).unwrap();
    let rows: Vec<u32> = (0..6).collect();
    let [training, inference] = [true, false].map(|t| model.trace(&data, &rows, t).unwrap().outputs[0].values.clone());
    assert_eq!(training, inference);
    let before = model.variable("dense/kernel").unwrap();
    model.fit(&data, Fit::epochs(2).batch_size(3)).unwrap();
    assert_ne!(model.variable("dense/kernel").unwrap(), before);
    assert_eq!(model.variable("batch_normalization/moving_mean").unwrap(), [1.0, -2.0]);
    assert_eq!(model.variable("batch_normalization/moving_variance").unwrap(), [4.0, 0.25]);
}

/// Mean and biased variance of a column.
fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n)
}

#[test]
fn population_statistics_are_those_of_all_rows() {
    // The first layer sees the data themselves: 11 samples, in batches of 4, 4 and 3, two steps each.
    let x: Vec<f32> = (0..44).map(|i| (i as f32 * 1.7).sin() * 3.0 + (i % 2) as f32 * 100.0).collect();
    let data = Dataset::from_arrays(x.clone(), &[11, 2, 2], vec![0.0; 11], &[11, 1]).unwrap();
    let model = Sequential::new(&[2, 2]).add(BatchNormalization::new()).add(Lstm::new(2));
    let model = model.add(BatchNormalization::new()).add(Dense::new(1));
    let mut model = model.compile(Device::CpuF64, Loss::MeanSquaredError, Sgd::new(0.0), []).unwrap();
    model.set_weights([("batch_normalization/moving_mean", [7f32, 8.0].as_slice())]).unwrap();
    let before = model.variable("batch_normalization_1/moving_variance").unwrap();
    // A second pass begins anew.
    for _ in 0..2 {
        model.estimate_population_statistics(&data, 4).unwrap();
        let mean = model.variable("batch_normalization/moving_mean").unwrap();
        let variance = model.variable("batch_normalization/moving_variance").unwrap();
        for feature in 0..2 {
            let column: Vec<f64> = x.iter().skip(feature).step_by(2).map(|&v| v.into()).collect();
            let (m, v) = moments(&column);
            assert!(
                (mean[feature] - m).abs() < 1e-12 && (variance[feature] - v).abs() < 1e-11,
                "{mean:?} {variance:?}"
            );
        }
    }
    assert_ne!(model.variable("batch_normalization_1/moving_variance").unwrap(), before);
}

#[test]
fn population_statistics_leave_masked_steps_and_frozen_layers_out() {
    let x = [1.0, 0.0, 3.0, 8.0, 0.0, 0.0, 2.0, 5.0, 0.0, 6.0];
    let data = Dataset::from_arrays(x.to_vec(), &[5, 2, 1], vec![0.0; 5], &[5, 1]).unwrap();
    let model = Sequential::new(&[2, 1]).add(Masking::new()).add(BatchNormalization::new());
    let model = model.add_frozen(BatchNormalization::new()).add(Lstm::new(2)).add(Dense::new(1));
    let mut model = model.compile(Device::CpuF64, Loss::MeanSquaredError, Sgd::new(0.0), []).unwrap();
    // A batch of one sample has no step that counts.
    model.estimate_population_statistics(&data, 1).unwrap();
    let (m, v) = moments(&[1.0, 3.0, 8.0, 2.0, 5.0, 6.0]);
    let mean = model.variable("batch_normalization/moving_mean").unwrap()[0];
    let variance = model.variable("batch_normalization/moving_variance").unwrap()[0];
    // The means of batches are divided by their number of rows + 1e-7.
    assert!((mean - m).abs() < 1e-6 && (variance - v).abs() < 1e-5, "{mean} {variance}");
    assert_eq!(model.variable("batch_normalization_1/moving_mean").unwrap(), [0.0]);
    assert_eq!(model.variable("batch_normalization_1/moving_variance").unwrap(), [1.0]);
}
