//! What `fit` is asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::callbacks::Callback;
use super::checkpoints::Checkpoints;
use super::feed::Feed;
use super::history::{History, Scores};
use super::model::Model;
use super::run::{Batches, batch_sizes, check_batch_size};
use super::supply::{TRAINING, VALIDATION, Wanted};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::model::{Mode, hash};

/// In which epochs [`Fit`] validates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValidationFreq {
    /// In every so manieth.
    Every(usize),
    /// In these, counted from 1.
    Epochs(Vec<usize>),
}

impl From<usize> for ValidationFreq {
    fn from(every: usize) -> Self {
        ValidationFreq::Every(every)
    }
}

impl From<Vec<usize>> for ValidationFreq {
    fn from(epochs: Vec<usize>) -> Self {
        ValidationFreq::Epochs(epochs)
    }
}

impl ValidationFreq {
    /// Whether an epoch, from 0, is validated.
    pub(super) fn includes(&self, epoch: usize) -> bool {
        match self {
            ValidationFreq::Every(every) => (epoch + 1).is_multiple_of(*every),
            ValidationFreq::Epochs(epochs) => epochs.contains(&(epoch + 1)),
        }
    }
}

/// Arguments of [`Model::fit`], with Keras's names and defaults.
pub struct Fit<'a> {
    pub(super) epochs: usize,
    pub(super) initial_epoch: usize,
    batch_size: Option<usize>,
    pub(super) steps_per_epoch: Option<usize>,
    pub(super) shuffle: bool,
    validation: Option<&'a Dataset>,
    validation_split: Option<f64>,
    validation_steps: Option<usize>,
    validation_batch_size: Option<usize>,
    pub(super) validation_freq: ValidationFreq,
    pub(super) keep_best: bool,
    class_weight: Option<Vec<(usize, f64)>>,
    pub(super) checkpoints: Option<Checkpoints>,
    pub(super) resume: bool,
    interrupt: Option<Arc<AtomicBool>>,
    pub(super) callbacks: Vec<Box<dyn Callback + 'a>>,
}

/// Samples of a batch, where nothing is said.
const DEFAULT_BATCH: usize = 32;

impl<'a> Fit<'a> {
    /// Training up to so many epochs in batches of 32, shuffled.
    pub fn epochs(epochs: usize) -> Self {
        Fit {
            epochs,
            initial_epoch: 0,
            batch_size: None,
            steps_per_epoch: None,
            shuffle: true,
            validation: None,
            validation_split: None,
            validation_steps: None,
            validation_batch_size: None,
            validation_freq: ValidationFreq::Every(1),
            keep_best: false,
            class_weight: None,
            checkpoints: None,
            resume: false,
            interrupt: None,
            callbacks: Vec::new(),
        }
    }

    /// The epoch to begin with, from 0, to go on with training: so many of [`Fit::epochs`] are done already.
    pub fn initial_epoch(self, epoch: usize) -> Self {
        Fit { initial_epoch: epoch, ..self }
    }

    /// Samples of one training step; the last batch of a pass over the data may be short.
    pub fn batch_size(self, batch_size: usize) -> Self {
        Fit { batch_size: Some(batch_size), ..self }
    }

    /// Training steps of an epoch, instead of a pass over the data. As in Keras, the next epoch goes on where this one stopped, and an
    /// epoch ends early where the pass ends. Without a batch size, the data is cut into so many batches.
    pub fn steps_per_epoch(self, steps: usize) -> Self {
        Fit { steps_per_epoch: Some(steps), ..self }
    }

    /// Whether each pass over the data takes the samples in a new order (the default).
    pub fn shuffle(self, shuffle: bool) -> Self {
        Fit { shuffle, ..self }
    }

    /// Data to evaluate after each epoch.
    pub fn validation(self, data: &'a Dataset) -> Self {
        Fit { validation: Some(data), ..self }
    }

    /// The share of samples cut from the END of the data, before shuffling, to evaluate after each epoch. As in Keras,
    /// [`Fit::validation`] goes before it.
    pub fn validation_split(self, fraction: f64) -> Self {
        Fit { validation_split: Some(fraction), ..self }
    }

