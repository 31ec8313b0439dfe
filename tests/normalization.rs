//! Statistics of normalising layers, against values worked out by hand.

mod common;

use gatenorm::model::ANY_LENGTH;
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

/// What a BatchNormalization makes of `x` in training and then in inference, its gradients, and where its statistics went.
fn trained_once(
    layer: BatchNormalization,
    x: &[f32],
    shape: &[usize],
    weights: &[(&str, &[f32])],
    device: &Device,
) -> [Vec<f64>; 6] {
    let data = Dataset::from_arrays(x.to_vec(), shape, x.iter().map(|x| x * x).collect(), shape).unwrap();
    let model = Sequential::new(&shape[1..]).add(layer);
    let mut model = model.compile(device.clone(), Loss::MeanSquaredError, Sgd::new(0.0), []).unwrap();
    let path = |name: &str| format!("batch_normalization/{name}");
    weights.iter().for_each(|(name, values)| model.set_weights([(path(name).as_str(), *values)]).unwrap());
    let rows: Vec<u32> = (0..shape[0] as u32).collect();
    let [training, inference] = [true, false].map(|training| model.trace(&data, &rows, training).unwrap());
    let gradient = |name: &str| training.gradients.iter().find(|g| g.name == path(name)).unwrap().values.clone();
    [
        training.outputs[0].values.clone(),
        inference.outputs[0].values.clone(),
        training.input_gradients[0].values.clone(),
        gradient("gamma"),
        model.variable(&path("moving_mean")).unwrap(),
        model.variable(&path("moving_variance")).unwrap(),
    ]
}

fn devices() -> Vec<Device> {
    [Device::Cpu, Device::CpuF64].into_iter().chain(common::gpu()).collect()
}

/// Equal but for some hundred roundings of the device's numbers.
fn near(device: &Device, a: &[f64], b: &[f64]) {
    assert_eq!(a.len(), b.len());
    let epsilon = if matches!(device, Device::CpuF64) { f64::EPSILON } else { f32::EPSILON.into() };
    let close = |(a, b): (&f64, &f64)| (a - b).abs() < 256.0 * epsilon * b.abs().max(1.0);
    assert!(a.iter().zip(b).all(close), "{a:?} is not {b:?}");
}

#[test]
fn statistics_of_each_step_are_those_of_the_transposed_features() {
    let [n, t, f] = [3, 4, 2];
    let x: Vec<f32> = (0..n * t * f).map(|i| (i as f32 * 1.7).sin() + i as f32 * 0.1).collect();
    let turned: Vec<usize> = (0..n * t * f).map(|i| i / (t * f) * t * f + i % t * f + i / t % f).collect();
    let x_turned: Vec<f32> = turned.iter().map(|&i| x[i]).collect();
    let weights = [("gamma", &[0.5, 2.0, -1.0, 1.5][..]), ("beta", &[0.25, -0.5, 1.0, 0.0][..])];
    for device in &devices() {
        let expected = trained_once(BatchNormalization::new(), &x_turned, &[n, f, t], &weights, device);
        for axis in [1, -2] {
            let found = trained_once(BatchNormalization::new().axis(axis), &x, &[n, t, f], &weights, device);
            for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let of_elements: Vec<f64> = turned.iter().map(|&i| found.get(i).copied().unwrap_or(0.0)).collect();
                near(device, if i < 3 { &of_elements } else { found }, expected);
            }
        }
    }
}

#[test]
fn masked_statistics_of_each_step_are_those_of_keras() {
    // The second step of the second sample is masked: that step's statistics are those of 3 and 5, divided by 2 + 1e-7.
    let x = [1.0, 2.0, 3.0, 5.0, 4.0, 8.0, 9.0, 9.0];
    let m = [15.0 / (4.0 + 1e-7), 8.0 / (2.0 + 1e-7)];
    let squares = |values: &[f64], m: f64| values.iter().map(|x| (x - m) * (x - m)).sum::<f64>();
    let v = [squares(&[1.0, 2.0, 4.0, 8.0], m[0]) / (4.0 + 1e-7), squares(&[3.0, 5.0], m[1]) / (2.0 + 1e-7)];
    for device in &devices() {
        let data = Dataset::from_arrays(x.to_vec(), &[2, 2, 2], vec![0.0; 8], &[2, 2, 2]).unwrap();
        let model = Sequential::new(&[2, 2]).add(Masking::new().mask_value(9.0));
        let model = model.add(BatchNormalization::new().momentum(0.0).axis(1));
        let mut model = model.compile(device.clone(), Loss::MeanSquaredError, Sgd::new(0.0), []).unwrap();
        model.trace(&data, &[0, 1], true).unwrap();
        near(device, &model.variable("batch_normalization/moving_mean").unwrap(), &m);
        near(device, &model.variable("batch_normalization/moving_variance").unwrap(), &v);
    }
}

