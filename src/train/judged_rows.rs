//! Truth and prediction side by side, of all that counts.

use super::model::Model;
use crate::data::Dataset;
use crate::error::Result;

/// What a model says of the first target of a data set, and what is true.
pub(crate) struct JudgedRows {
    /// `[rows, O]`, or `[rows, 1]` of class numbers.
    pub truth: Vec<f32>,
    /// `[rows, O]`
    pub predicted: Vec<f32>,
}

impl Model {
    /// Predicts the samples or, where every row of them has a target, the rows that [count](Dataset::counted_steps).
    ///
    /// Errors: those of [`Model::predict`].
    pub(crate) fn judged_rows(&mut self, data: &Dataset) -> Result<JudgedRows> {
        let predicted = self.predict(data)?;
        let truth = data.targets();
        let (Some(counted), &[own, outputs_of_truth]) = (data.counted_steps(), data.target_shape()) else {
            return Ok(JudgedRows { truth: truth.to_vec(), predicted });
        };
        let steps = self.padded_target(data, data.target_shape())[0];
        let outputs = predicted.len() / (data.len() * steps).max(1);
        let mut rows = JudgedRows { truth: Vec::new(), predicted: Vec::new() };
        for (i, _) in counted.iter().enumerate().filter(|(_, counts)| **counts) {
            rows.truth.extend_from_slice(&truth[i * outputs_of_truth..][..outputs_of_truth]);
            rows.predicted.extend_from_slice(&predicted[(i / own * steps + i % own) * outputs..][..outputs]);
        }
        Ok(rows)
    }
}
