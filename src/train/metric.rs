//! Metrics.

use crate::error::{Error, Result};
use crate::kernels::{self, MetricSlots, metric_kind};
use crate::model::{Recorder, Tensor};
use crate::plan::Slot;

/// What is reported beside the loss: means over outputs, time steps and samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// The share of outputs on the right side of 0.5 (Keras's binary accuracy).
    Accuracy,
    /// |p - y|
    MeanAbsoluteError,
    /// (p - y)²
    MeanSquaredError,
}

impl Metric {
    /// Keras's name, as in `History`.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Accuracy => "accuracy",
            Metric::MeanAbsoluteError => "mae",
            Metric::MeanSquaredError => "mse",
        }
    }

    /// The metric of this name, short or long.
    pub fn from_name(name: &str) -> Result<Metric> {
        match name {
            "accuracy" | "acc" | "binary_accuracy" => Ok(Metric::Accuracy),
            "mae" | "mean_absolute_error" => Ok(Metric::MeanAbsoluteError),
            "mse" | "mean_squared_error" => Ok(Metric::MeanSquaredError),
            other => {
                Err(Error::usage(format!("metric `{other}` is not supported here; there are: accuracy, mae, mse")))
            }
        }
    }

    /// Whether more of it is better, as of an accuracy, and not less, as of an error.
    pub fn is_better_larger(self) -> bool {
        match self {
            Metric::Accuracy => true,
            Metric::MeanAbsoluteError | Metric::MeanSquaredError => false,
        }
    }

    fn kind(self) -> u32 {
        match self {
            Metric::Accuracy => metric_kind::BINARY_ACCURACY,
            Metric::MeanAbsoluteError => metric_kind::MEAN_ABSOLUTE_ERROR,
            Metric::MeanSquaredError => metric_kind::MEAN_SQUARED_ERROR,
        }
    }

    /// Records every row's metric into a column of `values`.
    pub(super) fn record(
        self,
        recorder: &mut Recorder,
        prediction: &Tensor,
        truth: &Slot,
        values: &Slot,
        (column, columns): (usize, usize),
    ) {
        let (rows, outputs) = (recorder.rows(prediction), prediction.features);
        for range in recorder.plan.row_chunks(rows, &[outputs, columns]) {
            let kernel = kernels::Metric {
                rows: range.len() as u32,
                outputs: outputs as u32,
                columns: columns as u32,
                column: column as u32,
            };
            let slots = MetricSlots {
                prediction: prediction.slot.rows(range.clone(), outputs),
                truth: truth.rows(range.clone(), outputs),
                values: values.rows(range, columns),
            };
            kernel.record(self.kind(), &mut recorder.plan, slots);
        }
    }
}
