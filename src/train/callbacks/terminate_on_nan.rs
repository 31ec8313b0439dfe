//! Stopping where the loss is no number.

use super::super::history::Scores;
use super::{Batches, Callback, Training};
use crate::error::Result;

/// Stops training where a loss or a gradient is infinite or not a number: Keras's `TerminateOnNaN`. Without it training ends there
/// with an error.
///
/// Where a gradient was not finite, the weights are those before that step, and stay so. A loss alone may be infinite: then steps
/// that the device had begun by the time its loss was read, those of a tenth of a second, are still done.
#[derive(Clone, Copy, Debug, Default)]
pub struct TerminateOnNan {
    batch: Option<usize>,
}

impl TerminateOnNan {
    /// Watches every batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// The batch of its epoch, from 0, that stopped training.
    pub fn stopped_batch(&self) -> Option<usize> {
        self.batch
    }
}

impl Callback for TerminateOnNan {
    fn batches(&self) -> Batches {
        Batches::Bunched
    }

    fn on_train_begin(&mut self, _: &mut Training<'_>) -> Result<()> {
        self.batch = None;
        Ok(())
    }

    fn on_batch_end(&mut self, batch: usize, logs: &Scores, training: &mut Training<'_>) -> Result<()> {
        let finite = logs.get("loss").is_none_or(f64::is_finite);
        if self.batch.is_none() && (!finite || training.has_diverged()) {
            self.batch = Some(batch);
            training.stop();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{model, scores, training};
    use super::*;

    #[test]
    fn it_stops_at_the_first_loss_that_is_no_number() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let (mut model, mut terminate) = (model(), TerminateOnNan::new());
            let mut training = training(&mut model, 1);
            for (batch, loss) in [1.0, 1e300, bad, bad].into_iter().enumerate() {
                terminate.on_batch_end(batch, &scores(&[("loss", loss)]), &mut training).unwrap();
                assert_eq!(training.is_stopped(), batch >= 2, "{bad} at {batch}");
            }
            assert_eq!(terminate.stopped_batch(), Some(2));
        }
    }

    #[test]
    fn a_gradient_that_is_not_finite_stops_it_too() {
        let (mut model, mut terminate) = (model(), TerminateOnNan::new());
        let mut training = training(&mut model, 1);
        training.diverged = true;
        terminate.on_batch_end(5, &scores(&[("loss", 1.0)]), &mut training).unwrap();
        assert!(training.is_stopped());
    }
}
