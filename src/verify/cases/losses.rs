//! Losses, weights of rows and the log.

use super::super::case::{At, Builder};
use super::super::draw::{Numbers, ROWS};
use crate::kernels::{
    CrossEntropy, LogStep, LogStepSlots, Loss, LossSlots, Options, RowValues, RowWeights, RowWeightsSlots, loss_kind,
};
use crate::plan::Slot;

/// Room for a value of each row in each column.
fn each(b: &mut Builder, rows: usize, columns: usize) -> RowValues {
    RowValues::Each(b.output("values", rows * columns, false, At::Aligned))
}

/// The same, or a log for their sum where that is possible.
pub(super) fn values(b: &mut Builder, rows: usize, columns: usize) -> RowValues {
    if rows > RowValues::MOST_ROWS || b.draw.one_in(2) {
        return each(b, rows, columns);
    }
    let steps = 1 + b.draw.below(9);
    b.scalars.log_row = b.draw.below(steps) as u32;
    RowValues::Logged(b.output("log", steps * columns, true, At::Aligned))
}

/// Slots of a loss's whole batch.
struct Batch {
    weights: Option<Slot>,
    divisor: Option<Slot>,
    values: RowValues,
    columns: usize,
    dprediction: Option<(Slot, bool)>,
}

impl Batch {
    fn new(b: &mut Builder, rows: usize, outputs: usize) -> Batch {
        let columns = 1 + b.draw.below(3);
        let weights = b.draw.one_in(2).then(|| b.input("weights", rows, Numbers::Positive));
        let divisor = b.draw.one_in(2).then(|| {
            let count = if b.draw.one_in(4) { 0.0 } else { 1.0 + b.draw.below(rows) as f32 };
            b.holding("divisor", vec![count], At::Aligned)
        });
        let one_run = b.plan.row_chunks(rows, &[outputs, columns]).len() == 1;
        let values = if one_run { values(b, rows, columns) } else { each(b, rows, columns) };
        let accumulate = b.draw.one_in(3);
        let wanted = !b.draw.one_in(3);
        let dprediction =
            wanted.then(|| (b.output("dprediction", rows * outputs, accumulate, At::Aligned), accumulate));
        Batch { weights, divisor, values, columns, dprediction }
    }

    fn part(&self, part: std::ops::Range<usize>, prediction: &Slot, truth: &Slot, widths: [usize; 2]) -> LossSlots {
        let [outputs, of_truth] = widths;
        LossSlots {
            prediction: prediction.rows(part.clone(), outputs),
            truth: truth.rows(part.clone(), of_truth),
            weights: self.weights.as_ref().map(|slot| slot.rows(part.clone(), 1)),
            divisor: self.divisor.clone(),
            values: self.values.rows(part.clone(), self.columns),
            dprediction: self.dprediction.as_ref().map(|(slot, add)| (slot.rows(part, outputs), *add)),
        }
    }
}

/// In one run, or in as many as tiny bindings need.
pub(super) fn loss(b: &mut Builder, options: &Options) {
    let kind = options.get("LOSS");
    b.perhaps_tiny_bindings();
    let rows = b.draw.size(&ROWS, 1 << 14);
    let outputs = if b.draw.timing { 4 } else { b.draw.size(&[1, 2, 3, 7, 15], 4) };
    let (of_prediction, of_truth) = match kind {
        loss_kind::BINARY_CROSSENTROPY_LOGITS => (Numbers::Logits, Numbers::Classes),
        loss_kind::BINARY_CROSSENTROPY => (Numbers::Probabilities, Numbers::Classes),
        loss_kind::KL_DIVERGENCE => (Numbers::Probabilities, Numbers::Probabilities),
        loss_kind::POISSON => (Numbers::Positive, Numbers::Positive),
        _ => (Numbers::Logits, Numbers::Logits),
    };
    let prediction = b.input("prediction", rows * outputs, of_prediction);
    let truth = b.input("truth", rows * outputs, of_truth);
    let batch = Batch::new(b, rows, outputs);
    let smoothing = if b.draw.one_in(2) { 0.1 } else { 0.0 };
    let (column, delta) = (b.draw.below(batch.columns), 0.5 + b.draw.unit().abs());
    let loss_weight = if b.draw.one_in(2) { 1.0 } else { 0.3 };
    for part in b.plan.row_chunks(rows, &[outputs, batch.columns]) {
        let step = Loss {
            rows: part.len() as u32,
            outputs: outputs as u32,
            averaged: if kind == loss_kind::KL_DIVERGENCE { 1 } else { outputs as u32 },
            total_rows: rows as u32,
            flags: 0,
            columns: batch.columns as u32,
            column: column as u32,
            smoothing,
            delta,
            loss_weight,
        };
        step.record(kind, &mut b.plan, batch.part(part, &prediction, &truth, [outputs; 2]));
    }
}

