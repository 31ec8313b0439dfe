//! The loop over epochs and batches, and when callbacks are called.

use std::sync::Arc;
use std::time::Instant;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::callbacks::{Batches, Callback, Training};
use super::checkpoint::Snapshot;
use super::checkpoints::{Checkpoints, Saver};
use super::fit::{Fit, Pass};
use super::history::{Epoch, History, Scores};
use super::model::Model;
use super::optimizer::average_to_weights;
use super::run::Bunches;
use super::run_state::RunState;
use super::scores::Tally;
use crate::error::{Error, Result};
use crate::model::Mode;

/// The first of the streams of random numbers that shuffle epochs; those of first values are hashes, which do not come near.
const SHUFFLE_STREAM: u64 = 1 << 32;

/// The best epoch so far: its loss, its number from 1, its state.
type Best = Option<(f64, usize, Snapshot)>;

impl Model {
    pub(super) fn run_epochs(&mut self, train: &Pass, validation: Option<&Pass>, mut fit: Fit<'_>) -> Result<History> {
        let mut callbacks = std::mem::take(&mut fit.callbacks);
        let saver = fit.checkpoints.take().map(Checkpoints::begin).transpose()?;
        let resumed = if fit.resume { Some(self.resumed(train, callbacks.len())?) } else { None };
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
        let mut course = Course::new(train, validation, &fit, saver);
        let first = match &resumed {
            Some(state) => course.resume(state, &mut training, &mut callbacks)?,
            None => {
                callbacks.iter_mut().try_for_each(|c| c.on_train_begin(&mut training))?;
                fit.initial_epoch
            }
        };
        for epoch in first..fit.epochs {
            if training.stopped || course.history.interrupted {
                break;
            }
            let began = Instant::now();
            let before = course.partial.seconds;
            let Some(scores) = course.epoch(epoch, &mut training, &mut callbacks)? else { break };
            let seconds = before + began.elapsed().as_secs_f64();
            course.finish_epoch(Epoch { epoch: epoch + 1, scores, seconds }, &mut training, &mut callbacks)?;
        }
        let Course { mut history, best, .. } = course;
        history.best_epoch = training.model.finish_weights(best, !history.epochs.is_empty())?;
        let last = history.epochs.last().map(|epoch| epoch.scores.clone()).unwrap_or_default();
        callbacks.iter_mut().try_for_each(|c| c.on_train_end(&last, &mut training))?;
        Ok(history)
    }

    /// Where the run was that this model was loaded from, if this is the same run.
    fn resumed(&mut self, train: &Pass, callbacks: usize) -> Result<RunState> {
        let none = "the model was not loaded from a run's checkpoint, so there is nothing to resume";
        let state = self.run_state.take().ok_or_else(|| Error::usage(none))?;
        let changed = match (state.data == train.identity(), state.callbacks.len() == callbacks) {
            (true, true) => return Ok(state),
            (false, _) => {
                "its data: resume with the very same data and batch size, or train on from the model as a new run"
            }
            (_, false) => "its callbacks: resume with the same ones, in the same order",
        };
        Err(Error::usage(format!("the run cannot be resumed to the same bits with other than {changed}")))
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

    /// Puts the samples in the order of the pass that is under way.
    fn shuffle_again(&mut self, train: &Pass, shuffle: bool) -> Result<()> {
        self.shuffles = self.shuffles.saturating_sub(1);
        self.shuffle(train, shuffle)
    }

    /// Puts the samples in the order of the next pass.
    fn shuffle(&mut self, train: &Pass, shuffle: bool) -> Result<()> {
        let order = if shuffle { self.next_order(train.samples) } else { (0..train.samples as u32).collect() };
        self.shuffles += 1;
        self.set_order(&train.feed, order)
    }
}

type Callbacks<'a> = [Box<dyn Callback + 'a>];

/// What an epoch that is under way has done.
#[derive(Default)]
struct Partial {
    batches: usize,
    tally: Vec<Vec<u64>>,
    seconds: f64,
}

/// Where training is.
struct Course<'a, 'f> {
    train: &'a Pass,
    validation: Option<&'a Pass>,
    fit: &'a Fit<'f>,
    /// The next batch of the pass over the data, which may last several epochs.
    next_batch: usize,
    /// What an earlier process did of the epoch that comes next.
    partial: Partial,
    history: History,
    best: Best,
    saver: Option<Saver>,
}

