//! The loop over epochs and batches, and when callbacks are called.

use std::sync::Arc;
use std::time::Instant;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::callbacks::{Batches, Callback, Training};
use super::checkpoint::Snapshot;
use super::fit::{Fit, Pass};
use super::history::{Epoch, History, Scores};
use super::model::Model;
use super::optimizer::average_to_weights;
use super::run::Bunches;
use super::scores::Tally;
use crate::error::Result;
use crate::model::Mode;

/// The first of the streams of random numbers that shuffle epochs; those of first values are hashes, which do not come near.
const SHUFFLE_STREAM: u64 = 1 << 32;

/// The best epoch so far: its loss, its number from 1, its state.
type Best = Option<(f64, usize, Snapshot)>;

impl Model {
    pub(super) fn run_epochs(&mut self, train: &Pass, validation: Option<&Pass>, mut fit: Fit<'_>) -> Result<History> {
        let mut callbacks = std::mem::take(&mut fit.callbacks);
        let steps = fit.steps_per_epoch.unwrap_or(train.sizes.len());
        let mut names = self.score_names("");
        if validation.is_some() {
            names.extend(self.score_names("val_"));
        }
        names.extend(callbacks.iter().flat_map(|callback| callback.adds()));
        let mut training = Training {
            model: self,
            epochs: fit.epochs,
            steps,
            names,
            validates: validation.is_some(),
            stopped: false,
            diverged: false,
        };
        let (mut history, mut best) = (History::default(), None);
        let mut course = Course { train, validation, fit: &fit, next_batch: train.sizes.len() };
        callbacks.iter_mut().try_for_each(|c| c.on_train_begin(&mut training))?;
        for epoch in fit.initial_epoch..fit.epochs {
            if training.stopped {
                break;
            }
            let began = Instant::now();
            let Some(scores) = course.epoch(epoch, &mut training, &mut callbacks)? else { break };
            if fit.keep_best {
                keep(&mut best, epoch, &scores, training.model)?;
            }
            history.epochs.push(Epoch { epoch: epoch + 1, scores, seconds: began.elapsed().as_secs_f64() });
        }
        history.best_epoch = training.model.finish_weights(best, !history.epochs.is_empty())?;
        let last = history.epochs.last().map(|epoch| epoch.scores.clone()).unwrap_or_default();
        callbacks.iter_mut().try_for_each(|c| c.on_train_end(&last, &mut training))?;
        Ok(history)
    }

    /// The weights that training ends with: the best epoch's, where they were kept, or the average of the weights, where there is one.
    fn finish_weights(&mut self, best: Best, trained: bool) -> Result<Option<usize>> {
        if let Some((_, epoch, snapshot)) = best {
            self.restore(&snapshot)?;
            return Ok(Some(epoch));
        }
        if trained && self.compiled.optimizer.common().use_ema {
            let plan = Arc::new(average_to_weights(&self.network.table, self.executor.limits())?);
            self.executor.run(&plan, 0..1)?;
        }
        Ok(None)
    }

    /// The order in which the next pass would draw the samples.
    pub(super) fn next_order(&self, samples: usize) -> Vec<u32> {
        let mut order: Vec<u32> = (0..samples as u32).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(self.network.seed);
        rng.set_stream(SHUFFLE_STREAM + self.shuffles);
        order.shuffle(&mut rng);
        order
    }

    /// Puts the samples in the order of the next pass.
    fn shuffle(&mut self, train: &Pass, shuffle: bool) -> Result<()> {
        let order = if shuffle { self.next_order(train.samples) } else { (0..train.samples as u32).collect() };
        self.shuffles += 1;
        train.feed.set_order(self.executor.as_mut(), &order)
    }
}

fn keep(best: &mut Best, epoch: usize, scores: &Scores, model: &mut Model) -> Result<()> {
    let judged = scores.get("val_loss").or(scores.get("loss")).filter(|loss| !loss.is_nan()).unwrap_or(f64::INFINITY);
    if best.as_ref().is_none_or(|(least, _, _)| judged < *least) {
        *best = Some((judged, epoch + 1, model.snapshot()?));
    }
    Ok(())
}

type Callbacks<'a> = [Box<dyn Callback + 'a>];

/// Where training is.
struct Course<'a, 'f> {
    train: &'a Pass,
    validation: Option<&'a Pass>,
    fit: &'a Fit<'f>,
    /// The next batch of the pass over the data, which may last several epochs.
    next_batch: usize,
}

impl Course<'_, '_> {
    /// Runs an epoch and its validation; gives its scores, or nothing where training was stopped before its first batch.
    fn epoch(
        &mut self,
        epoch: usize,
        training: &mut Training<'_>,
        callbacks: &mut Callbacks<'_>,
    ) -> Result<Option<Scores>> {
        callbacks.iter_mut().try_for_each(|c| c.on_epoch_begin(epoch, training))?;
        if training.stopped {
            return Ok(None);
        }
        let mut scores = self.train_epoch(training, callbacks)?;
        if let Some(pass) = self.validation.filter(|_| self.fit.validation_freq.includes(epoch)) {
            scores.0.extend(training.model.evaluate_feed(&pass.feed, pass.samples, &pass.sizes, "val_")?.0);
        }
        callbacks.iter_mut().try_for_each(|c| c.on_epoch_end(epoch, &mut scores, training))?;
        Ok(Some(scores))
    }

    fn train_epoch(&mut self, training: &mut Training<'_>, callbacks: &mut Callbacks<'_>) -> Result<Scores> {
        let all = self.train.sizes.len();
        if self.next_batch == all || self.fit.steps_per_epoch.is_none() {
            training.model.shuffle(self.train, self.fit.shuffle)?;
            self.next_batch = 0;
        }
        let steps = training.steps.min(all - self.next_batch);
        let batches = self.train.batches(Mode::Train, self.next_batch, steps);
        self.next_batch += steps;
        let heard = callbacks.iter().map(|c| c.batches()).max().unwrap_or_default();
        let mut bunches = Bunches::new(&batches, heard == Batches::Each);
        let mut tally = training.model.tally();
        let heard_all = hear(&mut bunches, heard, &mut tally, training, callbacks);
        bunches.stop(training.model)?;
        heard_all?;
        Ok(tally.scores(""))
    }
}

/// Runs batches and tells callbacks of them.
fn hear(
    bunches: &mut Bunches<'_, '_>,
    heard: Batches,
    tally: &mut Tally,
    training: &mut Training<'_>,
    callbacks: &mut Callbacks<'_>,
) -> Result<()> {
    let mut batch = 0;
    while let Some(bunch) = bunches.next(training.model)? {
        training.diverged = false;
        for (i, of_batch) in bunch.sums.iter().enumerate() {
            tally.add(of_batch);
            training.diverged = bunch.diverged.is_some() && i + 1 == bunch.sums.len();
            if heard != Batches::None {
                let logs = tally.scores("");
                let hearing = callbacks.iter_mut().filter(|c| c.batches() != Batches::None);
                hearing.into_iter().try_for_each(|c| c.on_batch_end(batch, &logs, training))?;
            }
            batch += 1;
        }
        if let Some(error) = bunch.diverged.filter(|_| !training.stopped) {
            return Err(error);
        }
        if training.stopped {
            break;
        }
    }
    Ok(())
}