/// Numbers of classes, or rows that sum to 1 nearly.
pub(super) fn classes(b: &mut Builder, sparse: bool, rows: usize, classes: usize) -> Slot {
    let numbers: Vec<usize> = (0..rows).map(|_| b.draw.below(classes)).collect();
    if sparse {
        return b.holding("truth", numbers.iter().map(|&n| n as f32).collect(), At::Aligned);
    }
    let one_hot = numbers.iter().flat_map(|&n| (0..classes).map(move |c| if c == n { 0.9 } else { 0.05 }));
    b.holding("truth", one_hot.collect(), At::Aligned)
}

pub(super) fn cross_entropy(b: &mut Builder, options: &Options) {
    let (sparse, logits) = (options.get("SPARSE") != 0, options.get("LOGITS") != 0);
    b.perhaps_tiny_bindings();
    let rows = b.draw.size(&ROWS, 1 << 14);
    let count = if b.draw.timing { 8 } else { b.draw.size(&[1, 2, 3, 7, 15], 8) };
    let prediction = if logits {
        b.input("prediction", rows * count, Numbers::Logits)
    } else {
        // The first two stay away from 0, or the others' part in the sum would decide whether they are clipped.
        let kept = |i: usize| i % count < 2;
        let draw = |i| if !kept(i) && b.draw.one_in(4) { 0.0 } else { 0.05 + 0.9 * b.draw.unit().abs() };
        let values = (0..rows * count).map(draw).collect();
        b.holding("prediction", values, At::Aligned)
    };
    let truth = classes(b, sparse, rows, count);
    let batch = Batch::new(b, rows, count);
    let smoothing = if !sparse && b.draw.one_in(2) { 0.1 } else { 0.0 };
    let column = b.draw.below(batch.columns);
    let loss_weight = if b.draw.one_in(2) { 1.0 } else { 0.3 };
    for part in b.plan.row_chunks(rows, &[count, batch.columns]) {
        let step = CrossEntropy {
            rows: part.len() as u32,
            classes: count as u32,
            total_rows: rows as u32,
            flags: 0,
            columns: batch.columns as u32,
            column: column as u32,
            smoothing,
            loss_weight,
        };
        let slots = batch.part(part, &prediction, &truth, [count, if sparse { 1 } else { count }]);
        step.record(sparse, logits, &mut b.plan, slots);
    }
}

pub(super) fn row_weights(b: &mut Builder, _: &Options) {
    b.perhaps_tiny_bindings();
    let samples = b.draw.size(&[1, 2, 3, 16, 17, 64, 65], 512);
    let rows = samples * b.draw.size(&[1, 2, 5, 10, 31], 32);
    let per_step = b.draw.one_in(2);
    let sample_weights = b.input("sample_weights", if per_step { rows } else { samples }, Numbers::Positive);
    let mask = b.draw.one_in(2).then(|| b.mask(rows));
    let weights = b.output("weights", rows, false, At::Aligned);
    for part in b.plan.row_chunks(rows, &[1]) {
        let step = RowWeights {
            rows: part.len() as u32,
            row_first: part.start as u32,
            samples: samples as u32,
            per_step: per_step.into(),
            masked: 0,
        };
        let of_part = |slot: &Slot| slot.rows(part.clone(), 1);
        let sample_weights = if per_step { of_part(&sample_weights) } else { sample_weights.clone() };
        let mask = mask.as_ref().map(of_part);
        step.record(&mut b.plan, RowWeightsSlots { sample_weights, mask, weights: of_part(&weights) });
    }
}

pub(super) fn log_step(b: &mut Builder, _: &Options) {
    let columns = b.draw.size(&[1, 2, 3, 4, 63, 64, 65], 4);
    let parts = b.draw.size(&[1, 2, 3, 63, 64, 65, 129], 64);
    let rows = 1 + b.draw.below(9);
    let column = b.draw.below(5);
    let log_columns = column + columns + b.draw.below(3);
    let accumulate = b.draw.one_in(2);
    b.scalars.log_row = b.draw.below(rows) as u32;
    let sums = b.input("sums", parts * columns, Numbers::Shifted);
    let log = b.output("log", rows * log_columns, accumulate, At::Aligned);
    let step = LogStep {
        parts: parts as u32,
        columns: columns as u32,
        column: column as u32,
        log_columns: log_columns as u32,
        accumulate: accumulate.into(),
    };
    step.record(&mut b.plan, LogStepSlots { sums, log });
}