impl<'a, 'f> Course<'a, 'f> {
    fn new(train: &'a Pass, validation: Option<&'a Pass>, fit: &'a Fit<'f>, saver: Option<Saver>) -> Self {
        let (history, partial) = (History::default(), Partial::default());
        Course { train, validation, fit, next_batch: train.sizes.len(), partial, history, best: None, saver }
    }

    /// Goes on where another process was; gives the epoch that comes next.
    fn resume(
        &mut self,
        state: &RunState,
        training: &mut Training<'_>,
        callbacks: &mut Callbacks<'_>,
    ) -> Result<usize> {
        self.next_batch = state.next_batch;
        self.history = state.history();
        self.partial = Partial { batches: state.batches, tally: state.tally.clone(), seconds: state.seconds };
        if state.next_batch < self.train.sizes.len() {
            training.model.shuffle_again(self.train, self.fit.shuffle)?;
        }
        if let Some(best) = state.best.as_ref().filter(|_| self.fit.keep_best) {
            let lost =
                "the run keeps its best epoch in the folder of its checkpoints: resume with Fit::checkpoints, too";
            let saver = self.saver.as_mut().ok_or_else(|| Error::usage(lost))?;
            self.best = Some((f64::from_bits(best.loss), best.epoch, saver.take_best(best)?));
        }
        for (callback, kept) in callbacks.iter_mut().zip(&state.callbacks) {
            callback.on_train_resume(kept, training)?;
        }
        training.model.take_from_state(state)?;
        training.stopped = state.stopped;
        Ok(state.epoch)
    }

