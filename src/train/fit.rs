//! Training.

use std::sync::Arc;
use std::time::Instant;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::feed::Feed;
use super::history::{Epoch, History, Scores};
use super::model::Model;
use super::optimizer::average_to_weights;
use super::run::{Batches, add_up, batch_sizes, check_batch_size};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::model::Mode;

/// What training tells while it runs.
#[derive(Clone, Debug)]
pub struct Progress<'a> {
    /// From 1.
    pub epoch: usize,
    /// Epochs of this call.
    pub epochs: usize,
    /// Steps done of this epoch.
    pub step: usize,
    /// Steps of an epoch.
    pub steps: usize,
    /// Means over this epoch so far; with the validation's at its end.
    pub scores: &'a Scores,
    /// True once per epoch, after validation.
    pub epoch_done: bool,
}

type Report<'a> = Box<dyn FnMut(&Progress<'_>) + 'a>;

/// Arguments of [`Model::fit`], with Keras's names and defaults.
pub struct Fit<'a> {
    epochs: usize,
    batch_size: usize,
    shuffle: bool,
    validation: Option<&'a Dataset>,
    validation_split: Option<f64>,
    keep_best: bool,
    report: Option<Report<'a>>,
}

impl<'a> Fit<'a> {
    /// So many epochs in batches of 32, shuffled.
    pub fn epochs(epochs: usize) -> Self {
        Fit {
            epochs,
            batch_size: 32,
            shuffle: true,
            validation: None,
            validation_split: None,
            keep_best: false,
            report: None,
        }
    }

    /// Samples of one training step; an epoch's last batch may be short.
    pub fn batch_size(self, batch_size: usize) -> Self {
        Fit { batch_size, ..self }
    }

    /// Whether each epoch takes the samples in a new order (the default).
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

    /// Ends with the weights of the epoch with the least `val_loss` (or `loss`, without validation), not with the last one's.
    pub fn keep_best(self, keep_best: bool) -> Self {
        Fit { keep_best, ..self }
    }

    /// Called about ten times a second, and at every epoch's end.
    pub fn on_progress(self, report: impl FnMut(&Progress<'_>) + 'a) -> Self {
        Fit { report: Some(Box::new(report)), ..self }
    }
}

/// The first of the streams of random numbers that shuffle epochs; those of first values are hashes, which do not come near.
const SHUFFLE_STREAM: u64 = 1 << 32;

impl Model {
    /// Trains for some epochs.
    ///
    /// Errors: a data set that does not fit the model, a gradient that is not finite ([`Error::NonFinite`]; the weights of the step
    /// before are kept), a device that fails.
    pub fn fit(&mut self, data: &Dataset, mut fit: Fit<'_>) -> Result<History> {
        self.check_data(data, true)?;
        check_batch_size(fit.batch_size)?;
        let split = match (fit.validation, fit.validation_split) {
            (None, Some(fraction)) => Some(data.validation_split(fraction)?),
            _ => None,
        };
        let (data, validation) = match &split {
            Some((train, validation)) => (train, Some(validation)),
            None => (data, fit.validation),
        };
        let train = self.feed("train", data)?;
        let validation = match validation {
            Some(data) => {
                self.check_data(data, true).map_err(|e| Error::usage(format!("validation data: {e}")))?;
                Some((self.feed("validation", data)?, data.len()))
            }
            None => None,
        };
        self.run_epochs(&train, data.len(), validation.as_ref(), &mut fit)
    }

    fn run_epochs(
        &mut self,
        train: &Feed,
        samples: usize,
        validation: Option<&(Feed, usize)>,
        fit: &mut Fit<'_>,
    ) -> Result<History> {
        let mut history = History::default();
        let mut best = None;
        for epoch in 1..=fit.epochs {
            let began = Instant::now();
            let mut scores = self.run_epoch(train, samples, epoch, fit)?;
            if let Some((feed, samples)) = validation {
                scores.0.extend(self.evaluate_feed(feed, *samples, fit.batch_size, "val_")?.0);
            }
            let steps = samples.div_ceil(fit.batch_size);
            if let Some(report) = &mut fit.report {
                let epochs = fit.epochs;
                report(&Progress { epoch, epochs, step: steps, steps, scores: &scores, epoch_done: true });
            }
            let judged = scores.get("val_loss").or(scores.get("loss")).unwrap_or(f64::INFINITY);
            if fit.keep_best && best.as_ref().is_none_or(|(least, _, _)| judged < *least) {
                best = Some((judged, epoch, self.snapshot()?));
            }
            history.epochs.push(Epoch { epoch, scores, seconds: began.elapsed().as_secs_f64() });
        }
        if let Some((_, epoch, snapshot)) = best {
            self.restore(&snapshot)?;
            history.best_epoch = Some(epoch);
        } else if fit.epochs > 0 && self.compiled.optimizer.common().use_ema {
            let plan = Arc::new(average_to_weights(&self.network.table, self.executor.limits())?);
            self.executor.run(&plan, 0..1)?;
        }
        Ok(history)
    }

    fn run_epoch(&mut self, train: &Feed, samples: usize, epoch: usize, fit: &mut Fit<'_>) -> Result<Scores> {
        let mut order: Vec<u32> = (0..samples as u32).collect();
        if fit.shuffle {
            let mut rng = ChaCha8Rng::seed_from_u64(self.network.seed);
            rng.set_stream(SHUFFLE_STREAM + self.shuffles);
            order.shuffle(&mut rng);
        }
        self.shuffles += 1;
        train.set_order(self.executor.as_mut(), &order)?;
        let batches = Batches { feed: train, mode: Mode::Train, sizes: batch_sizes(samples, fit.batch_size) };
        let (steps, epochs) = (batches.sizes.len(), fit.epochs);
        let (mut sums, mut rows, mut step) = (vec![0.0; self.compiled.columns()], 0, 0);
        let names = self.scores(&sums, 1, "");
        self.run_batches(&batches, |batches| {
            add_up(batches, &mut sums, &mut rows);
            step += batches.len();
            if let Some(report) = &mut fit.report {
                let mut scores = names.clone();
                scores.0.iter_mut().zip(&sums).for_each(|((_, mean), sum)| *mean = sum / rows as f64);
                report(&Progress { epoch, epochs, step, steps, scores: &scores, epoch_done: false });
            }
        })?;
        Ok(self.scores(&sums, rows, ""))
    }

    /// Trains on given batches of samples, one step each, in this order; gives each step's mean loss and metrics, taken before
    /// its update. For training loops of one's own.
    pub fn train_on(&mut self, data: &Dataset, batches: &[Vec<u32>]) -> Result<Vec<Scores>> {
        self.check_data(data, true)?;
        let feed = self.feed("train_on", data)?;
        let mut all = Vec::with_capacity(batches.len());
        for rows in batches {
            if rows.is_empty() || rows.len() > data.len() || rows.iter().any(|&r| r as usize >= data.len()) {
                return Err(Error::usage(format!("a batch must name 1 to {} samples that there are", data.len())));
            }
            feed.set_order(self.executor.as_mut(), rows)?;
            let mut of_batch = Vec::new();
            let batch = Batches { feed: &feed, mode: Mode::Train, sizes: vec![rows.len()] };
            self.run_batches(&batch, |done| of_batch.extend(done.iter().map(|b| (b.sums.clone(), b.rows))))?;
            all.extend(of_batch.iter().map(|(sums, rows)| self.scores(sums, *rows, "")));
        }
        Ok(all)
    }
}
