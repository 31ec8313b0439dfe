//! One batch at a time, for training loops of one's own.

use super::history::Scores;
use super::model::Model;
use super::run::batch_sizes;
use crate::data::Dataset;
use crate::error::{Error, Result};

/// The name of the batch on the device.
const FEED: &str = "on_batch";

impl Model {
    /// A training step on one batch, as of [`Dataset::from_arrays`]; gives its loss and metrics, taken before the update.
    ///
    /// Errors: a batch that does not fit the model, a gradient that is not finite ([`Error::NonFinite`]), a device that fails.
    pub fn train_on_batch(&mut self, batch: &Dataset) -> Result<Scores> {
        let rows: Vec<u32> = (0..batch.len() as u32).collect();
        let mut scores = self.train_batches(FEED, batch, &[rows])?;
        scores.pop().ok_or_else(|| Error::usage("the batch has no samples"))
    }

    /// Loss and metrics of one batch in inference.
    ///
    /// Errors: a batch that does not fit the model, a device that fails.
    pub fn test_on_batch(&mut self, batch: &Dataset) -> Result<Scores> {
        self.check_data(batch, true)?;
        let feed = self.feed(FEED, batch, batch.len())?;
        self.evaluate_feed(&feed, batch.len(), &batch_sizes(batch.len(), batch.len()), "")
    }

    /// The model's first output for one batch, in C order; without targets.
    ///
    /// Errors: a batch that does not fit the model, a device that fails.
    pub fn predict_on_batch(&mut self, batch: &Dataset) -> Result<Vec<f32>> {
        let values = self.predict_named(FEED, batch, batch.len())?.into_iter().next().unwrap_or_default();
        Ok(values.into_iter().map(|v| v as f32).collect())
    }
}
