//! What batch normalisation uses in inference.

use anyhow::Result;
use clap::{Args, ValueEnum};
use gatenorm::Error;
use gatenorm::data::Dataset;
use gatenorm::train::{Model, Scores};

/// What a model's batch normalisations are left with.
#[derive(Args)]
pub struct StatisticsFlags {
    /// What batch normalisation uses in inference, here and in the saved file: the moving averages of training, as in Keras, or mean
    /// and variance of the whole training data, taken in one more pass at the weights that are saved. The moving averages lag behind
    /// the weights in the first few hundred steps. Figures of epochs, --keep best and checkpoints go by the moving ones.
    #[arg(long, value_name = "KIND", default_value = "moving")]
    bn_statistics: Statistics,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Statistics {
    Moving,
    Population,
}

impl StatisticsFlags {
    /// Refuses to estimate what the model does not have.
    pub fn check(&self, model: &mut Model, train: &Dataset) -> Result<()> {
        if self.bn_statistics == Statistics::Population && !model.has_batch_statistics(train)? {
            let text = "--bn-statistics population: the model has no BatchNormalization that is trained. Leave it out";
            return Err(Error::usage(text).into());
        }
        Ok(())
    }

    /// Estimates them, if that is asked for, and gives the figures in inference with them: `loss` and so on of the training data,
    /// `val_loss` and so on of the validation's.
    pub fn estimate(
        &self,
        model: &mut Model,
        train: &Dataset,
        validation: Option<&Dataset>,
        batch_size: usize,
    ) -> Result<Option<Scores>> {
        if self.bn_statistics == Statistics::Moving {
            return Ok(None);
        }
        model.estimate_population_statistics(train, batch_size)?;
        let mut scores = model.evaluate_in_batches(train, batch_size)?;
        if let Some(data) = validation {
            let of_validation = model.evaluate_in_batches(data, batch_size)?;
            scores.0.extend(of_validation.0.into_iter().map(|(name, value)| (format!("val_{name}"), value)));
        }
        Ok(Some(scores))
    }
}
