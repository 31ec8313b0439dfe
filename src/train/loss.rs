//! Losses.

use crate::error::{Error, Result};
use crate::kernels::{self, LossSlots, loss_kind};
use crate::model::{Activation, Recorder, Tensor};
use crate::plan::Slot;

/// What training minimises: the mean over outputs, time steps and samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// -y ln p - (1 - y) ln(1 - p). After a sigmoid it goes through the logits, max(z, 0) - z y + ln(1 + e^-|z|), so that a saturated
    /// output keeps its gradient (as Keras does on TensorFlow); else p is clipped to [1e-7, 1 - 1e-7].
    BinaryCrossentropy,
    /// (p - y)²
    MeanSquaredError,
}

impl Loss {
    /// All of them.
    pub const ALL: [Loss; 2] = [Loss::BinaryCrossentropy, Loss::MeanSquaredError];

    /// Keras's name.
    pub fn name(self) -> &'static str {
        match self {
            Loss::BinaryCrossentropy => "binary_crossentropy",
            Loss::MeanSquaredError => "mean_squared_error",
        }
    }

    /// The loss of this name, or of Keras's short form.
    pub fn from_name(name: &str) -> Result<Loss> {
        match name {
            "binary_crossentropy" | "bce" => Ok(Loss::BinaryCrossentropy),
            "mean_squared_error" | "mse" => Ok(Loss::MeanSquaredError),
            other => Err(Error::usage(format!(
                "loss `{other}` is not supported here; there are: binary_crossentropy, mean_squared_error"
            ))),
        }
    }

    /// Records every row's loss into column 0 of `values` and, in training, the gradient of the mean loss.
    pub(super) fn record(
        self,
        recorder: &mut Recorder,
        prediction: &Tensor,
        truth: &Slot,
        values: &Slot,
        columns: usize,
    ) {
        let (kind, target) = match (self, &prediction.before) {
            (Loss::BinaryCrossentropy, Some((Activation::Sigmoid, z))) => {
                (loss_kind::BINARY_CROSSENTROPY_LOGITS, (**z).clone())
            }
            (Loss::BinaryCrossentropy, _) => (loss_kind::BINARY_CROSSENTROPY, prediction.clone()),
            (Loss::MeanSquaredError, _) => (loss_kind::MEAN_SQUARED_ERROR, prediction.clone()),
        };
        let (rows, outputs) = (recorder.rows(&target), target.features);
        let gradient = recorder.mode.is_training().then(|| recorder.gradient_target(&target));
        for range in recorder.plan.row_chunks(rows, &[outputs, columns]) {
            let kernel = kernels::Loss {
                rows: range.len() as u32,
                outputs: outputs as u32,
                total_rows: rows as u32,
                gradient: 0,
                columns: columns as u32,
                accumulate: gradient.as_ref().is_some_and(|(_, accumulate)| *accumulate).into(),
            };
            let slots = LossSlots {
                prediction: target.slot.rows(range.clone(), outputs),
                truth: truth.rows(range.clone(), outputs),
                values: values.rows(range.clone(), columns),
                dprediction: gradient.as_ref().map(|(slot, _)| slot.rows(range, outputs)),
            };
            kernel.record(kind, &mut recorder.plan, slots);
        }
    }
}
