//! Metrics by Keras's names, with Keras's arguments.

mod check;
mod finish;
mod names;

pub(crate) use check::Target;

use super::loss::LossKind;

/// The formula of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetricKind {
    /// Whichever of the next three fits output and truth.
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    TopK,
    SparseTopK,
    CosineSimilarity,
    /// The mean of a loss.
    Loss(LossKind),
    RootMeanSquaredError,
    Precision,
    Recall,
    TruePositives,
    FalsePositives,
    TrueNegatives,
    FalseNegatives,
    F1Score,
    Auc,
    R2Score,
}

/// How scores of several classes become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Average {
    /// Over the counts of all classes together.
    Micro,
    /// The mean of the classes' scores.
    Macro,
    /// Their mean, weighted by how often each class is true.
    Weighted,
}

/// What an area lies under.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Curve {
    /// True positive rate over false positive rate.
    #[default]
    Roc,
    /// Precision over recall, interpolated as Davis & Goadrich (2006) do.
    Pr,
}

/// What is reported beside the loss, as Keras's metrics: of all samples of an epoch together, not a mean of batches.
///
/// Metrics that are means of rows honour masks, as Keras's do in `evaluate`; [`Metric::RootMeanSquaredError`], [`Metric::Precision`],
/// [`Metric::Recall`], the four counts and [`Metric::Auc`] count masked steps too, as Keras's do. Sample weights count for
/// metrics that are [`Metric::weighted`] only.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    pub(crate) kind: MetricKind,
    /// In `History`; none for the kind's own.
    pub(crate) name: Option<String>,
    /// The output that is judged; none for the only one.
    pub(crate) output: Option<String>,
    pub(crate) weighted: bool,
    pub(crate) arguments: Arguments,
}

/// Arguments that only some metrics take.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Arguments {
    pub threshold: Option<f64>,
    pub k: Option<u32>,
    pub class_id: Option<u32>,
    pub average: Option<Average>,
    pub curve: Option<Curve>,
    pub num_thresholds: Option<u32>,
    pub from_logits: bool,
    pub label_smoothing: f64,
}

const NO_ARGUMENTS: Arguments = Arguments {
    threshold: None,
    k: None,
    class_id: None,
    average: None,
    curve: None,
    num_thresholds: None,
    from_logits: false,
    label_smoothing: 0.0,
};

#[expect(non_upper_case_globals, reason = "Keras's classes, used as if they were variants")]
impl Metric {
    /// Binary accuracy for a single output, sparse categorical accuracy where the truth is the number of a class, else categorical
    /// accuracy: what Keras takes "accuracy" for.
    pub const Accuracy: Metric = Metric::of(MetricKind::Accuracy);
    /// The share of outputs on the right side of the threshold (0.5)
    pub const BinaryAccuracy: Metric = Metric::of(MetricKind::BinaryAccuracy);
    /// The share of rows whose largest output is that of the largest label
    pub const CategoricalAccuracy: Metric = Metric::of(MetricKind::CategoricalAccuracy);
    /// The share of rows whose largest output is that of the true class
    pub const SparseCategoricalAccuracy: Metric = Metric::of(MetricKind::SparseCategoricalAccuracy);
    /// The share of rows whose largest label is among the k (5) largest outputs
    pub const TopKCategoricalAccuracy: Metric = Metric::of(MetricKind::TopK);
    /// The share of rows whose true class is among the k (5) largest outputs
    pub const SparseTopKCategoricalAccuracy: Metric = Metric::of(MetricKind::SparseTopK);
    /// The cosine of the angle between output and label
    pub const CosineSimilarity: Metric = Metric::of(MetricKind::CosineSimilarity);
    /// |p - y|
    pub const MeanAbsoluteError: Metric = Metric::of(MetricKind::Loss(LossKind::MeanAbsoluteError));
    /// (p - y)²
    pub const MeanSquaredError: Metric = Metric::of(MetricKind::Loss(LossKind::MeanSquaredError));
    /// √ of the mean of (p - y)²
    pub const RootMeanSquaredError: Metric = Metric::of(MetricKind::RootMeanSquaredError);
    /// 100 |p - y| / max(|y|, 1e-7)
    pub const MeanAbsolutePercentageError: Metric = Metric::of(MetricKind::Loss(LossKind::MeanAbsolutePercentageError));
    /// (ln(1 + p) - ln(1 + y))²
    pub const MeanSquaredLogarithmicError: Metric = Metric::of(MetricKind::Loss(LossKind::MeanSquaredLogarithmicError));
    /// ln cosh(p - y)
    pub const LogCoshError: Metric = Metric::of(MetricKind::Loss(LossKind::LogCosh));
    /// p - y ln(p + 1e-7)
    pub const Poisson: Metric = Metric::of(MetricKind::Loss(LossKind::Poisson));
    /// Σ y ln(y / p)
    pub const KlDivergence: Metric = Metric::of(MetricKind::Loss(LossKind::KlDivergence));
    /// As the loss
    pub const BinaryCrossentropy: Metric = Metric::of(MetricKind::Loss(LossKind::BinaryCrossentropy));
    /// As the loss
    pub const CategoricalCrossentropy: Metric = Metric::of(MetricKind::Loss(LossKind::CategoricalCrossentropy));
    /// As the loss
    pub const SparseCategoricalCrossentropy: Metric =
        Metric::of(MetricKind::Loss(LossKind::SparseCategoricalCrossentropy));
    /// The share of positive predictions that are true
    pub const Precision: Metric = Metric::of(MetricKind::Precision);
    /// The share of positive labels that are predicted
    pub const Recall: Metric = Metric::of(MetricKind::Recall);
    /// How many positive predictions are true
    pub const TruePositives: Metric = Metric::of(MetricKind::TruePositives);
    /// How many positive predictions are false
    pub const FalsePositives: Metric = Metric::of(MetricKind::FalsePositives);
    /// How many negative predictions are true
    pub const TrueNegatives: Metric = Metric::of(MetricKind::TrueNegatives);
    /// How many negative predictions are false
    pub const FalseNegatives: Metric = Metric::of(MetricKind::FalseNegatives);
    /// The harmonic mean of precision and recall; of several classes it needs an [`Metric::average`]
    pub const F1Score: Metric = Metric::of(MetricKind::F1Score);
    /// The area under a [`Metric::curve`], from 200 thresholds
    pub const Auc: Metric = Metric::of(MetricKind::Auc);
    /// The coefficient of determination, the mean over the outputs
    pub const R2Score: Metric = Metric::of(MetricKind::R2Score);
}

