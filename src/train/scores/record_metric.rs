//! Records metrics.

use super::super::metric::{Metric, MetricKind};
use super::Weights;
use super::record::{BatchWeights, Judged};
use super::record_loss::{self, Column, Rows};
use crate::kernels::{
    self, Activate, ActivateSlots, BLOCK_ROWS, ClassSums, ClassSumsSlots, Histogram, HistogramSlots, MetricSlots,
    Statistic, activation, metric_kind,
};
use crate::model::Recorder;
use crate::plan::Slot;

/// What rows count for in a metric.
fn weights_of(metric: &Metric, recorder: &mut Recorder, weights: &mut BatchWeights<'_>) -> Option<Slot> {
    let which = metric.weights()?;
    weights.get(recorder, which).map(|(slot, _)| slot)
}

impl Metric {
    /// Which weights rows have; none where every row counts 1.
    pub(super) fn weights(&self) -> Option<Weights> {
        match (self.weighted, self.kind.honours_masks()) {
            (true, true) => Some(Weights::Both),
            (true, false) => Some(Weights::Samples),
            (false, true) => Some(Weights::Mask),
            (false, false) => None,
        }
    }
}

/// Records every row's value into a column.
pub(super) fn of_rows(
    metric: &Metric,
    recorder: &mut Recorder,
    judged: &Judged<'_>,
    weights: &mut BatchWeights<'_>,
    out: Column,
) {
    let weights = weights_of(metric, recorder, weights);
    if let Some(loss) = metric.as_loss() {
        let rows = Rows { truth: judged.truth, weights, divisor: None, total_rows: 1, out };
        return record_loss::record(loss, recorder, judged.prediction, &rows, false);
    }
    let (kind, sparse) = match metric.kind {
        MetricKind::CategoricalAccuracy => (metric_kind::CLASS_ACCURACY, false),
        MetricKind::SparseCategoricalAccuracy => (metric_kind::CLASS_ACCURACY, true),
        MetricKind::TopK => (metric_kind::TOP_K, false),
        MetricKind::SparseTopK => (metric_kind::TOP_K, true),
        MetricKind::CosineSimilarity => (metric_kind::COSINE_SIMILARITY, false),
        _ => (metric_kind::BINARY_ACCURACY, false),
    };
    let (rows, outputs) = (recorder.rows(judged.prediction), judged.prediction.features);
    for range in recorder.plan.row_chunks(rows, &[outputs, out.values.width(out.columns)]) {
        let kernel = kernels::Metric {
            rows: range.len() as u32,
            outputs: outputs as u32,
            weighted: 0,
            logged: 0,
            columns: out.columns as u32,
            column: out.column as u32,
            k: metric.arguments.k.unwrap_or(5),
            threshold: metric.arguments.threshold.unwrap_or(0.5) as f32,
        };
        let slots = MetricSlots {
            prediction: judged.prediction.slot.rows(range.clone(), outputs),
            truth: judged.truth.rows(range.clone(), if sparse { 1 } else { outputs }),
            weights: weights.as_ref().map(|slot| slot.rows(range.clone(), 1)),
            values: out.values.rows(range, out.columns),
        };
        kernel.record(kind, sparse, &mut recorder.plan, slots);
    }
}

/// Records sums of blocks of rows; gives them and their shape.
pub(super) fn of_blocks(
    metric: &Metric,
    recorder: &mut Recorder,
    judged: &Judged<'_>,
    weights: &mut BatchWeights<'_>,
) -> (Slot, [usize; 2]) {
    let weights = weights_of(metric, recorder, weights);
    let (rows, outputs) = (recorder.rows(judged.prediction), judged.prediction.features);
    let (blocks, (width, _)) = (rows.div_ceil(BLOCK_ROWS as usize), metric.width(outputs));
    let sums = recorder.plan.scratch("block_sums", &[blocks, width]);
    let logits = metric.kind == MetricKind::Auc && metric.arguments.from_logits;
    let prediction = if logits { probabilities(recorder, judged) } else { judged.prediction.slot.clone() };
    for range in recorder.plan.row_chunks(rows, &[outputs]) {
        let (of_run, block_at) = (range.len() as u32, range.start as u32 / BLOCK_ROWS);
        let prediction = prediction.rows(range.clone(), outputs);
        let truth = judged.truth.rows(range.clone(), outputs);
        let weights = weights.as_ref().map(|slot| slot.rows(range.clone(), 1));
        let sums = sums.clone();
        if metric.kind == MetricKind::Auc {
            let kernel = Histogram {
                rows: of_run,
                outputs: outputs as u32,
                buckets: metric.thresholds() as u32,
                block_rows: BLOCK_ROWS,
                block_at,
                weighted: 0,
            };
            kernel.record(&mut recorder.plan, HistogramSlots { prediction, truth, weights, sums });
        } else {
            let kernel = ClassSums {
                rows: of_run,
                classes: outputs as u32,
                block_rows: BLOCK_ROWS,
                block_at,
                weighted: 0,
                any_label: metric.kind.counts_positives().into(),
                k: metric.arguments.k.unwrap_or(0),
                threshold: metric.arguments.threshold.unwrap_or(0.5) as f32,
            };
            let slots = ClassSumsSlots { prediction, truth, weights, sums };
            kernel.record(statistic(metric), &mut recorder.plan, slots);
        }
    }
    (sums, [blocks, width])
}

fn statistic(metric: &Metric) -> Statistic {
    match metric.kind {
        MetricKind::R2Score => Statistic::Moments,
        MetricKind::F1Score if metric.arguments.threshold.is_none() => Statistic::Largest,
        _ if metric.arguments.k.is_some() => Statistic::TopK,
        _ => Statistic::AboveThreshold,
    }
}

/// The sigmoid of the prediction.
fn probabilities(recorder: &mut Recorder, judged: &Judged<'_>) -> Slot {
    let (rows, outputs) = (recorder.rows(judged.prediction), judged.prediction.features);
    let out = recorder.plan.scratch("probabilities", &[rows, outputs]);
    for range in recorder.plan.row_chunks(rows, &[outputs]) {
        let slots = ActivateSlots {
            x: judged.prediction.slot.rows(range.clone(), outputs),
            y: out.rows(range.clone(), outputs),
        };
        let kernel = Activate { n: (range.len() * outputs) as u32 };
        kernel.record(activation::SIGMOID, &mut recorder.plan, slots);
    }
    out
}
