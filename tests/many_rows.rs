//! More rows in a batch than a software driver's loops go round: Mesa's leave them after 65,535 rounds, without a word.

mod common;

use gatenorm::data::Dataset;
use gatenorm::prelude::*;

const ROWS: usize = 70_001;

/// Batch normalisation and a layer with a bias, after one step of gradient descent over all rows at once.
fn trained(device: Device) -> Vec<(String, Vec<f32>)> {
    let x = (0..3 * ROWS).map(|i| (i * 7919 % 1009) as f32 / 504.5 + (i % 3) as f32).collect();
    let y = (0..ROWS).map(|i| (i * 104_729 % 997) as f32 / 997.0).collect();
    let data = Dataset::from_arrays(x, &[ROWS, 3], y, &[ROWS, 1]).expect("a data set");
    let mut model = Sequential::new(&[3])
        .add(BatchNormalization::new().momentum(0.5))
        .add(Dense::new(2).activation(Activation::Tanh))
        .add(Dense::new(1))
        .compile(device, Loss::MeanSquaredError, Sgd::new(1.0), [])
        .expect("a model");
    model.fit(&data, Fit::epochs(1).batch_size(ROWS).shuffle(false)).expect("trained");
    model.weights().expect("weights").into_iter().map(|w| (w.path, w.values)).collect()
}

#[test]
fn statistics_and_gradients_take_in_every_row() {
    let Some(device) = common::gpu() else { return };
    for ((name, found), (_, expected)) in trained(device).into_iter().zip(trained(Device::CpuF64)) {
        for (found, expected) in found.into_iter().zip(expected) {
            // Sums of 70,001 terms in f32, added up in runs: their rounding errors stay below 2^-12 of what is summed.
            assert!((found - expected).abs() <= 2.5e-4 * expected.abs().max(1.0), "{name}: {found}, not {expected}");
        }
    }
}
