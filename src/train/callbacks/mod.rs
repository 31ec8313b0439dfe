//! Callbacks: what looks on while a model trains, and may act on it. Names, arguments and semantics are Keras's.

mod csv_logger;
mod early_stopping;
mod events;
mod json_logger;
mod learning_rate_scheduler;
mod model_checkpoint;
mod monitor;
mod path_template;
mod reduce_lr_on_plateau;
mod state;
mod tensorboard;
mod terminate_on_nan;

pub use csv_logger::CsvLogger;
pub use early_stopping::EarlyStopping;
pub use json_logger::JsonLogger;
pub use learning_rate_scheduler::LearningRateScheduler;
pub use model_checkpoint::ModelCheckpoint;
pub use monitor::Better;
pub use reduce_lr_on_plateau::ReduceLrOnPlateau;
pub use tensorboard::{TensorBoard, UpdateFreq};
pub use terminate_on_nan::TerminateOnNan;

use super::history::Scores;
use super::model::Model;
use crate::error::{Error, Result};

/// How a callback hears of batches. Losses are read from the device many steps at a time, since each reading waits for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Batches {
    /// Not at all.
    #[default]
    None,
    /// Of every batch, but of many at once, about ten times a second: the model may be some steps ahead of the batch.
    Bunched,
    /// Of every batch before the next one begins. It costs a reading back in each step.
    Each,
}

/// What [`Model::fit`](super::Model::fit) calls as it goes. Epochs and batches count from 0, as in Keras. An error ends training.
pub trait Callback {
    /// Whether [`Callback::on_batch_end`] is called.
    fn batches(&self) -> Batches {
        Batches::None
    }

    /// Names that [`Callback::on_epoch_end`] adds to an epoch's scores, so that other callbacks may monitor them.
    fn adds(&self) -> Vec<String> {
        Vec::new()
    }

    /// Before the first epoch.
    fn on_train_begin(&mut self, _training: &mut Training<'_>) -> Result<()> {
        Ok(())
    }

    /// What it needs to go on in another process, in words of its own, as of the last batch or epoch that it heard of.
    fn state(&mut self) -> Result<String> {
        Ok(String::new())
    }

    /// Instead of [`Callback::on_train_begin`], where training goes on from a checkpoint: with what [`Callback::state`] gave then.
    fn on_train_resume(&mut self, _state: &str, training: &mut Training<'_>) -> Result<()> {
        self.on_train_begin(training)
    }

    /// After the last epoch, with its scores; not after an error.
    fn on_train_end(&mut self, _logs: &Scores, _training: &mut Training<'_>) -> Result<()> {
        Ok(())
    }

    /// Before an epoch's first batch.
    fn on_epoch_begin(&mut self, _epoch: usize, _training: &mut Training<'_>) -> Result<()> {
        Ok(())
    }

    /// After an epoch and its validation. What is changed in `logs` is what later callbacks and the history see.
    fn on_epoch_end(&mut self, _epoch: usize, _logs: &mut Scores, _training: &mut Training<'_>) -> Result<()> {
        Ok(())
    }

    /// After a batch. As in Keras, `logs` holds the means over the epoch's batches so far.
    fn on_batch_end(&mut self, _batch: usize, _logs: &Scores, _training: &mut Training<'_>) -> Result<()> {
        Ok(())
    }
}

impl<C: Callback + ?Sized> Callback for &mut C {
    fn batches(&self) -> Batches {
        (**self).batches()
    }
    fn adds(&self) -> Vec<String> {
        (**self).adds()
    }
    fn on_train_begin(&mut self, training: &mut Training<'_>) -> Result<()> {
        (**self).on_train_begin(training)
    }
    fn state(&mut self) -> Result<String> {
        (**self).state()
    }
    fn on_train_resume(&mut self, state: &str, training: &mut Training<'_>) -> Result<()> {
        (**self).on_train_resume(state, training)
    }
    fn on_train_end(&mut self, logs: &Scores, training: &mut Training<'_>) -> Result<()> {
        (**self).on_train_end(logs, training)
    }
    fn on_epoch_begin(&mut self, epoch: usize, training: &mut Training<'_>) -> Result<()> {
        (**self).on_epoch_begin(epoch, training)
    }
    fn on_epoch_end(&mut self, epoch: usize, logs: &mut Scores, training: &mut Training<'_>) -> Result<()> {
        (**self).on_epoch_end(epoch, logs, training)
    }
    fn on_batch_end(&mut self, batch: usize, logs: &Scores, training: &mut Training<'_>) -> Result<()> {
        (**self).on_batch_end(batch, logs, training)
    }
}

