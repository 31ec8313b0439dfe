//! The flags that say how a training goes on.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gatenorm::Error;

use super::class_weight::{ClassWeight, class_weight};
use super::options::{above_zero, at_least_one};

/// How training goes on.
#[derive(Args)]
#[command(next_help_heading = "Training")]
pub struct CourseFlags {
    /// A model to train on, instead of a new one; its layers, optimizer and columns come from the file. Or a description of layers
    /// to begin anew: FILE.json as Keras's `model.to_json()` gives it, or FILE.toml as the README tells.
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Passes over the data; or several numbers of them, separated by commas, each at a --learning-rate of its own.
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "10", value_parser = at_least_one, allow_negative_numbers = true)]
    pub epochs: Vec<usize>,
    /// Samples of one training step.
    #[arg(long, value_name = "N", default_value = "32", value_parser = at_least_one, allow_negative_numbers = true)]
    pub batch_size: usize,
    /// Step size [default: 0.001; 0.01 with sgd, or the model's]; or one for each number in --epochs, such as
    /// `--epochs 50,20 --learning-rate 1e-3,1e-4`.
    #[arg(long, value_name = "RATE,...", value_delimiter = ',', value_parser = above_zero, allow_negative_numbers = true)]
    pub learning_rate: Vec<f64>,
    /// What samples of a class count for in training, where it is not 1, so that a rare class is not neglected.
    #[arg(long, value_name = "CLASS=WEIGHT,...", value_delimiter = ',', value_parser = class_weight)]
    pub class_weight: Option<Vec<ClassWeight>>,
    /// Take the samples in the order of the file.
    #[arg(long)]
    pub no_shuffle: bool,
    /// Which epoch's weights to save: the last, or the one with the least loss (of the validation, where there is one).
    #[arg(long, default_value = "last")]
    pub keep: Keep,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum Keep {
    Last,
    Best,
}

impl CourseFlags {
    /// Refuses what clap cannot see.
    pub fn check(&self) -> gatenorm::Result<()> {
        let (parts, rates) = (self.epochs.len(), self.learning_rate.len());
        if rates == parts || (parts == 1 && rates == 0) {
            return Ok(());
        }
        Err(Error::usage(format!(
            "--epochs has {parts} numbers, --learning-rate {rates}. Give a rate for each, such as --epochs 50,20 --learning-rate 1e-3,1e-4"
        )))
    }

    /// All of them.
    pub fn all_epochs(&self) -> usize {
        self.epochs.iter().sum()
    }

    /// The learning rate of an epoch, from 0.
    pub fn rate_at(&self, epoch: usize) -> f64 {
        let mut end = 0;
        let ends = self.epochs.iter().map(|epochs| {
            end += epochs;
            end
        });
        let part = ends.take_while(|&end| end <= epoch).count();
        self.learning_rate[part.min(self.learning_rate.len() - 1)]
    }
}
