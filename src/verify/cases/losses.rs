//! Losses, metrics and the log.

use super::super::case::{At, Builder};
use super::super::draw::{Numbers, ROWS};
use crate::kernels::{LogStep, LogStepSlots, Loss, LossSlots, Metric, MetricSlots, Options, loss_kind, metric_kind};

const OUTPUTS: [usize; 5] = [1, 2, 3, 7, 64];

/// In one run, or in as many as tiny bindings need.
pub(super) fn loss(b: &mut Builder, options: &Options) {
    let kind = options.get("LOSS");
    b.perhaps_tiny_bindings();
    let rows = b.draw.size(&ROWS, 1 << 14);
    let outputs = if b.draw.timing { 4 } else { b.draw.size(&[1, 2, 3, 7, 15], 4) };
    let columns = 1 + b.draw.below(3);
    let accumulate = b.draw.one_in(3);
    let numbers = if kind == loss_kind::BINARY_CROSSENTROPY { Numbers::Probabilities } else { Numbers::Logits };
    let prediction = b.input("prediction", rows * outputs, numbers);
    let truth = b.input("truth", rows * outputs, Numbers::Classes);
    let values = b.output("values", rows * columns, false, At::Aligned);
    let dprediction = match b.draw.one_in(3) {
        true => None,
        false => Some(b.output("dprediction", rows * outputs, accumulate, At::Aligned)),
    };
    for part in b.plan.row_chunks(rows, &[outputs, columns]) {
        let step = Loss {
            rows: part.len() as u32,
            outputs: outputs as u32,
            total_rows: rows as u32,
            gradient: 0,
            columns: columns as u32,
            accumulate: accumulate.into(),
        };
        let slots = LossSlots {
            prediction: prediction.rows(part.clone(), outputs),
            truth: truth.rows(part.clone(), outputs),
            values: values.rows(part.clone(), columns),
            dprediction: dprediction.as_ref().map(|slot| slot.rows(part.clone(), outputs)),
        };
        step.record(kind, &mut b.plan, slots);
    }
}

pub(super) fn metric(b: &mut Builder, options: &Options) {
    let kind = options.get("METRIC");
    let rows = b.draw.size(&ROWS, 1 << 14);
    let outputs = b.draw.size(&OUTPUTS, 4);
    let columns = 1 + b.draw.below(3);
    let column = b.draw.below(columns);
    let classes = kind == metric_kind::BINARY_ACCURACY;
    let prediction =
        b.input("prediction", rows * outputs, if classes { Numbers::Probabilities } else { Numbers::Shifted });
    let truth = b.input("truth", rows * outputs, if classes { Numbers::Classes } else { Numbers::Shifted });
    let values = b.output("values", rows * columns, false, At::Aligned);
    let step = Metric { rows: rows as u32, outputs: outputs as u32, columns: columns as u32, column: column as u32 };
    step.record(kind, &mut b.plan, MetricSlots { prediction, truth, values });
}

pub(super) fn log_step(b: &mut Builder, _: &Options) {
    let columns = b.draw.size(&[1, 2, 3, 4, 63, 64, 65], 4);
    let parts = b.draw.size(&[1, 2, 3, 63, 64, 65, 129], 64);
    let rows = 1 + b.draw.below(9);
    b.scalars.log_row = b.draw.below(rows) as u32;
    let sums = b.input("sums", parts * columns, Numbers::Shifted);
    let log = b.output("log", rows * columns, false, At::Aligned);
    LogStep { parts: parts as u32, columns: columns as u32 }.record(&mut b.plan, LogStepSlots { sums, log });
}
