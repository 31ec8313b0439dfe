//! Records losses, as what is minimised and as metrics.

use crate::kernels::{self, CrossEntropy, LossSlots, RowValues, loss_kind};
use crate::model::{Activation, Recorder, Tensor};
use crate::plan::Slot;

use super::super::loss::{Loss, LossKind};

/// One column of a matrix of the batch's rows, or of the log.
#[derive(Clone)]
pub(super) struct Column {
    pub values: RowValues,
    pub column: usize,
    pub columns: usize,
}

/// What a loss needs of a batch besides the prediction.
pub(super) struct Rows<'a> {
    /// `[rows, O]`, or `[rows, 1]` of class numbers
    pub truth: &'a Slot,
    /// `[rows]`
    pub weights: Option<Slot>,
    /// `[1]`: what the batch's sum is divided by, where it is not `total_rows`
    pub divisor: Option<Slot>,
    pub total_rows: usize,
    pub out: Column,
}

/// What the kernel sees: the prediction, or the logits behind it.
fn seen(loss: Loss, prediction: &Tensor) -> (Tensor, bool) {
    let through = match loss.kind() {
        LossKind::BinaryCrossentropy => Activation::Sigmoid,
        LossKind::CategoricalCrossentropy | LossKind::SparseCategoricalCrossentropy => Activation::Softmax,
        _ => return (prediction.clone(), false),
    };
    match &prediction.before {
        Some((activation, logits)) if *activation == through && !loss.takes_logits() => ((**logits).clone(), true),
        _ => (prediction.clone(), loss.takes_logits()),
    }
}

/// Records every row's loss, and with `gradient` the gradient of the batch's loss.
pub(super) fn record(loss: Loss, recorder: &mut Recorder, prediction: &Tensor, rows: &Rows<'_>, gradient: bool) {
    let (target, logits) = seen(loss, prediction);
    let (all, outputs) = (recorder.rows(&target), target.features);
    let gradient = gradient.then(|| recorder.gradient_target(&target));
    let sparse = loss.kind().is_sparse();
    let of_truth = if sparse { 1 } else { outputs };
    let Column { values, column, columns } = rows.out.clone();
    for range in recorder.plan.row_chunks(all, &[outputs, values.width(columns)]) {
        let slots = LossSlots {
            prediction: target.slot.rows(range.clone(), outputs),
            truth: rows.truth.rows(range.clone(), of_truth),
            weights: rows.weights.as_ref().map(|slot| slot.rows(range.clone(), 1)),
            divisor: rows.divisor.clone(),
            values: values.rows(range.clone(), columns),
            dprediction: gradient.as_ref().map(|(slot, add)| (slot.rows(range.clone(), outputs), *add)),
        };
        let (of_run, total_rows) = (range.len() as u32, rows.total_rows as u32);
        let (columns, column) = (columns as u32, column as u32);
        let (smoothing, loss_weight) = (loss.smoothing() as f32, loss.counts_for() as f32);
        match kernel(loss.kind(), logits) {
            Some(kind) => kernels::Loss {
                rows: of_run,
                outputs: outputs as u32,
                averaged: if kind == loss_kind::KL_DIVERGENCE { 1 } else { outputs as u32 },
                total_rows,
                flags: 0,
                columns,
                column,
                smoothing,
                delta: loss.huber_delta() as f32,
                loss_weight,
            }
            .record(kind, &mut recorder.plan, slots),
            None => CrossEntropy {
                rows: of_run,
                classes: outputs as u32,
                total_rows,
                flags: 0,
                columns,
                column,
                smoothing,
                loss_weight,
            }
            .record(sparse, logits, &mut recorder.plan, slots),
        }
    }
}

/// Which of the kernel of single outputs; none for the cross-entropy of classes.
fn kernel(kind: LossKind, logits: bool) -> Option<u32> {
    Some(match kind {
        LossKind::CategoricalCrossentropy | LossKind::SparseCategoricalCrossentropy => return None,
        LossKind::BinaryCrossentropy if logits => loss_kind::BINARY_CROSSENTROPY_LOGITS,
        LossKind::BinaryCrossentropy => loss_kind::BINARY_CROSSENTROPY,
        LossKind::MeanSquaredError => loss_kind::MEAN_SQUARED_ERROR,
        LossKind::MeanAbsoluteError => loss_kind::MEAN_ABSOLUTE_ERROR,
        LossKind::MeanAbsolutePercentageError => loss_kind::MEAN_ABSOLUTE_PERCENTAGE_ERROR,
        LossKind::MeanSquaredLogarithmicError => loss_kind::MEAN_SQUARED_LOGARITHMIC_ERROR,
        LossKind::Huber => loss_kind::HUBER,
        LossKind::LogCosh => loss_kind::LOG_COSH,
        LossKind::Poisson => loss_kind::POISSON,
        LossKind::KlDivergence => loss_kind::KL_DIVERGENCE,
    })
}
