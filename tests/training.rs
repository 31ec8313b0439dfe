//! Training as a whole: it learns, it repeats itself to the bit, it moves nothing between host and device inside a step, and it
//! survives a gradient that is not finite.

mod common;

use gatenorm::data::Dataset;
use gatenorm::prelude::*;
use gatenorm::train::{CosineDecay, Optimizer, PiecewiseConstantDecay};

/// The lesson's model for inputs [T, F].
fn lesson(steps: usize, features: usize) -> Sequential {
    Sequential::new(&[steps, features])
        .add(Lstm::new(16).return_sequences(true))
        .add(BatchNormalization::new())
        .add(Lstm::new(8))
        .add(BatchNormalization::new())
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .seed(7)
}

/// Samples whose target is whether their mean is positive.
fn data(samples: usize) -> Dataset {
    let x: Vec<f32> = (0..samples * 12).map(|i| ((i * i) as f32 * 0.37 + i as f32).sin()).collect();
    let y = x.chunks(12).map(|x| f32::from(u8::from(x.iter().sum::<f32>() > 0.0))).collect();
    Dataset::from_arrays(x, &[samples, 6, 2], y, &[samples, 1]).unwrap()
}

fn compiled(device: &Device) -> Model {
    lesson(6, 2).compile(device.clone(), Loss::BinaryCrossentropy, Adam::new(1e-2), [Metric::Accuracy]).unwrap()
}

fn devices() -> Vec<Device> {
    [Device::Cpu].into_iter().chain(common::gpu()).collect()
}

#[test]
fn overfits_one_batch() {
    for device in devices() {
        let data = data(16);
        let history = compiled(&device).fit(&data, Fit::epochs(80).batch_size(16).shuffle(false)).unwrap();
        let losses = history.get("loss");
        assert!(losses[79] < 0.05 && losses[79] < losses[0] / 10.0, "{device}: {} to {}", losses[0], losses[79]);
    }
}

#[test]
fn same_seed_same_bits_and_another_seed_other_bits() {
    for device in devices() {
        let data = data(50);
        let train = |seed: u64| {
            let model = lesson(6, 2).seed(seed);
            let mut model = model.compile(device.clone(), Loss::BinaryCrossentropy, Adam::default(), []).unwrap();
            let history = model.fit(&data, Fit::epochs(2).batch_size(16)).unwrap();
            (history.get("loss"), model.weights().unwrap())
        };
        assert_eq!(train(1), train(1), "{device}");
        assert_ne!(train(1).0, train(2).0, "{device}");
    }
}

#[test]
fn a_training_step_allocates_nothing_and_moves_no_data() {
    for device in devices() {
        let data = data(64);
        let mut model = compiled(&device);
        model.fit(&data, Fit::epochs(1).batch_size(8)).unwrap();
        let steps_of = |model: &mut Model, batches: usize| {
            let rows: Vec<Vec<u32>> = (0..batches).map(|b| (0..8).map(|i| (8 * b + i) as u32 % 64).collect()).collect();
            let before = model.counters();
            model.train_on(&data, &rows).unwrap();
            let after = model.counters();
            (after.allocations - before.allocations, after.dispatches - before.dispatches)
        };
        let (_, dispatches) = steps_of(&mut model, 1);
        let (allocations, twice) = steps_of(&mut model, 2);
        assert_eq!(allocations, 0, "{device}: buffers created while training");
        assert_eq!(twice, 2 * dispatches, "{device}: every step does the same work");
    }
}