    /// Validates with only so many batches, the first ones.
    pub fn validation_steps(self, steps: usize) -> Self {
        Fit { validation_steps: Some(steps), ..self }
    }

    /// Samples of one batch in validation, instead of those in training.
    pub fn validation_batch_size(self, batch_size: usize) -> Self {
        Fit { validation_batch_size: Some(batch_size), ..self }
    }

    /// Validates only after every so manieth epoch, or after those listed, counted from 1.
    pub fn validation_freq(self, freq: impl Into<ValidationFreq>) -> Self {
        Fit { validation_freq: freq.into(), ..self }
    }

    /// Ends with the weights of the epoch with the least `val_loss` (or `loss`, without validation), and the optimizer's state of
    /// that time, not with the last one's.
    pub fn keep_best(self, keep_best: bool) -> Self {
        Fit { keep_best, ..self }
    }

    /// What samples of each class count for in training, where it is not 1, so that a rare class is not neglected: numbers of classes
    /// and their weights. Validation counts every sample once.
    pub fn class_weight(self, weights: impl IntoIterator<Item = (usize, f64)>) -> Self {
        Fit { class_weight: Some(weights.into_iter().collect()), ..self }
    }

    /// Saves the run as it goes.
    pub fn checkpoints(self, checkpoints: Checkpoints) -> Self {
        Fit { checkpoints: Some(checkpoints), ..self }
    }

    /// Goes on where the run was from whose [`Checkpoints`] the model was loaded, to the same bits on the same device as if it had never
    /// stopped. Give the same data, the same arguments, and the same callbacks in the same order; the history begins with the epochs that were
    /// done.
    pub fn resume(self) -> Self {
        Fit { resume: true, ..self }
    }

    /// Ends training once this is set, as soon as the device has done what it was told, in the middle of an epoch. With
    /// [`Fit::checkpoints`] the run is saved first.
    pub fn interrupt(self, flag: Arc<AtomicBool>) -> Self {
        Fit { interrupt: Some(flag), ..self }
    }

    /// Whether training is to end.
    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupt.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    /// Adds a callback; they are called in the order in which they were added. Give `&mut callback` to look at it afterwards.
    pub fn callback(mut self, callback: impl Callback + 'a) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    fn check(&self) -> Result<()> {
        let counts = [
            ("steps_per_epoch", self.steps_per_epoch),
            ("validation_steps", self.validation_steps),
            (
                "validation_freq",
                if let ValidationFreq::Every(every) = self.validation_freq { Some(every) } else { None },
            ),
        ];
        if let Some((name, _)) = counts.into_iter().find(|(_, count)| *count == Some(0)) {
            return Err(Error::usage(format!("{name} must be at least 1")));
        }
        check_batch_size(self.batch_size.unwrap_or(1))?;
        check_batch_size(self.validation_batch_size.unwrap_or(1))
    }

    fn batch_size_for(&self, samples: usize) -> usize {
        let cut = |steps| samples.div_ceil(steps).max(1);
        self.batch_size.or(self.steps_per_epoch.map(cut)).unwrap_or(DEFAULT_BATCH)
    }
}

/// A data set on the device, and its batches in a pass.
pub(super) struct Pass {
    pub feed: Feed,
    pub samples: usize,
    /// A number that changes with what stands in the data, as far as some samples show it.
    pub hash: u64,
    pub sizes: Vec<usize>,
}

impl Pass {
    fn new(feed: Feed, Wanted { data, batch, .. }: &Wanted<'_>) -> Result<Pass> {
        Ok(Pass { feed, samples: data.len(), hash: hash_of(data)?, sizes: batch_sizes(data.len(), *batch) })
    }

    /// What tells this data, cut into these batches, from other data.
    pub fn identity(&self) -> (usize, usize, u64) {
        (self.samples, self.sizes.len(), self.hash)
    }

    /// Its batches from one on.
    pub fn batches(&self, mode: Mode, from: usize, count: usize) -> Batches<'_> {
        let first = self.sizes[..from].iter().sum();
        Batches { feed: &self.feed, mode, first, sizes: self.sizes[from..from + count].to_vec() }
    }
}

