//! Which metric suits which output, and takes which arguments.

use super::super::loss::LossKind;
use super::{Metric, MetricKind};
use crate::error::{Error, Result};

/// What a metric judges.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// O or C, the last axis of the output.
    pub outputs: usize,
    /// Whether the output is a sequence.
    pub sequence: bool,
    /// Whether the truth is the number of a class.
    pub sparse: bool,
}

impl MetricKind {
    /// Whether the truth must be the number of a class; nothing where it may be either.
    fn wants_sparse(self) -> Option<bool> {
        match self {
            MetricKind::SparseCategoricalAccuracy | MetricKind::SparseTopK => Some(true),
            MetricKind::Loss(kind) => Some(kind.is_sparse()),
            MetricKind::Accuracy => None,
            _ => Some(false),
        }
    }

    pub(crate) fn takes_threshold(self) -> bool {
        matches!(self, MetricKind::BinaryAccuracy | MetricKind::F1Score) || self.counts_positives()
    }

    pub(crate) fn takes_k(self) -> bool {
        matches!(self, MetricKind::TopK | MetricKind::SparseTopK | MetricKind::Precision | MetricKind::Recall)
    }

    pub(crate) fn takes_class_id(self) -> bool {
        matches!(self, MetricKind::Precision | MetricKind::Recall)
    }

    pub(crate) fn takes_logits(self) -> bool {
        matches!(self, MetricKind::Loss(kind) if kind.takes_logits()) || self == MetricKind::Auc
    }

    pub(crate) fn takes_smoothing(self) -> bool {
        matches!(self, MetricKind::Loss(kind) if kind.takes_smoothing())
    }

    /// Precision, recall and the counts.
    pub(crate) fn counts_positives(self) -> bool {
        matches!(
            self,
            MetricKind::Precision
                | MetricKind::Recall
                | MetricKind::TruePositives
                | MetricKind::FalsePositives
                | MetricKind::TrueNegatives
                | MetricKind::FalseNegatives
        )
    }

    /// Whether it leaves masked steps out, as Keras's metric does.
    pub(crate) fn honours_masks(self) -> bool {
        !(self.counts_positives()
            || matches!(
                self,
                MetricKind::RootMeanSquaredError | MetricKind::Auc | MetricKind::F1Score | MetricKind::R2Score
            ))
    }
}

impl Metric {
    /// The metric of what it judges, where its arguments and the output allow it.
    pub(crate) fn resolve(&self, target: Target) -> Result<Metric> {
        let mut metric = self.clone();
        if self.kind == MetricKind::Accuracy {
            metric.name.get_or_insert_with(|| self.kind.name().to_owned());
            metric.kind = match target {
                Target { outputs: 1, .. } if !target.sparse => MetricKind::BinaryAccuracy,
                Target { sparse: true, .. } => MetricKind::SparseCategoricalAccuracy,
                _ => MetricKind::CategoricalAccuracy,
            };
        }
        metric.check_arguments(target)?;
        metric.check_target(target)?;
        Ok(metric)
    }

    fn refuse<T>(&self, why: impl std::fmt::Display) -> Result<T> {
        Err(Error::usage(format!("metric `{}`: {why}", self.name())))
    }

    fn check_arguments(&self, target: Target) -> Result<()> {
        let (kind, given) = (self.kind, &self.arguments);
        let strange = [
            ("threshold", given.threshold.is_some() && !kind.takes_threshold()),
            ("k", given.k.is_some() && !kind.takes_k()),
            ("class_id", given.class_id.is_some() && !kind.takes_class_id()),
            ("average", given.average.is_some() && kind != MetricKind::F1Score),
            ("curve", given.curve.is_some() && kind != MetricKind::Auc),
            ("num_thresholds", given.num_thresholds.is_some() && kind != MetricKind::Auc),
            ("from_logits", given.from_logits && !kind.takes_logits()),
            ("label_smoothing", given.label_smoothing != 0.0 && !kind.takes_smoothing()),
        ];
        if let Some((argument, _)) = strange.iter().find(|(_, strange)| *strange) {
            return self.refuse(format!("{} has no argument {argument}", kind.class_name()));
        }
        if given.threshold.is_some_and(|t| !t.is_finite()) {
            return self.refuse("the threshold must be a number");
        }
        if given.threshold.is_some() && given.k.is_some() {
            return self.refuse("give a threshold or k, not both");
        }
        if given.k == Some(0) {
            return self.refuse("k must be at least 1");
        }
        if given.class_id.is_some_and(|class| class as usize >= target.outputs) {
            return self.refuse(format!("class_id must be below {}, the number of outputs", target.outputs));
        }
        if given.num_thresholds.is_some_and(|count| !(2..=MOST_THRESHOLDS).contains(&count)) {
            return self.refuse(format!("num_thresholds must be from 2 to {MOST_THRESHOLDS}"));
        }
        if !(0.0..=1.0).contains(&given.label_smoothing) {
            return self.refuse("label_smoothing must be from 0 to 1");
        }
        Ok(())
    }

    fn check_target(&self, target: Target) -> Result<()> {
        match self.kind.wants_sparse() {
            Some(true) if !target.sparse => {
                return self
                    .refuse("needs numbers of classes as targets, and so the loss sparse_categorical_crossentropy");
            }
            Some(false) if target.sparse => {
                return self.refuse("needs a target for each output, but the loss takes numbers of classes");
            }
            _ => {}
        }
        let rows_only = matches!(self.kind, MetricKind::F1Score | MetricKind::R2Score);
        if rows_only && target.sequence {
            return self.refuse("takes an output of [features], not of [steps, features]");
        }
        if self.kind == MetricKind::F1Score && self.arguments.average.is_none() && target.outputs > 1 {
            return self.refuse(format!(
                "gives a score for each of {} outputs: choose an average, micro, macro or weighted",
                target.outputs
            ));
        }
        Ok(())
    }

    /// The loss whose mean it is, with its arguments.
    pub(crate) fn as_loss(&self) -> Option<super::super::loss::Loss> {
        let kind = match self.kind {
            MetricKind::Loss(kind) => kind,
            MetricKind::RootMeanSquaredError => LossKind::MeanSquaredError,
            _ => return None,
        };
        let loss = super::super::loss::Loss::of(kind);
        Some(loss.from_logits(self.arguments.from_logits).label_smoothing(self.arguments.label_smoothing))
    }
}

/// Of the area under a curve; each is a column of the log.
const MOST_THRESHOLDS: u32 = 10_000;