#[test]
fn running_a_plan_transfers_no_byte() {
    use gatenorm::exec::{CpuExecutor, Executor, GpuExecutor};
    use gatenorm::kernels::StepScalars;
    use gatenorm::model::Mode;
    use std::sync::Arc;
    for device in devices() {
        let mut executor: Box<dyn Executor> = match &device {
            Device::Gpu(gpu) => Box::new(GpuExecutor::new(gpu).unwrap()),
            _ => Box::new(CpuExecutor::<f32>::new()),
        };
        let plan = Arc::new(compiled(&device).plan(&data(64), Mode::Train, 8).unwrap());
        executor.prepare(&plan).unwrap();
        executor.set_scalars(&[StepScalars { step: 1, ..StepScalars::default() }; 5]).unwrap();
        let before = executor.counters();
        executor.run(&plan, 0..5).unwrap();
        let after = executor.counters();
        assert_eq!(after.allocations, before.allocations, "{device}: allocations");
        assert_eq!((after.bytes_in, after.bytes_out), (before.bytes_in, before.bytes_out), "{device}: transfers");
        assert_eq!(after.pipelines, before.pipelines, "{device}: pipelines");
        let dispatches = after.dispatches - before.dispatches;
        // A step may take several.
        assert!(dispatches.is_multiple_of(5) && dispatches >= 5 * plan.steps().len() as u64, "{device}: dispatches");
    }
}

#[test]
fn a_new_batch_size_creates_no_pipelines() {
    let Some(device) = common::gpu() else { return };
    let mut model = compiled(&device);
    model.train_on(&data(64), &[(0..8).collect()]).unwrap();
    let before = model.counters().pipelines;
    model.train_on(&data(64), &[(0..5).collect()]).unwrap();
    assert_eq!(model.counters().pipelines, before);
}

#[test]
fn a_gradient_that_is_not_finite_stops_training_and_keeps_the_weights() {
    for device in devices() {
        let x: Vec<f32> = (0..48).map(|i| if i == 30 { 3e38 } else { 0.1 * i as f32 }).collect();
        let data = Dataset::from_arrays(x, &[8, 6], vec![0.5; 8], &[8, 1]).unwrap();
        let model = Sequential::new(&[6]).add(BatchNormalization::new()).add(Dense::new(1));
        let mut model = model.compile(device.clone(), Loss::MeanSquaredError, Adam::default(), []).unwrap();
        let batches: Vec<Vec<u32>> = vec![vec![0, 1, 2], vec![6, 7], vec![3, 4, 5], vec![0, 1]];
        model.train_on(&data, &batches[..2]).unwrap();
        let good = (model.weights().unwrap(), model.iterations());
        let error = model.train_on(&data, &batches[2..]).unwrap_err();
        assert!(matches!(&error, Error::NonFinite { step: 3, .. }), "{device}: {error}");
        assert!(error.to_string().contains("batch_normalization/") || error.to_string().contains("dense/"), "{error}");
        assert_eq!(
            (model.weights().unwrap(), model.iterations()),
            good,
            "{device}: weights and moving statistics stay"
        );
        model.train_on(&data, &batches[..1]).unwrap_or_else(|e| panic!("{device}: trains on after it: {e}"));
    }
}

/// In the middle of a pass, when the device has been told of later batches already.
#[test]
fn training_goes_on_after_a_pass_that_a_gradient_stopped() {
    let data = |bad: Option<usize>| {
        let x = (0..80 * 6).map(|i| if Some(i) == bad { f32::MAX } else { (i as f32 * 0.7).sin() }).collect();
        let y = (0..80).map(|i| (i % 3) as f32).collect();
        Dataset::from_arrays(x, &[80, 6], y, &[80, 1]).unwrap()
    };
    for device in devices() {
        let model = Sequential::new(&[6]).add(Dense::new(4)).add(Dense::new(1)).seed(3);
        let mut model = model.compile(device.clone(), Loss::MeanSquaredError, Adam::default(), []).unwrap();
        let pass = || Fit::epochs(1).batch_size(2).shuffle(false);
        model.fit(&data(None), pass()).unwrap();
        let error = model.fit(&data(Some(50 * 6)), pass()).unwrap_err();
        assert!(matches!(&error, Error::NonFinite { step: 66, .. }), "{device}: {error}");
        assert_eq!(model.iterations(), 65, "{device}");
        let stopped = model.weights().unwrap();
        model.fit(&data(None), pass()).unwrap_or_else(|e| panic!("{device}: trains on after it: {e}"));
        assert_eq!(model.iterations(), 105, "{device}");
        assert_ne!(model.weights().unwrap(), stopped, "{device}: the update is not skipped any more");
    }
}

