//! From sums over all samples to the number that is reported, in double precision.

use super::{Average, Curve, Metric, MetricKind};

/// What Keras adds to divisors of F1.
const EPSILON: f64 = 1e-7;

/// 0 where there is nothing to divide by.
fn divide(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a / b }
}

/// Sums of each class: true positives, false positives, false negatives; or moments.
fn of_classes(sums: &[f64]) -> Vec<[f64; 3]> {
    let classes = sums.len() / 3;
    (0..classes).map(|c| [sums[c], sums[classes + c], sums[2 * classes + c]]).collect()
}

fn add(classes: &[[f64; 3]]) -> [f64; 3] {
    classes.iter().fold([0.0; 3], |all, one| std::array::from_fn(|i| all[i] + one[i]))
}

impl Metric {
    /// How many numbers it sums, for `outputs` of a row, and whether these are sums of blocks, not columns of rows.
    pub(crate) fn width(&self, outputs: usize) -> (usize, bool) {
        match self.kind {
            MetricKind::Auc => (2 * self.thresholds(), true),
            kind if kind.counts_positives() => (3 * outputs, true),
            MetricKind::F1Score | MetricKind::R2Score => (3 * outputs, true),
            _ => (1, false),
        }
    }

    /// Of the area under a curve.
    pub(crate) fn thresholds(&self) -> usize {
        self.arguments.num_thresholds.unwrap_or(200) as usize
    }

    /// The metric, from its sums and the sum of the weights of all rows.
    pub(crate) fn finish(&self, sums: &[f64], weights: f64) -> f64 {
        match self.kind {
            MetricKind::RootMeanSquaredError => divide(sums[0], weights).sqrt(),
            MetricKind::Auc => self.area(sums),
            MetricKind::F1Score => self.f1(&of_classes(sums)),
            MetricKind::R2Score => r2(&of_classes(sums), weights),
            kind if kind.counts_positives() => self.positives(&of_classes(sums), weights),
            _ => divide(sums[0], weights),
        }
    }

    fn positives(&self, classes: &[[f64; 3]], weights: f64) -> f64 {
        let counted = match self.arguments.class_id {
            Some(class) => &classes[class as usize..=class as usize],
            None => classes,
        };
        let [true_positives, false_positives, false_negatives] = add(counted);
        match self.kind {
            MetricKind::Precision => divide(true_positives, true_positives + false_positives),
            MetricKind::Recall => divide(true_positives, true_positives + false_negatives),
            MetricKind::TruePositives => true_positives,
            MetricKind::FalsePositives => false_positives,
            MetricKind::FalseNegatives => false_negatives,
            _ => weights * counted.len() as f64 - true_positives - false_positives - false_negatives,
        }
    }

    fn f1(&self, classes: &[[f64; 3]]) -> f64 {
        let score = |&[true_positives, false_positives, false_negatives]: &[f64; 3]| {
            let precision = true_positives / (true_positives + false_positives + EPSILON);
            let recall = true_positives / (true_positives + false_negatives + EPSILON);
            2.0 * (precision * recall / (precision + recall + EPSILON))
        };
        let support = |[true_positives, _, false_negatives]: &[f64; 3]| true_positives + false_negatives;
        match self.arguments.average {
            Some(Average::Micro) => score(&add(classes)),
            Some(Average::Weighted) => {
                let all: f64 = classes.iter().map(support).sum();
                classes.iter().map(|class| score(class) * support(class) / (all + EPSILON)).sum()
            }
            // Without an average there is one class only.
            Some(Average::Macro) | None => classes.iter().map(score).sum::<f64>() / classes.len() as f64,
        }
    }

