//! A learning rate that falls when a score improves no more.

use serde::{Deserialize, Serialize};

use super::super::history::Scores;
use super::monitor::{Better, Monitor, monitored};
use super::state::{self, exact};
use super::{Callback, Training};
use crate::error::{Error, Result};

/// Lowers the learning rate when a score has not improved for some epochs: Keras's `ReduceLROnPlateau`. Adds `learning_rate` to an
/// epoch's scores, the rate with which it was trained.
#[derive(Clone, Debug)]
pub struct ReduceLrOnPlateau {
    monitor: Monitor,
    factor: f64,
    patience: usize,
    cooldown: usize,
    min_lr: f64,
    seen: Seen,
}

/// What it has seen of a training.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Seen {
    #[serde(with = "exact")]
    best: Option<f64>,
    wait: usize,
    cooldown_counter: usize,
}

impl Default for ReduceLrOnPlateau {
    fn default() -> Self {
        ReduceLrOnPlateau::new()
    }
}

impl ReduceLrOnPlateau {
    /// Watches `val_loss`; after 10 epochs without an improvement of 1e-4 the rate falls to a tenth.
    pub fn new() -> Self {
        ReduceLrOnPlateau {
            monitor: Monitor::new("ReduceLrOnPlateau", 1e-4),
            factor: 0.1,
            patience: 10,
            cooldown: 0,
            min_lr: 0.0,
            seen: Seen::default(),
        }
    }

    monitored!();

    /// What the rate is multiplied with, below 1.
    pub fn factor(self, factor: f64) -> Self {
        ReduceLrOnPlateau { factor, ..self }
    }

    /// After so many epochs without an improvement the rate falls.
    pub fn patience(self, patience: usize) -> Self {
        ReduceLrOnPlateau { patience, ..self }
    }

    /// A change of no more than this is no improvement.
    pub fn min_delta(mut self, min_delta: f64) -> Self {
        self.monitor.min_delta = min_delta;
        self
    }

    /// So many epochs after a fall do not count.
    pub fn cooldown(self, cooldown: usize) -> Self {
        ReduceLrOnPlateau { cooldown, ..self }
    }

    /// The rate does not fall below this.
    pub fn min_lr(self, min_lr: f64) -> Self {
        ReduceLrOnPlateau { min_lr, ..self }
    }

    fn check(&self) -> Result<()> {
        let refuse = |what: &str, value: f64| Err(Error::usage(format!("ReduceLrOnPlateau: {what}, not {value}")));
        if !(0.0..1.0).contains(&self.factor) {
            return refuse("the factor must be at least 0 and less than 1", self.factor);
        }
        match self.min_lr >= 0.0 && self.min_lr.is_finite() {
            true => Ok(()),
            false => refuse("min_lr must be a number of at least 0", self.min_lr),
        }
    }
}

impl Callback for ReduceLrOnPlateau {
    fn adds(&self) -> Vec<String> {
        vec!["learning_rate".to_owned()]
    }

    fn on_train_begin(&mut self, training: &mut Training<'_>) -> Result<()> {
        self.check()?;
        let rate = training.model.learning_rate();
        training.model.set_learning_rate(rate).map_err(|e| Error::usage(format!("ReduceLrOnPlateau: {e}")))?;
        self.monitor.begin(training)?;
        self.seen = Seen::default();
        Ok(())
    }

    fn state(&mut self) -> Result<String> {
        state::write(&self.seen)
    }

    fn on_train_resume(&mut self, state: &str, training: &mut Training<'_>) -> Result<()> {
        self.on_train_begin(training)?;
        self.seen = state::read("ReduceLrOnPlateau", state)?;
        Ok(())
    }

    fn on_epoch_end(&mut self, _: usize, logs: &mut Scores, training: &mut Training<'_>) -> Result<()> {
        let rate = training.model.learning_rate();
        logs.set("learning_rate", rate);
        let Some(value) = self.monitor.value(logs) else { return Ok(()) };
        let seen = &mut self.seen;
        if seen.cooldown_counter > 0 {
            seen.cooldown_counter -= 1;
            seen.wait = 0;
        }
        if self.monitor.improves(value, seen.best) {
            (seen.best, seen.wait) = (Some(value), 0);
        } else if seen.cooldown_counter == 0 {
            seen.wait += 1;
            if seen.wait >= self.patience && rate > self.min_lr {
                training.model.set_learning_rate((rate * self.factor).max(self.min_lr))?;
                (seen.cooldown_counter, seen.wait) = (self.cooldown, 0);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{feed, model, training};
    use super::*;

    /// The rate after each epoch of a script of `val_loss`, from 0.5 on.
    fn rates(mut reduce: ReduceLrOnPlateau, values: &[f64]) -> Vec<f64> {
        let mut rates = Vec::new();
        feed(&mut reduce, &mut model(), "val_loss", values, |_, training| rates.push(training.model.learning_rate()));
        rates
    }

    #[test]
    fn the_rate_falls_where_kerass_does() {
        let halve = || ReduceLrOnPlateau::new().factor(0.5);
        let flat = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0];
        assert_eq!(rates(halve().patience(2), &flat), [0.5, 0.5, 0.25, 0.25, 0.125, 0.125, 0.0625]);
        // The two epochs of the cooldown: in the second of them it ends, and the waiting begins.
        let cooling = halve().patience(2).cooldown(2);
        assert_eq!(rates(cooling, &flat), [0.5, 0.5, 0.25, 0.25, 0.25, 0.125, 0.125]);
        assert_eq!(rates(halve().patience(0), &flat[..4]), [0.5, 0.25, 0.125, 0.0625]);
        assert_eq!(rates(halve().patience(1).min_lr(0.2), &flat[..5]), [0.5, 0.25, 0.2, 0.2, 0.2]);
        // Improvements of less than 1e-4 are none.
        let creeping = [1.0, 0.99995, 0.9999, 0.5, 0.49995];
        assert_eq!(rates(halve().patience(1), &creeping), [0.5, 0.25, 0.125, 0.125, 0.0625]);
        assert_eq!(rates(halve().patience(1).min_delta(0.0), &creeping), [0.5; 5]);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        use crate::exec::Device;
        use crate::model::{Dense, Sequential};
        use crate::train::{ExponentialDecay, Loss, Sgd};
        let refused = |mut reduce: ReduceLrOnPlateau, words: &str| {
            let mut model = model();
            let error = reduce.on_train_begin(&mut training(&mut model, 1)).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        };
        refused(ReduceLrOnPlateau::new().factor(1.0), "less than 1, not 1");
        refused(ReduceLrOnPlateau::new().min_lr(f64::NAN), "min_lr");
        let (layers, rate) = (Sequential::new(&[1]).add(Dense::new(1)), ExponentialDecay::new(0.1, 1, 0.9));
        let mut model = layers.compile(Device::Cpu, Loss::MeanSquaredError, Sgd::new(rate), []).unwrap();
        let error = ReduceLrOnPlateau::new().on_train_begin(&mut training(&mut model, 1)).unwrap_err().to_string();
        assert!(error.contains("ReduceLrOnPlateau") && error.contains("schedule"), "{error}");
    }
}