#[test]
fn the_average_of_the_weights_takes_their_place() {
    for device in devices() {
        let data = data(24);
        let compile =
            |optimizer: Sgd| lesson(6, 2).compile(device.clone(), Loss::BinaryCrossentropy, optimizer, []).unwrap();
        let fit = || Fit::epochs(1).batch_size(8).shuffle(false);
        // An average that forgets all but the last weights is the weights.
        let (mut plain, mut averaged) = (compile(Sgd::new(0.5)), compile(Sgd::new(0.5).use_ema(0.0, Some(2))));
        plain.fit(&data, fit()).unwrap();
        averaged.fit(&data, fit()).unwrap();
        assert_eq!(plain.weights().unwrap(), averaged.weights().unwrap(), "{device}");
        // One that keeps all of the first step's weights is these, whatever comes after.
        let mut first = compile(Sgd::new(0.5));
        first.train_on(&data, &[(0..8).collect()]).unwrap();
        let mut kept = compile(Sgd::new(0.5).use_ema(1.0, None));
        kept.fit(&data, fit()).unwrap();
        let trained =
            |model: &mut Model| model.weights().unwrap().into_iter().filter(|w| w.trainable).collect::<Vec<_>>();
        assert_eq!(trained(&mut first), trained(&mut kept), "{device}");
        assert_ne!(trained(&mut plain), trained(&mut kept), "{device}");
    }
}

/// Without batch statistics, so that a batch's parts have the gradient of the whole.
fn plain(device: &Device, optimizer: impl Into<Optimizer>) -> Model {
    let layers = Sequential::new(&[6, 2]).add(Lstm::new(8)).add(Dense::new(1).activation(Activation::Sigmoid)).seed(7);
    layers.compile(device.clone(), Loss::BinaryCrossentropy, optimizer, []).unwrap()
}

#[test]
fn gradients_of_several_batches_update_as_one() {
    for device in devices() {
        let data = data(24);
        let parts: Vec<Vec<u32>> = (0..6).map(|b| (4 * b..4 * b + 4).collect()).collect();
        let wholes: Vec<Vec<u32>> = vec![(0..12).collect(), (12..24).collect()];
        let optimizers: [(Optimizer, Optimizer); 3] = [
            (Sgd::new(0.5).gradient_accumulation_steps(3).into(), Sgd::new(0.5).into()),
            (Adam::new(0.01).gradient_accumulation_steps(3).into(), Adam::new(0.01).into()),
            (
                Sgd::new(0.5).weight_decay(0.1).global_clipnorm(0.01).gradient_accumulation_steps(3).into(),
                Sgd::new(0.5).weight_decay(0.1).global_clipnorm(0.01).into(),
            ),
        ];
        for (accumulating, at_once) in optimizers {
            let (mut a, mut b) = (plain(&device, accumulating), plain(&device, at_once));
            let first = a.weights().unwrap();
            a.train_on(&data, &parts[..2]).unwrap();
            assert_eq!(a.weights().unwrap(), first, "{device}: two batches of three leave the weights");
            a.train_on(&data, &parts[2..]).unwrap();
            b.train_on(&data, &wholes).unwrap();
            assert_eq!((a.iterations(), b.iterations()), (6, 2));
            for (a, b) in a.weights().unwrap().iter().zip(b.weights().unwrap()) {
                for (a, b) in a.values.iter().zip(&b.values) {
                    // Sums in another order; Adam's root makes an error of 1e-7 in a gradient of 1e-4 one of 1e-3 in a step of 1e-2.
                    assert!((a - b).abs() <= 1e-5, "{device}: {a} is not {b}");
                }
            }
        }
    }
}