impl Metric {
    pub(crate) const fn of(kind: MetricKind) -> Metric {
        Metric { kind, name: None, output: None, weighted: false, arguments: NO_ARGUMENTS }
    }

    /// A name of its own, as it stands in `History`.
    pub fn named(self, name: impl Into<String>) -> Metric {
        Metric { name: Some(name.into()), ..self }
    }

    /// The output that it judges, of a model with several.
    pub fn on(self, output: impl Into<String>) -> Metric {
        Metric { output: Some(output.into()), ..self }
    }

    /// Whether samples count for it by their weights, as Keras's `weighted_metrics`.
    pub fn weighted(self, weighted: bool) -> Metric {
        Metric { weighted, ..self }
    }

    /// What a prediction must exceed to be positive; of binary accuracy, precision, recall, the counts and F1.
    pub fn threshold(mut self, threshold: f64) -> Metric {
        self.arguments.threshold = Some(threshold);
        self
    }

    /// How many of the largest outputs count: of the top-k accuracies; precision and recall take them for positive then (`top_k`).
    pub fn k(mut self, k: u32) -> Metric {
        self.arguments.k = Some(k);
        self
    }

    /// The only class that counts, of precision and recall.
    pub fn class_id(mut self, class: u32) -> Metric {
        self.arguments.class_id = Some(class);
        self
    }

    /// How F1 scores of several classes become one.
    pub fn average(mut self, average: Average) -> Metric {
        self.arguments.average = Some(average);
        self
    }

    /// What the area lies under.
    pub fn curve(mut self, curve: Curve) -> Metric {
        self.arguments.curve = Some(curve);
        self
    }

    /// How many thresholds approximate the curve.
    pub fn num_thresholds(mut self, count: u32) -> Metric {
        self.arguments.num_thresholds = Some(count);
        self
    }

    /// Whether predictions are logits; of the cross-entropies and the area under a curve.
    pub fn from_logits(mut self, from_logits: bool) -> Metric {
        self.arguments.from_logits = from_logits;
        self
    }

    /// As of the loss.
    pub fn label_smoothing(mut self, label_smoothing: f64) -> Metric {
        self.arguments.label_smoothing = label_smoothing;
        self
    }

    /// Whether more of it is better, as of an accuracy, and not less, as of an error.
    pub fn is_better_larger(&self) -> bool {
        !matches!(
            self.kind,
            MetricKind::Loss(_)
                | MetricKind::RootMeanSquaredError
                | MetricKind::FalsePositives
                | MetricKind::FalseNegatives
        )
    }

    /// Its name in `History`, without that of its output.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(self.kind.name())
    }
}