/// A number made of some samples, evenly spread.
pub(crate) fn hash_of(data: &Dataset) -> Result<u64> {
    const SAMPLES: usize = 16;
    let picked = (0..SAMPLES.min(data.len())).map(|i| i * data.len() / SAMPLES.min(data.len()));
    let mut bytes = Vec::new();
    for i in picked {
        let (x, y) = data.read_sample(i)?;
        bytes.extend(x.into_iter().chain(y).flat_map(f32::to_le_bytes));
    }
    Ok(hash(bytes))
}

impl Model {
    /// Trains for some epochs.
    ///
    /// Errors: a data set that does not fit the model, a gradient that is not finite ([`Error::NonFinite`]; the weights of the step
    /// before are kept), a callback's error, a device that fails.
    pub fn fit(&mut self, data: &Dataset, fit: Fit<'_>) -> Result<History> {
        if self.fitting {
            return Err(Error::usage("a callback of `fit` cannot call `fit`: the model is being trained"));
        }
        self.check_data(data, true)?;
        fit.check()?;
        let split = match (fit.validation, fit.validation_split) {
            (None, Some(fraction)) => Some(data.validation_split(fraction)?),
            _ => None,
        };
        let (data, validation) = match &split {
            Some((train, validation)) => (train, Some(validation)),
            None => (data, fit.validation),
        };
        let batch_size = fit.batch_size_for(data.len());
        let weighted = fit.class_weight.as_ref().map(|weights| data.clone().with_class_weight(weights)).transpose()?;
        let mut wanted = vec![Wanted { name: TRAINING, data: weighted.as_ref().unwrap_or(data), batch: batch_size }];
        if let Some(data) = validation {
            self.check_data(data, true).map_err(|e| Error::usage(format!("validation data: {e}")))?;
            let batch = fit.validation_batch_size.unwrap_or(batch_size);
            wanted.push(Wanted { name: VALIDATION, data, batch });
        }
        let mut passes = self.feeds(&wanted)?.into_iter().zip(&wanted).map(|(feed, wanted)| Pass::new(feed, wanted));
        let train = passes.next().ok_or_else(|| Error::usage("there is nothing to train on"))??;
        let mut validation = passes.next().transpose()?;
        if let Some(pass) = &mut validation {
            pass.sizes.truncate(fit.validation_steps.unwrap_or(usize::MAX));
        }
        if !fit.resume {
            self.run_state = None;
        }
        self.usual_errors = None;
        self.fitting = true;
        let history = self.run_epochs(&train, validation.as_ref(), fit);
        self.fitting = false;
        history
    }

    /// Trains on given batches of samples, one step each, in this order; gives each step's mean loss and metrics, taken before
    /// its update. For training loops of one's own.
    pub fn train_on(&mut self, data: &Dataset, batches: &[Vec<u32>]) -> Result<Vec<Scores>> {
        self.train_batches("train_on", data, batches)
    }

    /// The same, with the data under a name on the device.
    pub(super) fn train_batches(
        &mut self,
        name: &'static str,
        data: &Dataset,
        batches: &[Vec<u32>],
    ) -> Result<Vec<Scores>> {
        self.check_data(data, true)?;
        self.usual_errors = None;
        let largest = batches.iter().map(Vec::len).max().unwrap_or(0).clamp(1, data.len());
        let feed = self.feed(name, data, largest)?;
        let mut all = Vec::with_capacity(batches.len());
        for rows in batches {
            if rows.is_empty() || rows.len() > data.len() || rows.iter().any(|&r| r as usize >= data.len()) {
                return Err(Error::usage(format!("a batch must name 1 to {} samples that there are", data.len())));
            }
            self.set_order(&feed, rows.clone())?;
            let mut tally = self.tally();
            let batch = Batches { feed: &feed, mode: Mode::Train, first: 0, sizes: vec![rows.len()] };
            self.run_batches(&batch, |done| tally.add_all(done))?;
            all.push(tally.scores(""));
        }
        Ok(all)
    }
}