#[test]
fn the_parts_of_an_update_are_kept_over_a_gradient_that_is_not_finite() {
    for device in devices() {
        let x: Vec<f32> = (0..24).map(|i| if i >= 20 { 3e38 } else { 0.1 * i as f32 }).collect();
        let data = Dataset::from_arrays(x, &[6, 4], vec![0.5; 6], &[6, 1]).unwrap();
        let compile = || {
            let optimizer = Sgd::new(0.1).gradient_accumulation_steps(3);
            Sequential::new(&[4])
                .add(Dense::new(1))
                .compile(device.clone(), Loss::MeanSquaredError, optimizer, [])
                .unwrap()
        };
        let (mut through, mut plain) = (compile(), compile());
        for bad_at in [1, 2] {
            through.train_on(&data, &vec![vec![0, 1]; bad_at]).unwrap();
            let error = through.train_on(&data, &[vec![4, 5]]).unwrap_err();
            assert!(matches!(error, Error::NonFinite { .. }), "{device}: {error}");
            through.train_on(&data, &vec![vec![2, 3]; 3 - bad_at]).unwrap();
            plain.train_on(&data, &[vec![vec![0, 1]; bad_at], vec![vec![2, 3]; 3 - bad_at]].concat()).unwrap();
            assert_eq!(through.weights().unwrap(), plain.weights().unwrap(), "{device}, after {bad_at}");
        }
    }
}

#[test]
fn variables_are_kept_out_of_the_weight_decay_by_name() {
    for device in devices() {
        let data = data(8);
        let compile =
            |optimizer: Sgd| lesson(6, 2).compile(device.clone(), Loss::BinaryCrossentropy, optimizer, []).unwrap();
        // With a limit of next to nothing on the gradients, only the decay changes the weights.
        let still = || Sgd::new(0.5).clipvalue(1e-30).weight_decay(0.5);
        let mut model = compile(still().exclude_from_weight_decay(&["bias", "gamma"]));
        let before = model.weights().unwrap();
        model.train_on(&data, &[(0..8).collect()]).unwrap();
        for (before, after) in before.iter().zip(model.weights().unwrap()).filter(|(before, _)| before.trainable) {
            let kept = ["bias", "gamma"].iter().any(|word| before.path.ends_with(word));
            let factor = if kept { 1.0 } else { 0.75 };
            for (a, b) in before.values.iter().zip(&after.values) {
                assert!((a * factor - b).abs() <= 1e-6 * a.abs() + 1e-29, "{device}: {} from {a} to {b}", after.path);
            }
        }
    }
}

#[test]
fn optimizers_that_cannot_train_are_refused_in_words() {
    let refused = |optimizer: Optimizer, words: &[&str]| {
        let compiled = lesson(6, 2).compile(Device::Cpu, Loss::BinaryCrossentropy, optimizer, []);
        let text = compiled.err().map(|e| e.to_string()).unwrap_or_default();
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    };
    refused(Adam::default().clipnorm(1.0).clipvalue(0.5).into(), &["one way only", "clipnorm", "clipvalue"]);
    refused(Adam::default().global_clipnorm(0.0).into(), &["global_clipnorm", "above 0"]);
    refused(Sgd::default().weight_decay(f64::NAN).into(), &["weight_decay", "at least 0"]);
    refused(Sgd::default().exclude_from_weight_decay(&["bias"]).into(), &["needs a weight_decay"]);
    refused(Sgd::default().gradient_accumulation_steps(1).into(), &["gradient_accumulation_steps", "at least 2"]);
    refused(Sgd::default().use_ema(1.5, None).into(), &["ema_momentum", "1.5"]);
    refused(RmsProp::default().rho(1.0).into(), &["rho", "less than 1"]);
    refused(Adam::new(CosineDecay::new(0.1, 0)).into(), &["decay_steps", "at least 1"]);
    refused(Adam::new(PiecewiseConstantDecay::new(vec![3], vec![0.1])).into(), &["one value more"]);
}

#[test]
fn gpu_and_cpu_train_alike() {
    let Some(gpu) = common::gpu() else { return };
    let data = data(70);
    let losses = |device: &Device| {
        let mut model = compiled(device);
        model.fit(&data, Fit::epochs(3).batch_size(16)).unwrap().get("loss")
    };
    for (gpu, cpu) in losses(&gpu).iter().zip(losses(&Device::Cpu)) {
        // Rounding differs and Adam amplifies it a little at every step: 15 steps, 1e-5 each would still be seen as a fault.
        assert!((gpu - cpu).abs() < 1e-4, "{gpu} {cpu}");
    }
}

