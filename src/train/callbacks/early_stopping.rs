//! Stopping when a score improves no more.

use serde::{Deserialize, Serialize};

use super::super::history::Scores;
use super::super::model::Weight;
use super::monitor::{Better, Monitor, monitored};
use super::state::{self, exact};
use super::{Callback, Training};
use crate::error::Result;

/// Stops training when a score has not improved for some epochs: Keras's `EarlyStopping`.
#[derive(Clone, Debug)]
pub struct EarlyStopping {
    monitor: Monitor,
    patience: usize,
    baseline: Option<f64>,
    restore_best_weights: bool,
    start_from_epoch: usize,
    seen: Seen,
}

/// What it has seen of a training.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Seen {
    wait: usize,
    #[serde(with = "exact")]
    best: Option<f64>,
    best_epoch: Option<usize>,
    best_weights: Option<Vec<Weight>>,
    stopped_epoch: Option<usize>,
}

impl Default for EarlyStopping {
    fn default() -> Self {
        EarlyStopping::new()
    }
}

impl EarlyStopping {
    /// Watches `val_loss`, with no patience.
    pub fn new() -> Self {
        EarlyStopping {
            monitor: Monitor::new("EarlyStopping", 0.0),
            patience: 0,
            baseline: None,
            restore_best_weights: false,
            start_from_epoch: 0,
            seen: Seen::default(),
        }
    }

    monitored!();

    /// A change of no more than this is no improvement.
    pub fn min_delta(mut self, min_delta: f64) -> Self {
        self.monitor.min_delta = min_delta;
        self
    }

    /// After so many epochs without an improvement training stops.
    pub fn patience(self, patience: usize) -> Self {
        EarlyStopping { patience, ..self }
    }

    /// Only a value better than this counts as an improvement that restarts the patience.
    pub fn baseline(self, baseline: f64) -> Self {
        EarlyStopping { baseline: Some(baseline), ..self }
    }

    /// Ends with the weights of the best epoch, whether training was stopped or ran to its end. As in Keras these are the weights
    /// and moving statistics, not the optimizer's state.
    pub fn restore_best_weights(self, restore: bool) -> Self {
        EarlyStopping { restore_best_weights: restore, ..self }
    }

    /// Epochs before this one, from 0, are not looked at.
    pub fn start_from_epoch(self, epoch: usize) -> Self {
        EarlyStopping { start_from_epoch: epoch, ..self }
    }

    /// The epoch, from 0, after which it stopped training.
    pub fn stopped_epoch(&self) -> Option<usize> {
        self.seen.stopped_epoch
    }

    /// The epoch, from 0, with the best value so far.
    pub fn best_epoch(&self) -> Option<usize> {
        self.seen.best_epoch
    }
}

impl Callback for EarlyStopping {
    fn on_train_begin(&mut self, training: &mut Training<'_>) -> Result<()> {
        self.monitor.begin(training)?;
        self.seen = Seen::default();
        Ok(())
    }

    fn state(&mut self) -> Result<String> {
        state::write(&self.seen)
    }

    fn on_train_resume(&mut self, state: &str, training: &mut Training<'_>) -> Result<()> {
        self.on_train_begin(training)?;
        self.seen = state::read("EarlyStopping", state)?;
        Ok(())
    }

    fn on_epoch_end(&mut self, epoch: usize, logs: &mut Scores, training: &mut Training<'_>) -> Result<()> {
        let Some(value) = self.monitor.value(logs).filter(|_| epoch >= self.start_from_epoch) else { return Ok(()) };
        let seen = &mut self.seen;
        seen.wait += 1;
        if self.monitor.improves(value, seen.best) {
            (seen.best, seen.best_epoch) = (Some(value), Some(epoch));
            if self.restore_best_weights {
                seen.best_weights = Some(training.model.weights()?);
            }
            if self.baseline.is_none() || self.monitor.improves(value, self.baseline) {
                seen.wait = 0;
            }
        } else if seen.wait >= self.patience && epoch > 0 {
            seen.stopped_epoch = Some(epoch);
            training.stop();
        }
        Ok(())
    }