    /// From weights by bucket, positive labels and then negative ones: what lies above a threshold is in its bucket or a later one.
    fn area(&self, sums: &[f64]) -> f64 {
        let above = |buckets: &[f64]| {
            let mut above = buckets.to_vec();
            (0..above.len() - 1).rev().for_each(|i| above[i] += above[i + 1]);
            above
        };
        let (positive, negative) = sums.split_at(sums.len() / 2);
        let (tp, fp) = (above(positive), above(negative));
        match self.arguments.curve.unwrap_or_default() {
            Curve::Roc => roc(&tp, &fp),
            Curve::Pr => pr(&tp, &fp),
        }
    }
}

/// Trapezoids under the true positive rate over the false positive rate.
fn roc(tp: &[f64], fp: &[f64]) -> f64 {
    let rate = |of: &[f64], i: usize| divide(of[i], of[0]);
    let width = |i: usize| rate(fp, i) - rate(fp, i + 1);
    let height = |i: usize| (rate(tp, i) + rate(tp, i + 1)) / 2.0;
    (0..tp.len() - 1).map(|i| width(i) * height(i)).sum()
}

/// Between two thresholds true positives are linear in all positives, and so the area under precision is a logarithm (Davis &
/// Goadrich 2006).
fn pr(tp: &[f64], fp: &[f64]) -> f64 {
    let all: Vec<f64> = tp.iter().zip(fp).map(|(tp, fp)| tp + fp).collect();
    let increment = |i: usize| {
        let dtp = tp[i] - tp[i + 1];
        let slope = divide(dtp, (all[i] - all[i + 1]).max(0.0));
        let intercept = tp[i + 1] - slope * all[i + 1];
        let ratio = if all[i] > 0.0 && all[i + 1] > 0.0 { all[i] / all[i + 1] } else { 1.0 };
        divide(slope * (dtp + intercept * ratio.ln()), tp[0].max(0.0))
    };
    (0..tp.len() - 1).map(increment).sum()
}

/// The mean over outputs of 1 - Σ w (y - p)² / Σ w (y - mean)².
fn r2(outputs: &[[f64; 3]], weights: f64) -> f64 {
    let score = |&[sum, squares, residual]: &[f64; 3]| {
        let score = 1.0 - residual / (squares - sum * (sum / weights));
        if score.is_infinite() { 0.0 } else { score }
    };
    outputs.iter().map(score).sum::<f64>() / outputs.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_of_perfect_and_of_worthless_predictions() {
        // Four thresholds; positives in the last bucket but one, negatives in the first.
        let perfect = [0.0, 0.0, 5.0, 0.0, 7.0, 0.0, 0.0, 0.0];
        assert!((Metric::Auc.finish(&perfect, 12.0) - 1.0).abs() < 1e-12);
        assert!((Metric::Auc.curve(Curve::Pr).finish(&perfect, 12.0) - 1.0).abs() < 1e-12);
        let worthless = [2.0, 2.0, 2.0, 0.0, 3.0, 3.0, 3.0, 0.0];
        assert!((Metric::Auc.finish(&worthless, 15.0) - 0.5).abs() < 1e-12);
        assert_eq!(Metric::Auc.finish(&[0.0; 8], 0.0), 0.0);
    }

    #[test]
    fn counts_of_classes_become_scores() {
        // Two classes: true positives, false positives, false negatives.
        let sums = [3.0, 1.0, 1.0, 2.0, 0.0, 4.0];
        assert_eq!(Metric::Precision.finish(&sums, 10.0), 4.0 / 7.0);
        assert_eq!(Metric::Recall.class_id(1).finish(&sums, 10.0), 1.0 / 5.0);
        assert_eq!(Metric::TrueNegatives.finish(&sums, 10.0), 20.0 - 11.0);
        let f1 = |average| Metric::F1Score.average(average).finish(&sums, 10.0);
        assert!((f1(Average::Micro) - 8.0 / 15.0).abs() < 1e-6);
        assert!((f1(Average::Macro) - (6.0 / 7.0 + 0.25) / 2.0).abs() < 1e-6);
        assert!((f1(Average::Weighted) - (3.0 * 6.0 / 7.0 + 5.0 * 0.25) / 8.0).abs() < 1e-6);
    }
}