    /// Runs an epoch and its validation; gives its scores, or nothing where training was stopped before its first batch, or
    /// interrupted.
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
        let Some(mut scores) = self.train_epoch(epoch, training, callbacks)? else { return Ok(None) };
        if let Some(pass) = self.validation.filter(|_| self.fit.validation_freq.includes(epoch)) {
            scores.0.extend(training.model.evaluate_feed(&pass.feed, pass.samples, &pass.sizes, "val_")?.0);
        }
        callbacks.iter_mut().try_for_each(|c| c.on_epoch_end(epoch, &mut scores, training))?;
        Ok(Some(scores))
    }

    /// Nothing where training was interrupted.
    fn train_epoch(
        &mut self,
        epoch: usize,
        training: &mut Training<'_>,
        callbacks: &mut Callbacks<'_>,
    ) -> Result<Option<Scores>> {
        let all = self.train.sizes.len();
        let partial = std::mem::take(&mut self.partial);
        let mut tally = training.model.tally();
        if partial.batches == 0 {
            if self.next_batch == all || self.fit.steps_per_epoch.is_none() {
                training.model.shuffle(self.train, self.fit.shuffle)?;
                self.next_batch = 0;
            }
        } else if !tally.set_bits(&partial.tally) {
            return Err(Error::usage("the run cannot be resumed with other metrics than those it began with"));
        }
        // The epoch's batches, of which some may have been done by an earlier process.
        let steps = training.steps.min(all - self.next_batch + partial.batches);
        let batches = self.train.batches(Mode::Train, self.next_batch, steps - partial.batches);
        let heard = callbacks.iter().map(|c| c.batches()).max().unwrap_or_default();
        let mut hearing =
            Hearing { epoch, steps, heard, done: partial.batches, before: partial.seconds, began: Instant::now() };
        let mut bunches = Bunches::new(&batches, heard == Batches::Each);
        let heard_all = self.hear(&mut bunches, &mut hearing, &mut tally, training, callbacks);
        bunches.stop(training.model)?;
        heard_all?;
        Ok((!self.history.interrupted).then(|| tally.scores("")))
    }

    /// Runs batches and tells callbacks of them.
    fn hear(
        &mut self,
        bunches: &mut Bunches<'_, '_>,
        hearing: &mut Hearing,
        tally: &mut Tally,
        training: &mut Training<'_>,
        callbacks: &mut Callbacks<'_>,
    ) -> Result<()> {
        while let Some(bunch) = bunches.next(training.model)? {
            training.diverged = false;
            for (i, of_batch) in bunch.sums.iter().enumerate() {
                tally.add(of_batch);
                training.diverged = bunch.diverged.is_some() && i + 1 == bunch.sums.len();
                if hearing.heard != Batches::None {
                    let logs = tally.scores("");
                    let listening = callbacks.iter_mut().filter(|c| c.batches() != Batches::None);
                    listening.into_iter().try_for_each(|c| c.on_batch_end(hearing.done, &logs, training))?;
                }
                hearing.done += 1;
                self.next_batch += 1;
            }
            if let Some(error) = bunch.diverged.filter(|_| !training.stopped) {
                return Err(error);
            }
            if training.stopped || self.pause(bunches, hearing, tally, training, callbacks)? {
                break;
            }
        }
        Ok(())
    }

    /// Within an epoch, saves the run when it is time; gives whether training is to end here.
    fn pause(
        &mut self,
        bunches: &mut Bunches<'_, '_>,
        hearing: &Hearing,
        tally: &Tally,
        training: &mut Training<'_>,
        callbacks: &mut Callbacks<'_>,
    ) -> Result<bool> {
        let interrupted = self.fit.is_interrupted();
        let wanted = interrupted || self.saver.as_ref().is_some_and(Saver::is_due);
        if !wanted || hearing.done >= hearing.steps || !bunches.pause() {
            return Ok(false);
        }
        let seconds = hearing.before + hearing.began.elapsed().as_secs_f64();
        let partial = Partial { batches: hearing.done, tally: tally.bits(), seconds };
        self.save(hearing.epoch, partial, training, callbacks)?;
        bunches.go_on();
        self.history.interrupted = interrupted;
        Ok(interrupted)
    }

    /// Keeps what an epoch gave, and saves the run when it is time.
    fn finish_epoch(&mut self, done: Epoch, training: &mut Training<'_>, callbacks: &mut Callbacks<'_>) -> Result<()> {
        let epoch = done.epoch - 1;
        self.keep(&done, training.model)?;
        self.history.epochs.push(done);
        self.history.interrupted = self.fit.is_interrupted() && epoch + 1 < self.fit.epochs && !training.stopped;
        let last = epoch + 1 == self.fit.epochs || training.stopped || self.history.interrupted;
        match self.saver.as_ref().is_some_and(|saver| last || saver.is_due_after(epoch)) {
            true => self.save(epoch + 1, Partial::default(), training, callbacks),
            false => Ok(()),
        }
    }

    /// Keeps the best epoch's weights, where that is asked for.
    fn keep(&mut self, done: &Epoch, model: &mut Model) -> Result<()> {
        let judged = done.scores.get("val_loss").or(done.scores.get("loss"));
        let judged = judged.filter(|loss| !loss.is_nan()).unwrap_or(f64::INFINITY);
        if !self.fit.keep_best || self.best.as_ref().is_some_and(|(least, _, _)| judged >= *least) {
            return Ok(());
        }
        self.best = Some((judged, done.epoch, model.snapshot()?));
        match &mut self.saver {
            Some(saver) => saver.save_best(model, judged, done.epoch),
            None => Ok(()),
        }
    }

    /// Saves the run, if that is asked for: `epoch` comes next, or is under way.
    fn save(
        &mut self,
        epoch: usize,
        partial: Partial,
        training: &mut Training<'_>,
        callbacks: &mut Callbacks<'_>,
    ) -> Result<()> {
        let Some(saver) = &mut self.saver else { return Ok(()) };
        let mut state = RunState {
            epoch,
            next_batch: self.next_batch,
            batches: partial.batches,
            tally: partial.tally,
            seconds: partial.seconds,
            stopped: training.stopped,
            callbacks: callbacks.iter_mut().map(|c| c.state()).collect::<Result<_>>()?,
            data: self.train.identity(),
            ..RunState::default()
        };
        state.set_history(&self.history);
        saver.save(training.model, state)
    }
}

/// Batches of an epoch that are heard of.
struct Hearing {
    epoch: usize,
    /// How many it has.
    steps: usize,
    heard: Batches,
    /// How many are done.
    done: usize,
    /// Seconds that an earlier process took for those it did.
    before: f64,
    began: Instant,
}
