//! How well each of several labels is found.

use serde::Serialize;

use super::model::Model;
use crate::data::Dataset;
use crate::error::{Error, Result};

/// How well a label is found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelScore {
    /// The target's name.
    pub label: String,
    /// The share of samples whose class was found.
    pub accuracy: f64,
    /// The share of samples of the more frequent class, which a model that always says it would reach.
    pub majority: f64,
}

impl Model {
    /// The accuracy of each label; empty where the data's target is not [several labels](Dataset::labels). An output above 0.5 (of logits,
    /// above 0) predicts class 1. Every sample counts once, whatever its weight; where every row has labels, each row that
    /// [counts](Dataset::counted_steps).
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if the loss judges numbers; and those of [`Model::predict`].
    pub fn label_scores(&mut self, data: &Dataset) -> Result<Vec<LabelScore>> {
        let Some(labels) = data.labels().map(<[_]>::len) else { return Ok(Vec::new()) };
        self.check_data(data, true)?;
        let loss = self.loss();
        if !loss.judges_classes() {
            let text = format!("labels need a loss for classes, but {} judges numbers", loss.name());
            return Err(Error::usage(text));
        }
        let threshold = if loss.takes_logits() { 0.0 } else { 0.5 };
        let rows = self.judged_rows(data)?;
        let count = (rows.truth.len() / labels) as f64;
        let share = |of: usize| of as f64 / count;
        let score = |(i, label): (usize, &String)| {
            let truths = || rows.truth.iter().skip(i).step_by(labels).map(|&truth| truth > 0.5);
            let predicted = rows.predicted.iter().skip(i).step_by(labels).map(|&p| p > threshold);
            let positive = share(truths().filter(|&truth| truth).count());
            LabelScore {
                label: label.clone(),
                accuracy: share(truths().zip(predicted).filter(|(truth, predicted)| truth == predicted).count()),
                majority: positive.max(1.0 - positive),
            }
        };
        Ok(data.target_names().iter().enumerate().map(score).collect())
    }
}
