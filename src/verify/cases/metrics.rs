//! Metrics.

use super::super::case::{At, Builder};
use super::super::draw::{Numbers, ROWS};
use super::losses::{classes, values};
use crate::kernels::{
    BLOCK_ROWS, ClassSums, ClassSumsSlots, Histogram, HistogramSlots, Metric, MetricSlots, Options, Statistic,
    metric_kind,
};

const OUTPUTS: [usize; 5] = [1, 2, 3, 7, 64];

pub(super) fn metric(b: &mut Builder, options: &Options) {
    let (kind, sparse) = (options.get("METRIC"), options.get("SPARSE") != 0);
    let rows = b.draw.size(&ROWS, 1 << 14);
    let outputs = b.draw.size(&OUTPUTS, 4);
    let columns = 1 + b.draw.below(3);
    let column = b.draw.below(columns);
    let of_classes = matches!(kind, metric_kind::CLASS_ACCURACY | metric_kind::TOP_K);
    let prediction = match kind {
        metric_kind::COSINE_SIMILARITY => b.input("prediction", rows * outputs, Numbers::Unit),
        // Few different numbers, so that some are equal.
        _ if of_classes => {
            let values = (0..rows * outputs).map(|_| b.draw.below(4) as f32).collect();
            b.holding("prediction", values, At::Aligned)
        }
        _ => b.input("prediction", rows * outputs, Numbers::Probabilities),
    };
    let truth = match kind {
        metric_kind::COSINE_SIMILARITY => b.input("truth", rows * outputs, Numbers::Unit),
        _ if of_classes => classes(b, sparse, rows, outputs),
        _ => b.input("truth", rows * outputs, Numbers::Classes),
    };
    let weights = b.draw.one_in(2).then(|| b.input("weights", rows, Numbers::Positive));
    let values = values(b, rows, columns);
    let step = Metric {
        rows: rows as u32,
        outputs: outputs as u32,
        weighted: 0,
        logged: 0,
        columns: columns as u32,
        column: column as u32,
        k: 1 + b.draw.below(3) as u32,
        threshold: 0.5,
    };
    step.record(kind, sparse, &mut b.plan, MetricSlots { prediction, truth, weights, values });
}

/// In two runs where there are several blocks.
pub(super) fn class_sums(b: &mut Builder, options: &Options) {
    let statistics = [Statistic::AboveThreshold, Statistic::Largest, Statistic::TopK, Statistic::Moments];
    let statistic = statistics[options.get("STATISTIC") as usize];
    let rows = b.draw.size(&ROWS, 1 << 14);
    let count = b.draw.size(&OUTPUTS, 4);
    let (of_prediction, of_truth) = match statistic {
        Statistic::Moments => (Numbers::Shifted, Numbers::Shifted),
        _ => (Numbers::Probabilities, Numbers::Classes),
    };
    let prediction = b.input("prediction", rows * count, of_prediction);
    let truth = b.input("truth", rows * count, of_truth);
    let weights = b.draw.one_in(2).then(|| b.input("weights", rows, Numbers::Positive));
    let block = BLOCK_ROWS as usize;
    let sums = b.output("sums", rows.div_ceil(block) * 3 * count, false, At::Aligned);
    let (any_label, k) = (b.draw.one_in(2).into(), 1 + b.draw.below(3) as u32);
    let cut = block * (rows / (2 * block));
    for part in [0..cut, cut..rows] {
        if part.is_empty() {
            continue;
        }
        let step = ClassSums {
            rows: part.len() as u32,
            classes: count as u32,
            block_rows: BLOCK_ROWS,
            block_at: (part.start / block) as u32,
            weighted: 0,
            any_label,
            k,
            threshold: 0.5,
        };
        let slots = ClassSumsSlots {
            prediction: prediction.rows(part.clone(), count),
            truth: truth.rows(part.clone(), count),
            weights: weights.as_ref().map(|slot| slot.rows(part.clone(), 1)),
            sums: sums.clone(),
        };
        step.record(statistic, &mut b.plan, slots);
    }
}

pub(super) fn histogram(b: &mut Builder, _: &Options) {
    let rows = b.draw.size(&ROWS, 1 << 12);
    let outputs = b.draw.size(&[1, 2, 3, 7, 15], 1);
    let buckets = b.draw.size(&[2, 3, 63, 64, 65, 200, 201], 200);
    let prediction = b.input("prediction", rows * outputs, Numbers::Probabilities);
    let truth = b.input("truth", rows * outputs, Numbers::Classes);
    let weights = b.draw.one_in(2).then(|| b.input("weights", rows, Numbers::Positive));
    let blocks = rows.div_ceil(BLOCK_ROWS as usize);
    let sums = b.output("sums", blocks * 2 * buckets, false, At::Aligned);
    let step = Histogram {
        rows: rows as u32,
        outputs: outputs as u32,
        buckets: buckets as u32,
        block_rows: BLOCK_ROWS,
        block_at: 0,
        weighted: 0,
    };
    step.record(&mut b.plan, HistogramSlots { prediction, truth, weights, sums });
}