    fn on_train_end(&mut self, _: &Scores, training: &mut Training<'_>) -> Result<()> {
        let Some(weights) = self.seen.best_weights.take() else { return Ok(()) };
        training.model.set_weights(weights.iter().map(|w| (w.path.as_str(), w.values.as_slice())))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{feed, model};
    use super::*;

    /// How many epochs are run of a script of `val_loss`.
    fn epochs(mut stopping: EarlyStopping, values: &[f64]) -> (usize, Option<usize>, Option<usize>) {
        let done = feed(&mut stopping, &mut model(), "val_loss", values, |_, _| {});
        (done, stopping.stopped_epoch(), stopping.best_epoch())
    }

    #[test]
    fn it_stops_where_keras_does() {
        let stopping = EarlyStopping::new;
        let falling_then_flat = [0.5, 0.4, 0.41, 0.39, 0.42, 0.43, 0.44];
        assert_eq!(epochs(stopping(), &falling_then_flat), (3, Some(2), Some(1)));
        assert_eq!(epochs(stopping().patience(2), &falling_then_flat), (6, Some(5), Some(3)));
        assert_eq!(epochs(stopping().patience(3), &falling_then_flat), (7, Some(6), Some(3)));
        assert_eq!(epochs(stopping().patience(4), &falling_then_flat), (7, None, Some(3)));
        // A step down of 0.01 is not enough.
        assert_eq!(epochs(stopping().patience(2).min_delta(0.05), &falling_then_flat), (4, Some(3), Some(1)));
        assert_eq!(epochs(stopping().start_from_epoch(2), &falling_then_flat), (5, Some(4), Some(3)));
        // The first epoch never stops, but what it waited counts.
        assert_eq!(epochs(stopping().mode(Better::Max), &[0.5, 0.4, 0.6]), (2, Some(1), Some(0)));
        assert_eq!(epochs(stopping().patience(1), &[f64::NAN, 0.4, 0.3]), (2, Some(1), Some(0)));
    }

    #[test]
    fn only_what_beats_the_baseline_restarts_the_patience() {
        let stopping = EarlyStopping::new().patience(3).baseline(0.35);
        // An epoch that is the best so far does not stop, but without beating the baseline it does not restart the patience either.
        assert_eq!(epochs(stopping.clone(), &[0.5, 0.4, 0.41, 0.39, 0.42, 0.1]), (3, Some(2), Some(1)));
        assert_eq!(epochs(stopping.clone(), &[0.5, 0.4, 0.39, 0.38, 0.42, 0.1]), (5, Some(4), Some(3)));
        assert_eq!(epochs(stopping, &[0.5, 0.34, 0.36, 0.37, 0.33, 0.3]), (6, None, Some(5)));
    }

    #[test]
    fn the_best_epochs_weights_come_back() {
        let mut model = model();
        let mut stopping = EarlyStopping::new().patience(2).restore_best_weights(true);
        feed(&mut stopping, &mut model, "val_loss", &[0.5, 0.4, 0.6, 0.7, 0.1], |epoch, training| {
            training.model.set_weights([("dense/bias", [10.0 + epoch as f32].as_slice())]).unwrap();
        });
        // The weights of an epoch's end are those that the epoch before left.
        assert_eq!(model.variable("dense/bias").unwrap(), [10.0]);
        let mut without = EarlyStopping::new().patience(2);
        feed(&mut without, &mut model, "val_loss", &[0.5, 0.4, 0.6, 0.7, 0.1], |epoch, training| {
            training.model.set_weights([("dense/bias", [10.0 + epoch as f32].as_slice())]).unwrap();
        });
        assert_eq!(model.variable("dense/bias").unwrap(), [13.0]);
    }
}