/// A run of [`Model::fit`](super::Model::fit), as its callbacks see it.
pub struct Training<'m> {
    /// The model: its weights, its learning rate; to take a snapshot, to evaluate, to save. It cannot be fitted here.
    pub model: &'m mut Model,
    /// How many epochs there are to be, those before `initial_epoch` included.
    pub epochs: usize,
    /// How many batches an epoch has.
    pub steps: usize,
    /// Names of an epoch's scores, in order: of loss and metrics, of the validation's, and what callbacks add.
    pub names: Vec<String>,
    pub(super) validates: bool,
    pub(super) stopped: bool,
    pub(super) diverged: bool,
}

impl Training<'_> {
    /// Ends training after this batch, or as soon as a batch's end is heard of. As in Keras, the epoch is still validated, and
    /// then `on_epoch_end` and `on_train_end` are called.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// Whether training was told to end.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Whether a gradient of this batch was not finite. Its step, and those after it, left the weights as they were. Unless a
    /// callback stops training now, it ends with [`Error::NonFinite`].
    pub fn has_diverged(&self) -> bool {
        self.diverged
    }

    /// Refuses a name that no epoch's scores will have.
    fn check_name(&self, of: &str, name: &str) -> Result<()> {
        if self.names.iter().any(|known| known == name) {
            return Ok(());
        }
        let validation = match name.strip_prefix("val_") {
            Some(rest) if !self.validates && self.names.iter().any(|known| known == rest) => {
                " Give data to validate with, or monitor another."
            }
            _ => "",
        };
        let known = self.names.join(", ");
        Err(Error::usage(format!("{of}: there will be no score `{name}`; there will be: {known}.{validation}")))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::exec::Device;
    use crate::model::{Dense, Sequential};
    use crate::train::{Loss, Metric, Sgd};

    /// A model of two weights.
    pub fn model() -> Model {
        let layers = Sequential::new(&[1]).add(Dense::new(1));
        let metrics = [Metric::Accuracy, Metric::MeanAbsoluteError];
        layers.compile(Device::Cpu, Loss::MeanSquaredError, Sgd::new(0.5), metrics).unwrap()
    }

    /// A training of `epochs` with validation that has not begun.
    pub fn training(model: &mut Model, epochs: usize) -> Training<'_> {
        let names = ["loss", "accuracy", "mae", "val_loss", "val_accuracy", "val_mae", "learning_rate"];
        let names = names.map(str::to_owned).to_vec();
        Training { model, epochs, steps: 4, names, validates: true, stopped: false, diverged: false }
    }

    pub fn scores(named: &[(&str, f64)]) -> Scores {
        Scores(named.iter().map(|&(name, value)| (name.to_owned(), value)).collect())
    }

    /// Feeds a callback epochs in which `name` has these values, and calls `seen` after each, until it stops training.
    pub fn feed(
        callback: &mut impl Callback,
        model: &mut Model,
        name: &str,
        values: &[f64],
        mut seen: impl FnMut(usize, &mut Training<'_>),
    ) -> usize {
        let mut training = training(model, values.len());
        callback.on_train_begin(&mut training).unwrap();
        let mut logs = Scores::default();
        let mut done = 0;
        for (epoch, &value) in values.iter().enumerate() {
            callback.on_epoch_begin(epoch, &mut training).unwrap();
            logs = scores(&[(name, value)]);
            callback.on_epoch_end(epoch, &mut logs, &mut training).unwrap();
            seen(epoch, &mut training);
            done += 1;
            if training.is_stopped() {
                break;
            }
        }
        callback.on_train_end(&logs, &mut training).unwrap();
        done
    }
}
