//! A learning rate that a function gives for each epoch.

use super::super::history::Scores;
use super::{Callback, Training, state};
use crate::error::{Error, Result};

/// Sets the learning rate before each epoch: Keras's `LearningRateScheduler`. Adds `learning_rate` to an epoch's scores.
///
/// For a rate that changes from step to step give the optimizer a schedule.
pub struct LearningRateScheduler<F> {
    schedule: F,
    /// The epoch that was begun last.
    begun: Option<usize>,
    /// The one that a resumed training begins in the middle of, if it does: its rate is set already.
    resumed: Option<usize>,
}

impl<F: FnMut(usize, f64) -> f64> LearningRateScheduler<F> {
    /// `schedule` takes the epoch, from 0, and the learning rate so far, and gives the new one.
    pub fn new(schedule: F) -> Self {
        LearningRateScheduler { schedule, begun: None, resumed: None }
    }
}

impl<F: FnMut(usize, f64) -> f64> Callback for LearningRateScheduler<F> {
    fn adds(&self) -> Vec<String> {
        vec!["learning_rate".to_owned()]
    }

    fn state(&mut self) -> Result<String> {
        state::write(&self.begun)
    }

    fn on_train_resume(&mut self, state: &str, _: &mut Training<'_>) -> Result<()> {
        self.resumed = state::read("LearningRateScheduler", state)?;
        Ok(())
    }

    fn on_epoch_begin(&mut self, epoch: usize, training: &mut Training<'_>) -> Result<()> {
        self.begun = Some(epoch);
        if self.resumed.take() == Some(epoch) {
            return Ok(());
        }
        let rate = (self.schedule)(epoch, training.model.learning_rate());
        let of_epoch = |e| Error::usage(format!("LearningRateScheduler, epoch {epoch}: {e}"));
        training.model.set_learning_rate(rate).map_err(of_epoch)
    }

    fn on_epoch_end(&mut self, _: usize, logs: &mut Scores, training: &mut Training<'_>) -> Result<()> {
        logs.set("learning_rate", training.model.learning_rate());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{feed, model, training};
    use super::*;

    #[test]
    fn the_function_gets_epoch_and_rate_and_sets_the_next() {
        let (mut given, mut rates) = (Vec::new(), Vec::new());
        let mut scheduler = LearningRateScheduler::new(|epoch, rate| {
            given.push((epoch, rate));
            if epoch < 2 { rate } else { rate * 0.5 }
        });
        feed(&mut scheduler, &mut model(), "loss", &[1.0; 4], |_, t| rates.push(t.model.learning_rate()));
        assert_eq!(given, [(0, 0.5), (1, 0.5), (2, 0.5), (3, 0.25)]);
        assert_eq!(rates, [0.5, 0.5, 0.25, 0.125]);
    }

    #[test]
    fn a_rate_that_is_none_is_refused() {
        let mut model = model();
        let mut scheduler = LearningRateScheduler::new(|_, _| f64::NAN);
        let error = scheduler.on_epoch_begin(3, &mut training(&mut model, 4)).unwrap_err().to_string();
        assert!(error.contains("LearningRateScheduler, epoch 3") && error.contains("learning rate"), "{error}");
    }
}
