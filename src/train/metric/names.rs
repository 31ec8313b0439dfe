//! Keras's names of metrics.

use super::super::loss::LossKind;
use super::{Metric, MetricKind};
use crate::error::{Error, Result};

/// A kind, Keras's class, and the name that this crate gives it: the shortest of Keras's.
type Named = (MetricKind, &'static str, &'static str);

const NAMES: [Named; 27] = [
    (MetricKind::Accuracy, "Accuracy", "accuracy"),
    (MetricKind::BinaryAccuracy, "BinaryAccuracy", "binary_accuracy"),
    (MetricKind::CategoricalAccuracy, "CategoricalAccuracy", "categorical_accuracy"),
    (MetricKind::SparseCategoricalAccuracy, "SparseCategoricalAccuracy", "sparse_categorical_accuracy"),
    (MetricKind::TopK, "TopKCategoricalAccuracy", "top_k_categorical_accuracy"),
    (MetricKind::SparseTopK, "SparseTopKCategoricalAccuracy", "sparse_top_k_categorical_accuracy"),
    (MetricKind::CosineSimilarity, "CosineSimilarity", "cosine_similarity"),
    (MetricKind::Loss(LossKind::MeanAbsoluteError), "MeanAbsoluteError", "mae"),
    (MetricKind::Loss(LossKind::MeanSquaredError), "MeanSquaredError", "mse"),
    (MetricKind::RootMeanSquaredError, "RootMeanSquaredError", "root_mean_squared_error"),
    (MetricKind::Loss(LossKind::MeanAbsolutePercentageError), "MeanAbsolutePercentageError", "mape"),
    (MetricKind::Loss(LossKind::MeanSquaredLogarithmicError), "MeanSquaredLogarithmicError", "msle"),
    (MetricKind::Loss(LossKind::LogCosh), "LogCoshError", "log_cosh_error"),
    (MetricKind::Loss(LossKind::Poisson), "Poisson", "poisson"),
    (MetricKind::Loss(LossKind::KlDivergence), "KLDivergence", "kl_divergence"),
    (MetricKind::Loss(LossKind::BinaryCrossentropy), "BinaryCrossentropy", "binary_crossentropy"),
    (MetricKind::Loss(LossKind::CategoricalCrossentropy), "CategoricalCrossentropy", "categorical_crossentropy"),
    (
        MetricKind::Loss(LossKind::SparseCategoricalCrossentropy),
        "SparseCategoricalCrossentropy",
        "sparse_categorical_crossentropy",
    ),
    (MetricKind::Precision, "Precision", "precision"),
    (MetricKind::Recall, "Recall", "recall"),
    (MetricKind::TruePositives, "TruePositives", "true_positives"),
    (MetricKind::FalsePositives, "FalsePositives", "false_positives"),
    (MetricKind::TrueNegatives, "TrueNegatives", "true_negatives"),
    (MetricKind::FalseNegatives, "FalseNegatives", "false_negatives"),
    (MetricKind::F1Score, "F1Score", "f1_score"),
    (MetricKind::Auc, "AUC", "auc"),
    (MetricKind::R2Score, "R2Score", "r2_score"),
];

/// What else Keras calls them.
const ALIASES: [(&str, &str); 6] = [
    ("acc", "Accuracy"),
    ("bce", "BinaryCrossentropy"),
    ("mean_absolute_error", "MeanAbsoluteError"),
    ("mean_squared_error", "MeanSquaredError"),
    ("mean_absolute_percentage_error", "MeanAbsolutePercentageError"),
    ("mean_squared_logarithmic_error", "MeanSquaredLogarithmicError"),
];

impl MetricKind {
    fn named(self) -> Named {
        NAMES.iter().find(|(kind, ..)| *kind == self).copied().unwrap_or((self, "", ""))
    }

    pub(super) fn name(self) -> &'static str {
        self.named().2
    }

    /// Keras's class.
    pub(crate) fn class_name(self) -> &'static str {
        self.named().1
    }

    pub(crate) fn from_class(class: &str) -> Option<MetricKind> {
        NAMES.iter().find(|(_, name, _)| *name == class).map(|&(kind, ..)| kind)
    }

    /// By a text as Keras takes it for a metric, whatever its case where Keras does not mind.
    fn from_text(text: &str) -> Option<MetricKind> {
        let lower = text.to_lowercase();
        let shouted = text == text.to_uppercase() && ["MAE", "MSE", "MAPE", "MSLE", "BCE"].contains(&text);
        let text = if shouted || matches!(lower.as_str(), "accuracy" | "acc") { lower.as_str() } else { text };
        let alias = ALIASES.iter().find(|(alias, _)| *alias == text).map(|&(_, class)| class);
        let named = NAMES.iter().find(|(_, class, name)| *name == text || *class == alias.unwrap_or(text));
        named.map(|&(kind, ..)| kind)
    }
}

impl Metric {
    /// The metric of this name, as Keras takes it: short or long, function or class. It keeps the name in `History`.
    pub fn from_name(name: &str) -> Result<Metric> {
        let Some(kind) = MetricKind::from_text(name) else {
            let known: Vec<&str> = NAMES.iter().map(|&(_, _, name)| name).collect();
            return Err(Error::usage(format!(
                "metric `{name}` is not supported here; there are: {}",
                known.join(", ")
            )));
        };
        let metric = Metric::of(kind);
        Ok(if name == metric.name() { metric } else { metric.named(name) })
    }
}
