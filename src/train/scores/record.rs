//! Records the scores of a batch into the log.

use super::super::loss::Reduction;
use super::super::programs::LOG_ROWS;
use super::record_loss::{self, Column, Rows};
use super::record_metric;
use super::{OutputScoring, Scoring, Weights};
use crate::kernels::{
    BLOCK_ROWS, ColumnSum, ColumnSumSlots, LogStep, LogStepSlots, RowValues, RowWeights, RowWeightsSlots,
};
use crate::model::{Recorder, Tensor, buffers};
use crate::plan::{BufferSpec, Slot};

/// What a model gave for a batch, and what it is judged by.
pub(in crate::train) struct Judged<'a> {
    pub prediction: &'a Tensor,
    /// `[N, O]` or `[T, N, O]`, or with one number of a class for the outputs
    pub truth: &'a Slot,
    /// `[N]`, or `[T, N]` where each step has its weight
    pub sample_weights: Option<&'a Tensor>,
}

/// Which columns of the log a plan writes.
#[derive(Clone, Debug, Default)]
pub(in crate::train) struct Measured {
    /// Rows of each output, and whether there are a mask and samples' weights.
    pub outputs: Vec<(usize, bool, bool)>,
    /// Whether layers add to the loss.
    pub penalized: bool,
}

/// Weights of rows, made where they are first wanted.
pub(super) struct BatchWeights<'a> {
    judged: &'a Judged<'a>,
    /// Of each [`Weights`]: `[rows]`, and their sum, `[1]`.
    made: [Option<(Slot, Slot)>; 3],
}

impl<'a> BatchWeights<'a> {
    fn new(judged: &'a Judged<'a>) -> Self {
        BatchWeights { judged, made: [const { None }; 3] }
    }

    fn mask(&self) -> Option<&'a Slot> {
        self.judged.prediction.mask.as_ref()
    }

    /// Weights and their sum; none where every row counts 1.
    pub fn get(&mut self, recorder: &mut Recorder, weights: Weights) -> Option<(Slot, Slot)> {
        let (mask, samples) = (self.mask(), self.judged.sample_weights);
        let of_mask = weights != Weights::Samples && mask.is_some();
        let of_samples = weights != Weights::Mask && samples.is_some();
        let same = match (of_mask, of_samples) {
            (false, false) => return None,
            (true, false) => Weights::Mask,
            (false, true) => Weights::Samples,
            (true, true) => Weights::Both,
        };
        if self.made[same as usize].is_none() {
            let rows = recorder.rows(self.judged.prediction);
            let slot = self.row_weights(recorder, same, rows)?;
            let sum = recorder.plan.scratch("weight", &[1]);
            let slots = ColumnSumSlots { x: slot.clone(), out: sum.clone() };
            ColumnSum::record([rows, 1], false, &mut recorder.plan, slots);
            self.made[same as usize] = Some((slot, sum));
        }
        self.made[same as usize].clone()
    }

    fn row_weights(&self, recorder: &mut Recorder, weights: Weights, rows: usize) -> Option<Slot> {
        if weights == Weights::Mask {
            return self.mask().cloned();
        }
        let samples = self.judged.sample_weights?;
        let (per_step, mask) = (samples.steps.is_some(), self.mask().filter(|_| weights == Weights::Both));
        if mask.is_none() && samples.slot.len == rows {
            return Some(samples.slot.clone());
        }
        let out = recorder.plan.scratch("weights", &[rows]);
        for range in recorder.plan.row_chunks(rows, &[1]) {
            let of_run = |slot: &Slot| slot.rows(range.clone(), 1);
            let kernel = RowWeights {
                rows: range.len() as u32,
                row_first: range.start as u32,
                samples: recorder.samples as u32,
                per_step: per_step.into(),
                masked: 0,
            };
            let slots = RowWeightsSlots {
                sample_weights: if per_step { of_run(&samples.slot) } else { samples.slot.clone() },
                mask: mask.map(of_run),
                weights: of_run(&out),
            };
            kernel.record(&mut recorder.plan, slots);
        }
        Some(out)
    }
}

/// Where sums go.
pub(super) struct Log {
    slot: Slot,
    columns: usize,
}

