//! More than drivers put up with at once: Mesa's software drivers leave a loop after 65,535 rounds, without a word, and others lose the
//! device over a dispatch that takes long.

mod common;

use std::sync::Arc;

use gatenorm::data::Dataset;
use gatenorm::exec::lockstep::lockstep;
use gatenorm::exec::{DeviceOptions, Executor, GpuExecutor};
use gatenorm::kernels::{Matmul, MatmulSlots, StepScalars};
use gatenorm::plan::{BufferSpec, Plan};
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

/// C = A·B + bias of random numbers, in as many dispatches as given or more, held to the reference.
fn product_in_several_dispatches(executor: &mut GpuExecutor, product: Matmul, dispatches: u64) {
    let [m, n, k] = [product.m, product.n, product.k].map(|size| size as usize);
    let mut plan = Plan::new(executor.limits());
    let specs =
        [("a", m * k), ("b", k * n), ("bias", n), ("c", m * n)].map(|(name, len)| BufferSpec::persistent(name, &[len]));
    let [a, b, bias, c] = [0, 1, 2, 3].map(|i| plan.persistent(&specs[i]));
    product.record(&mut plan, MatmulSlots { a, b, bias: Some(bias), c });
    let plan = Arc::new(plan.finish().expect("a sound plan"));
    for spec in &specs[..3] {
        let values: Vec<f32> = (0..spec.len()).map(|i| (i * 7919 % 10_007) as f32 / 5003.5 - 1.0).collect();
        executor.write(spec, &values).expect("written");
    }
    let before = executor.counters().dispatches;
    lockstep(executor, &plan, 0, StepScalars::default()).expect("the plan runs").agreed().expect("within the bound");
    let made = executor.counters().dispatches - before;
    assert!(made >= dispatches, "{made} dispatches for {m} x {n} x {k}");
}

#[test]
fn a_long_product_is_cut_into_dispatches_that_add_up() {
    let Some(gpu) = common::open(DeviceOptions::default()) else { return };
    let mut executor = GpuExecutor::new(&gpu).expect("an executor");
    // A variant that every device has, and that is cut where a CPU's is; GPUs' own take eight times as much at once.
    executor.insist("matmul", 0);
    // Rows of C, and terms: of a gradient, whose A is turned.
    let rows = Matmul::new([9_001, 256, 256]);
    let terms = Matmul { a_row: 1, a_col: 64, ..Matmul::new([64, 256, 33_003]) };
    product_in_several_dispatches(&mut executor, rows, 2);
    product_in_several_dispatches(&mut executor, terms, 3);
}
