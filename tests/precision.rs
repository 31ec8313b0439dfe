//! Matrix products of half precision: they train as those of single precision do, in whatever units the data come, and the CPU computes
//! what a GPU computes.

mod common;

use gatenorm::data::Dataset;
use gatenorm::exec::{Device, DeviceOptions, GpuExecutor, adapters};
use gatenorm::kernels::{ALL, Precision};
use gatenorm::model::Initializer;
use gatenorm::prelude::*;
use gatenorm::train::{Optimizer, Weight};
use gatenorm::verify::verify_variants;

/// How far half precision rounds: 11 bits.
const HALF_ULP: f64 = 1.0 / 2048.0;

/// Windows of a wave and how high it is next, in some unit.
fn waves(unit: f32) -> Dataset {
    let wave = |i: usize| (i as f32 * 0.37).sin() + 0.3 * (i as f32 * 0.11).cos();
    let (samples, steps) = (96, 12);
    let x = (0..samples * steps).map(|i| unit * wave(i / steps + i % steps)).collect();
    let y = (0..samples).map(|i| unit * wave(i + steps)).collect();
    Dataset::from_arrays(x, &[samples, steps, 1], y, &[samples, 1]).unwrap()
}

/// Values are scaled by a layer at the front, targets are not. The last layer's weights are so large.
fn forecaster(device: &Device, optimizer: impl Into<Optimizer>, data: &Dataset, last: f64) -> Model {
    let model = Sequential::new(&[12, 1])
        .add(Normalization::new())
        .add(Lstm::new(16).return_sequences(true))
        .add(BatchNormalization::new())
        .add(Lstm::new(8))
        .add(BatchNormalization::new())
        .add(Dense::new(1).kernel_initializer(Initializer::Constant(last)))
        .seed(3);
    let mut model = model.compile(device.clone(), Loss::MeanSquaredError, optimizer, []).unwrap();
    model.adapt(data).unwrap();
    model
}

fn losses(device: &Device, epochs: usize) -> Vec<f64> {
    let data = waves(1.0);
    let mut model = forecaster(device, Adam::new(1e-2), &data, 0.3);
    model.fit(&data, Fit::epochs(epochs).batch_size(32).shuffle(false)).unwrap().get("loss")
}

fn half_devices() -> Vec<Device> {
    let gpu = common::open(DeviceOptions { precision: Precision::F16, ..DeviceOptions::default() });
    [Device::CpuF16].into_iter().chain(gpu.map(Device::Gpu)).collect()
}

#[test]
fn half_precision_learns_as_single_precision_does() {
    let single = losses(&Device::Cpu, 30);
    for device in half_devices() {
        let half = losses(&device, 30);
        assert_ne!(half, single, "{device}: it rounds");
        let apart = |epoch: usize| (half[epoch] - single[epoch]).abs() / single[epoch];
        assert!(apart(0) < 4.0 * HALF_ULP, "{device}: {} apart after an epoch", apart(0));
        assert!(half[29] < half[0] / 4.0 && apart(29) < 0.1, "{device}: {} and {}", half[29], single[29]);
    }
}

fn of_lstms(model: &mut Model) -> Vec<Weight> {
    model.weights().unwrap().into_iter().filter(|weight| weight.path.starts_with("lstm")).collect()
}

/// What a step of plain gradient descent at this rate changes in each of the LSTMs' variables.
fn changes(device: &Device, [unit, last, rate]: [f64; 3]) -> Vec<(String, Vec<f64>)> {
    let data = waves(unit as f32);
    let mut model = forecaster(device, Sgd::new(rate), &data, last);
    let before = of_lstms(&mut model);
    model.train_on(&data, &[(0..96).collect()]).unwrap();
    let after = of_lstms(&mut model);
    let change = |(before, after): (&f32, &f32)| f64::from(after - before);
    let changes = |(before, after): (Weight, Weight)| {
        (before.path, before.values.iter().zip(&after.values).map(change).collect())
    };
    before.into_iter().zip(after).map(changes).collect()
}

#[test]
fn gradients_of_any_size_are_kept() {
    // Gradients that half precision could not hold as they are: it ends at 65,504, and has nothing below 6e-8. The rate makes up for it.
    for case in [[1.0, 0.3, 1.0], [1e9, 0.3, 1e-9], [1.0, 1e-12, 1e12]] {
        let single = changes(&Device::Cpu, case);
        for device in half_devices() {
            for ((path, half), (_, single)) in changes(&device, case).iter().zip(&single) {
                let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
                let apart = norm(&mut half.iter().zip(single).map(|(half, single)| half - single));
                let size = norm(&mut single.iter().copied());
                assert!(size > 1e-3 && apart < 16.0 * HALF_ULP * size, "{device} {case:?} {path}: {apart} of {size}");
            }
        }
    }
}

#[test]
fn half_precision_repeats_itself_to_the_bit() {
    for device in half_devices() {
        assert_eq!(losses(&device, 3), losses(&device, 3), "{device}");
    }
}

#[test]
fn the_lesson_runs_in_lockstep_in_half_precision() {
    for device in half_devices() {
        gatenorm::train::lockstep_training(&device, 1, 6).unwrap().agreed().unwrap();
    }
}

#[test]
fn cooperative_matrices_are_used_only_where_they_compute_what_the_reference_does() {
    let matmul = *ALL.iter().find(|kernel| kernel.name == "matmul").unwrap();
    for adapter in adapters() {
        let named = adapter.index.to_string();
        for precision in [Precision::F32, Precision::F16] {
            let options = DeviceOptions { precision, cooperative_matrices: true, ..DeviceOptions::default() };
            let opened = Device::named(&named, options);
            let Ok(Device::Gpu(gpu)) = opened else {
                let message = opened.expect_err("a GPU or an error").to_string();
                assert!(message.contains("--cooperative-matrices"), "{message}");
                let of_other_precision = precision == Precision::F32 && message.contains("add --precision f16");
                let unfit = of_other_precision || message.contains("cannot be used");
                assert!(!adapter.matrices.any() || unfit, "{message}");
                println!("skipped: {message}");
                continue;
            };
            let mut executor = GpuExecutor::new(&gpu).unwrap();
            let reports = verify_variants(&mut executor, matmul, 4, 52).unwrap();
            let cooperative =
                |name: &str| matmul.variants.all.iter().any(|v| v.name == name && v.cooperative.is_some());
            assert!(reports.iter().any(|report| cooperative(report.variant)), "{named}: none was tried");
            reports.into_iter().for_each(|report| drop(report.agreed().unwrap()));
        }
    }
}

#[test]
fn a_cpu_has_no_cooperative_matrices() {
    let options = DeviceOptions { cooperative_matrices: true, ..DeviceOptions::default() };
    let message = Device::parse("cpu", options).expect_err("refused").to_string();
    assert!(message.contains("the device is the CPU"), "{message}");
}