impl Log {
    /// Adds up `parts` rows of `sums` into columns from `column` on.
    pub fn write(&self, recorder: &mut Recorder, sums: Slot, [parts, columns]: [usize; 2], column: usize, add: bool) {
        let step = LogStep {
            parts: parts as u32,
            columns: columns as u32,
            column: column as u32,
            log_columns: self.columns as u32,
            accumulate: add.into(),
        };
        step.record(&mut recorder.plan, LogStepSlots { sums, log: self.slot.clone() });
    }

    /// The same of any number of rows.
    pub fn write_rows(&self, recorder: &mut Recorder, values: Slot, [rows, columns]: [usize; 2], column: usize) {
        if rows <= BLOCK_ROWS as usize {
            return self.write(recorder, values, [rows, columns], column, false);
        }
        let sums = recorder.plan.scratch("sum", &[columns]);
        let slots = ColumnSumSlots { x: values, out: sums.clone() };
        ColumnSum::record([rows, columns], false, &mut recorder.plan, slots);
        self.write(recorder, sums, [1, columns], column, false);
    }
}

impl Scoring {
    pub fn log_spec(&self) -> BufferSpec {
        BufferSpec::persistent(buffers::LOG, &[LOG_ROWS, self.columns])
    }

    /// Records losses, metrics and what layers add, and in training the gradients of the predictions.
    pub fn record(&self, recorder: &mut Recorder, judged: &[Judged<'_>]) -> Measured {
        recorder.enter("scores");
        let log = Log { slot: recorder.plan.persistent(&self.log_spec()), columns: self.columns };
        let mut measured = Measured::default();
        for (scoring, judged) in self.outputs.iter().zip(judged) {
            scoring.record(recorder, judged, &log);
            let (masked, weighted) = (judged.prediction.mask.is_some(), judged.sample_weights.is_some());
            measured.outputs.push((recorder.rows(judged.prediction), masked, weighted));
        }
        let penalties = recorder.penalties.clone();
        measured.penalized = !penalties.is_empty();
        for (i, penalty) in penalties.into_iter().enumerate() {
            log.write(recorder, penalty, [1, 1], self.penalty_column(), i > 0);
        }
        measured
    }
}

impl OutputScoring {
    fn record(&self, recorder: &mut Recorder, judged: &Judged<'_>, log: &Log) {
        let (rows, columns) = (recorder.rows(judged.prediction), self.row_columns());
        let at_once =
            rows <= RowValues::MOST_ROWS && recorder.plan.row_chunks(rows, &[judged.prediction.features]).len() == 1;
        let values = (!at_once).then(|| recorder.plan.scratch("values", &[rows, columns]));
        let out = |column: usize| match &values {
            Some(values) => Column { values: RowValues::Each(values.clone()), column, columns },
            None => {
                let (values, column) = (RowValues::Logged(log.slot.clone()), self.column + column);
                Column { values, column, columns: log.columns }
            }
        };
        let mut weights = BatchWeights::new(judged);
        let all = weights.get(recorder, Weights::Both);
        let divisor = match self.loss.reduced_by() {
            Reduction::SumOverBatchSize => weights.get(recorder, Weights::Mask).map(|(_, sum)| sum),
            Reduction::Sum => None,
            Reduction::MeanWithSampleWeight => all.as_ref().map(|(_, sum)| sum.clone()),
        };
        let of_loss = Rows {
            truth: judged.truth,
            weights: all.map(|(weights, _)| weights),
            divisor,
            total_rows: if self.loss.reduced_by() == Reduction::Sum { 1 } else { rows },
            out: out(0),
        };
        let training = recorder.mode.is_training();
        record_loss::record(self.loss, recorder, judged.prediction, &of_loss, training);
        for (i, metric) in self.row_metrics.iter().enumerate() {
            record_metric::of_rows(metric, recorder, judged, &mut weights, out(i + 1));
        }
        if let Some(values) = values {
            log.write_rows(recorder, values, [rows, columns], self.column);
        }
        for (metric, column) in &self.block_metrics {
            let (sums, shape) = record_metric::of_blocks(metric, recorder, judged, &mut weights);
            log.write_rows(recorder, sums, shape, *column);
        }
        for which in [Weights::Mask, Weights::Samples, Weights::Both] {
            if let Some((_, sum)) = weights.get(recorder, which) {
                log.write(recorder, sum, [1, 1], self.weights_column(which), false);
            }
        }
    }
}