#[test]
fn steps_of_any_number_have_no_statistics_of_their_own() {
    let model = Sequential::new(&[ANY_LENGTH, 2]).add(BatchNormalization::new().axis(1));
    let error = model.compile(Device::Cpu, Loss::MeanSquaredError, Sgd::new(0.0), []).unwrap_err().to_string();
    assert!(error.contains("axis 1") && error.contains("give the input a length"), "{error}");
    for (axis, shape) in [(0, [3, 2].as_slice()), (3, &[3, 2]), (-3, &[3, 2]), (-2, &[2])] {
        let model = Sequential::new(shape).add(BatchNormalization::new().axis(axis));
        let error = model.compile(Device::Cpu, Loss::MeanSquaredError, Sgd::new(0.0), []).unwrap_err().to_string();
        assert!(error.contains(&format!("axis {axis} ")), "{error}");
    }
}

#[test]
fn renormalization_takes_r_and_d_as_constants() {
    let x = [0.5f32, 1.0, -0.25, 2.0, 1.25];
    for device in &devices() {
        let layer = BatchNormalization::new().momentum(0.75).renorm(true).renorm_momentum(0.5);
        let weights = [
            ("gamma", [1.5f32]),
            ("beta", [0.25]),
            ("renorm_mean", [0.125]),
            ("renorm_stddev", [2.0]),
            ("moving_stddev", [1.5]),
        ];
        let weights = weights.each_ref().map(|(name, value)| (*name, value.as_slice()));
        let [y, inferred, dx, dgamma, moving_mean, moving_variance] =
            trained_once(layer, &x, &[5, 1], &weights, device);
        let x = x.map(f64::from);
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let m = mean(&x);
        let variance = mean(&x.map(|x| (x - m) * (x - m)));
        let deviation = (variance + 1e-3).sqrt();
        let x_hat = x.map(|x| (x - m) / deviation);
        let (r, d) = (deviation / 2.0, (m - 0.125) / 2.0);
        near(device, &y, &x_hat.map(|x| (x * r + d) * 1.5 + 0.25));
        let dy: Vec<f64> = y.iter().zip(x).map(|(y, x)| 2.0 * (y - x * x) / 5.0).collect();
        let of_x_hat: Vec<f64> = dy.iter().zip(x_hat).map(|(dy, x)| dy * x).collect();
        let [mean_dy, mean_of_x_hat] = [&dy, &of_x_hat].map(|values| mean(values));
        let expected = dy.iter().zip(x_hat).map(|(dy, x)| 1.5 * r / deviation * (dy - mean_dy - x * mean_of_x_hat));
        near(device, &dx, &expected.collect::<Vec<_>>());
        near(device, &dgamma, &[5.0 * (r * mean_of_x_hat + d * mean_dy)]);
        let moved = (0.25 * m, 1.5 * 0.75 + deviation * 0.25);
        near(device, &moving_mean, &[moved.0]);
        near(device, &moving_variance, &[moved.1 * moved.1 - 1e-3]);
        near(device, &inferred, &x.map(|x| (x - moved.0) / moved.1 * 1.5 + 0.25));
    }
}

#[test]
fn population_statistics_of_masked_steps_are_those_of_each_step() {
    // Batches of one sample; the second step of the second is masked.
    let x = [1.0, 2.0, 3.0, 5.0, 4.0, 8.0, 9.0, 9.0].to_vec();
    let data = Dataset::from_arrays(x, &[2, 2, 2], vec![0.0; 8], &[2, 2, 2]).unwrap();
    for device in &devices() {
        let model = Sequential::new(&[2, 2]).add(Masking::new().mask_value(9.0)).add(BatchNormalization::new().axis(1));
        let mut model = model.compile(device.clone(), Loss::MeanSquaredError, Sgd::new(0.0), []).unwrap();
        model.estimate_population_statistics(&data, 1).unwrap();
        let mut moving = |name: &str| model.variable(&format!("batch_normalization/{name}")).unwrap();
        let (mean, variance) = (moving("moving_mean"), moving("moving_variance"));
        // What is added to the number of rows, 1e-7, shrinks each batch's mean by that share.
        let off = [mean[0] - 3.75, mean[1] - 4.0, variance[0] - 7.1875, variance[1] - 1.0];
        assert!(off.iter().all(|off| off.abs() < 5e-6), "{mean:?} {variance:?}");
    }
}

#[test]
fn renormalization_has_no_population_statistics() {
    let data = Dataset::from_arrays(vec![1.0, 2.0], &[2, 1], vec![0.0; 2], &[2, 1]).unwrap();
    let model = Sequential::new(&[1]).add(BatchNormalization::new().renorm(true));
    let mut model = model.compile(Device::Cpu, Loss::MeanSquaredError, Sgd::new(0.0), []).unwrap();
    let error = model.estimate_population_statistics(&data, 2).unwrap_err().to_string();
    assert!(error.contains("BatchNormalization with renorm"), "{error}");
}
