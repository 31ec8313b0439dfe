//! A run that was cut off goes on to the same bits as one that was not.

mod common;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gatenorm::data::Dataset;
use gatenorm::prelude::*;
use gatenorm::train::{
    Batches, Callback, Checkpoints, Common, CsvLogger, EarlyStopping, LearningRateScheduler, ReduceLrOnPlateau, Scores,
    Training,
};

const EPOCHS: usize = 6;
/// Five batches of 8 and a short one.
const SAMPLES: usize = 44;

fn data(from: usize, samples: usize) -> Dataset {
    let x: Vec<f32> = (0..samples * 10).map(|i| ((from + i * i) as f32 * 0.37 + i as f32).sin()).collect();
    let y = (0..samples).map(|i| f32::from(u8::from((from + i).is_multiple_of(3)))).collect();
    Dataset::from_arrays(x, &[samples, 5, 2], y, &[samples, 1]).unwrap()
}

/// With all that lives longer than a step: moving statistics, dropout's counter, moments, averaged weights, accumulated gradients.
fn model(device: Device) -> Model {
    let common = Common {
        use_ema: true,
        ema_overwrite_frequency: Some(4),
        gradient_accumulation_steps: Some(2),
        ..Common::default()
    };
    let adam = Adam { common, ..Adam::new(0.01) };
    Sequential::new(&[5, 2])
        .add(Lstm::new(6).return_sequences(true).dropout(0.2).recurrent_dropout(0.2))
        .add(BatchNormalization::new())
        .add(Dropout::new(0.3))
        .add(Lstm::new(4))
        .add(BatchNormalization::new())
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .compile(device, Loss::BinaryCrossentropy, adam, [Metric::Accuracy, Metric::Auc])
        .unwrap()
}

/// Dies after so many batches.
struct Death {
    left: usize,
    hears: Batches,
}

impl Callback for Death {
    fn batches(&self) -> Batches {
        self.hears
    }
    fn on_batch_end(&mut self, _: usize, _: &Scores, _: &mut Training<'_>) -> Result<()> {
        self.left -= 1;
        if self.left == 0 { Err(Error::usage("killed")) } else { Ok(()) }
    }
}