#[test]
fn validation_split_is_cut_from_the_end_before_shuffling() {
    let (all, mut model) = (data(40), compiled(&Device::Cpu));
    let (train, end) = all.validation_split(0.25).unwrap();
    assert_eq!((train.len(), end.len()), (30, 10));
    let history = model.fit(&all, Fit::epochs(2).batch_size(8).validation_split(0.25)).unwrap();
    let scores = model.evaluate(&end).unwrap();
    let (last, now) = (history.get("val_loss")[1], scores.get("loss").unwrap());
    assert!((last - now).abs() < 1e-6, "{last} {now}");
    let mut other = compiled(&Device::Cpu);
    assert_eq!(other.fit(&train, Fit::epochs(2).batch_size(8)).unwrap().get("loss"), history.get("loss"));
}

#[test]
fn keep_best_ends_with_the_weights_of_the_best_epoch() {
    let (train, validation) = (data(48), data(20));
    let mut model = compiled(&Device::Cpu);
    let fit = Fit::epochs(8).batch_size(8).validation(&validation).keep_best(true);
    let history = model.fit(&train, fit).unwrap();
    let losses = history.get("val_loss");
    let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(losses[history.best_epoch.unwrap() - 1], best);
    let now = model.evaluate(&validation).unwrap().get("loss").unwrap();
    assert!((now - best).abs() < 1e-6, "{now} {best}");
}

#[test]
fn one_row_in_a_batch_norm_layer_trains_as_in_keras() {
    // N·T = 1: the batch's variance is 0 and the output is beta.
    let data = Dataset::from_arrays(vec![5.0, -3.0], &[1, 2], vec![1.0, 1.0], &[1, 2]).unwrap();
    for device in devices() {
        let model = Sequential::new(&[2]).add(BatchNormalization::new());
        let mut model = model.compile(device, Loss::MeanSquaredError, Sgd::new(0.1), []).unwrap();
        model.set_weights([("batch_normalization/beta", [0.25f32, 0.5].as_slice())]).unwrap();
        let trace = model.trace(&data, &[0], true).unwrap();
        assert_eq!(trace.outputs[0].values, [0.25, 0.5]);
        assert_eq!(model.variable("batch_normalization/moving_variance").unwrap(), [0.99f32 as f64; 2]);
    }
}

#[test]
fn what_does_not_fit_is_refused_in_words() {
    let words = |result: Result<Model>| result.err().map(|e| e.to_string()).unwrap_or_default();
    let compile = |model: Sequential| model.compile(Device::Cpu, Loss::MeanSquaredError, Adam::default(), []);
    assert!(words(compile(Sequential::new(&[3]))).contains("no layers"));
    assert!(words(compile(Sequential::new(&[3]).add(Lstm::new(2)))).contains("`lstm`: LSTM takes sequences"));
    assert!(words(compile(Sequential::new(&[3, 0]).add(Dense::new(2)))).contains("[3, 0]"));
    assert!(words(compile(Sequential::new(&[3]).add(Dense::new(0)))).contains("units >= 1"));
    let rate =
        Sequential::new(&[3]).add(Dense::new(1)).compile(Device::Cpu, Loss::MeanSquaredError, Adam::new(f64::NAN), []);
    assert!(words(rate).contains("learning rate"));
    let mut model = compiled(&Device::Cpu);
    let wrong = Dataset::from_arrays(vec![0.0; 12], &[2, 3, 2], vec![0.0; 2], &[2, 1]).unwrap();
    assert!(model.predict(&wrong).unwrap_err().to_string().contains("[3, 2]"));
    assert!(model.fit(&data(8), Fit::epochs(1).batch_size(0)).unwrap_err().to_string().contains("batch size"));
    assert!(
        model.set_weights([("lstm/kernel", [0f32; 3].as_slice())]).unwrap_err().to_string().contains("lstm/kernel")
    );
    assert!(model.variable("lstm_9/kernel").unwrap_err().to_string().contains("lstm_1/kernel"));
}
