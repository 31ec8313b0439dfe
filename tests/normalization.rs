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