/// What a run leaves behind.
#[derive(Debug, PartialEq)]
struct Left {
    weights: Vec<(String, Vec<u32>)>,
    moments: Vec<Vec<(String, Vec<u32>)>>,
    scores: Vec<Scores>,
    best_epoch: Option<usize>,
    log: String,
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

/// Trains in `folder` with so much memory for data, going on after each death, the next of which comes after `deaths` batches; gives
/// what it left and how often it died.
fn run(
    folder: &Path,
    device: &Device,
    (hears, memory): (Batches, Option<usize>),
    mut deaths: impl FnMut() -> usize,
) -> (Left, usize) {
    let (train, validation) = (data(0, SAMPLES), data(1000, 20));
    let (last, log) = (folder.join(Checkpoints::LAST), folder.join("log.csv"));
    for died in 0.. {
        let (mut death, mut stopping) = (Death { left: deaths(), hears }, EarlyStopping::new().patience(4));
        let resumes = last.exists();
        let mut model = if resumes { Model::load(&last, device.clone()).unwrap() } else { model(device.clone()) };
        model.set_device_memory(memory);
        let fit = Fit::epochs(EPOCHS)
            .batch_size(8)
            .validation(&validation)
            .keep_best(true)
            .checkpoints(Checkpoints::new(folder).every(Duration::ZERO))
            .callback(LearningRateScheduler::new(|epoch, rate| if epoch == 0 { rate } else { rate * 0.9 }))
            .callback(ReduceLrOnPlateau::new().patience(2).factor(0.3))
            .callback(&mut stopping)
            .callback(CsvLogger::new(&log))
            .callback(&mut death);
        let history = match model.fit(&train, if resumes { fit.resume() } else { fit }) {
            Ok(history) => history,
            Err(error) => {
                assert_eq!(error.to_string(), "killed");
                continue;
            }
        };
        assert_eq!(
            history.epochs.iter().map(|e| e.epoch).collect::<Vec<_>>(),
            (1..=history.epochs.len()).collect::<Vec<_>>()
        );
        let of = |moment: Vec<(String, Vec<f32>)>| moment.into_iter().map(|(path, v)| (path, bits(&v))).collect();
        let left = Left {
            weights: model.weights().unwrap().into_iter().map(|w| (w.path, bits(&w.values))).collect(),
            moments: model.optimizer_state().unwrap().into_iter().map(of).collect(),
            scores: history.epochs.into_iter().map(|epoch| epoch.scores).collect(),
            best_epoch: history.best_epoch,
            log: std::fs::read_to_string(&log).unwrap(),
        };
        return (left, died);
    }
    unreachable!()
}

fn goes_on_to_the_same_bits(device: &Device) {
    let folder = || tempfile::tempdir().unwrap();
    let (whole, died) = run(folder().path(), device, (Batches::Each, None), || usize::MAX);
    assert!(died == 0 && whole.scores.len() < EPOCHS, "{device}: early stopping, whose count goes on too, ends it");
    // At last with room for two batches of data on the device, beside the validation's.
    for how in [(Batches::Each, None), (Batches::Bunched, None), (Batches::Bunched, Some(2_400))] {
        // A checkpoint is written after the death of the batch before, so that each process gets one batch further at least.
        let mut number = 0;
        let deaths = || {
            number += 1;
            [2, 3, 7, 5, 13][number % 5]
        };
        let (cut, died) = run(folder().path(), device, how, deaths);
        assert!(died >= 4, "{device}: it died {died} times");
        assert_eq!(cut, whole, "{device}");
    }
}

#[test]
fn a_run_that_dies_again_and_again_ends_with_the_same_bits_on_the_cpu() {
    goes_on_to_the_same_bits(&Device::Cpu);
}

#[test]
fn a_run_that_dies_again_and_again_ends_with_the_same_bits_on_the_device() {
    let Some(device) = common::gpu() else { return };
    goes_on_to_the_same_bits(&device);
}

/// Sets a flag at the end of a batch.
struct Interrupter(Arc<AtomicBool>, usize);

impl Callback for Interrupter {
    fn batches(&self) -> Batches {
        Batches::Each
    }
    fn on_batch_end(&mut self, _: usize, _: &Scores, _: &mut Training<'_>) -> Result<()> {
        self.1 = self.1.saturating_sub(1);
        self.0.store(self.1 == 0, Ordering::Relaxed);
        Ok(())
    }
}

#[test]
fn an_interrupted_run_ends_at_once_and_goes_on_later() {
    let (folder, train) = (tempfile::tempdir().unwrap(), data(0, SAMPLES));
    let fit = || Fit::epochs(3).batch_size(8).checkpoints(Checkpoints::new(folder.path()));
    let flag = Arc::new(AtomicBool::new(false));
    let mut cut = model(Device::Cpu);
    let interrupter = Interrupter(flag.clone(), 9);
    let history = cut.fit(&train, fit().interrupt(flag).callback(interrupter)).unwrap();
    assert!(history.interrupted);
    assert_eq!((history.epochs.len(), cut.iterations()), (1, 9));
    let mut later = Model::load(folder.path().join(Checkpoints::LAST), Device::Cpu).unwrap();
    let resumed = later.fit(&train, fit().resume().callback(Interrupter(Arc::default(), 9))).unwrap();
    let mut whole = model(Device::Cpu);
    let of_whole = whole.fit(&train, Fit::epochs(3).batch_size(8)).unwrap();
    assert!(!resumed.interrupted && resumed.epochs.len() == 3);
    assert_eq!(resumed.get("loss"), of_whole.get("loss"));
    assert_eq!(later.weights().unwrap(), whole.weights().unwrap());
}

#[test]
fn another_run_is_not_resumed() {
    let (folder, train) = (tempfile::tempdir().unwrap(), data(0, SAMPLES));
    let checkpoints = || Checkpoints::new(folder.path());
    let refused = |model: &mut Model, data: &Dataset, fit: Fit<'_>, words: &str| {
        let error = model.fit(data, fit.resume()).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    refused(&mut model(Device::Cpu), &train, Fit::epochs(2), "nothing to resume");
    model(Device::Cpu).fit(&train, Fit::epochs(1).batch_size(8).checkpoints(checkpoints())).unwrap();
    let load = || Model::load(folder.path().join(Checkpoints::LAST), Device::Cpu).unwrap();
    refused(&mut load(), &data(1, SAMPLES), Fit::epochs(2).batch_size(8), "other than its data");
    refused(&mut load(), &train, Fit::epochs(2).batch_size(7), "other than its data");
    let more = Fit::epochs(2).batch_size(8).callback(EarlyStopping::new().monitor("loss"));
    refused(&mut load(), &train, more, "other than its callbacks");
    let error = model(Device::Cpu).fit(&train, Fit::epochs(1).checkpoints(checkpoints().every_epochs(0))).unwrap_err();
    assert!(error.to_string().contains("at least 1"), "{error}");
    // A checkpoint is a model like any other: it is trained on as a new run, too.
    assert_eq!(load().fit(&train, Fit::epochs(1).batch_size(8)).unwrap().epochs.len(), 1);
}
