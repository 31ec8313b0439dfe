//! What looks on while a trial trains.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::objective::Objective;
use crate::error::{Error, Result};
use crate::train::{Callback, Scores, Training};

/// Saves the model after each epoch that is the best so far, tells of epochs, and ends training when the time is up.
pub(super) struct Watch<'a> {
    pub objective: &'a Objective,
    /// The best value so far.
    pub best: Option<f64>,
    pub file: PathBuf,
    /// Epochs that are done.
    pub epochs: usize,
    pub until: Option<Instant>,
    pub interrupt: Arc<AtomicBool>,
    pub tell: &'a mut dyn FnMut(usize, &Scores),
}

impl Callback for Watch<'_> {
    fn state(&mut self) -> Result<String> {
        Ok(self.best.map(|best| best.to_bits().to_string()).unwrap_or_default())
    }

    fn on_train_resume(&mut self, state: &str, _: &mut Training<'_>) -> Result<()> {
        let bits = (!state.is_empty()).then(|| state.parse().map(f64::from_bits)).transpose();
        self.best =
            bits.map_err(|e| Error::usage(format!("a trial's checkpoint does not hold its best value: {e}")))?;
        Ok(())
    }

    fn on_epoch_end(&mut self, epoch: usize, logs: &mut Scores, training: &mut Training<'_>) -> Result<()> {
        self.epochs = epoch + 1;
        if let Some(value) = logs.get(&self.objective.name).filter(|&value| self.objective.improves(value, self.best)) {
            training.model.save(&self.file)?;
            self.best = Some(value);
        }
        if self.until.is_some_and(|until| Instant::now() >= until) {
            self.interrupt.store(true, Ordering::Relaxed);
        }
        (self.tell)(epoch + 1, logs);
        Ok(())
    }
}
