//! What a model is measured on while it trains.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use gatenorm::data::{Dataset, SampleKind, SplitBy, moment};
use gatenorm::train::DataSpec;

use super::options::{TableFlags, fraction};

/// Samples to measure on instead of training.
#[derive(Args)]
pub struct HeldOutFlags {
    /// Another file of the same kind, to measure on after each epoch.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["validation_split", "validation_from"])]
    pub validation: Option<PathBuf>,
    /// The share of the samples to measure on instead of training.
    #[arg(long, value_name = "SHARE", value_parser = fraction, allow_negative_numbers = true)]
    validation_split: Option<f64>,
    /// Measure on the samples from this moment on, such as 2014-01-01; those that reach over it are left out.
    #[arg(long, value_name = "DATE", value_parser = date, conflicts_with_all = ["validation_split", "split"])]
    validation_from: Option<i64>,
    /// How the share is chosen [default: time for windows, else random].
    #[arg(long, value_name = "HOW")]
    split: Option<SplitName>,
}

#[derive(Clone, Copy, ValueEnum)]
enum SplitName {
    /// The last in time; windows that reach over the cut are left out
    Time,
    /// Whole groups of --group, drawn by --seed
    Group,
    /// Samples drawn by --seed, of each class the same share
    Random,
}

impl HeldOutFlags {
    /// The data to train on, and to measure on. Cut before anything is learned of them, so that the scaling too knows the training
    /// data alone. `table` is how they were read, `otherwise` the share where none is asked for.
    pub fn split(
        &self,
        data: Dataset,
        table: &TableFlags,
        otherwise: Option<f64>,
        seed: u64,
    ) -> Result<(Dataset, Option<Dataset>)> {
        if let Some(file) = &self.validation {
            let validation = table.load_like(&DataSpec::of(&data), file).context("--validation")?;
            return Ok((data, Some(validation)));
        }
        if let Some(moment) = self.validation_from {
            let (train, validation) = data.split_at(moment).context("--validation-from")?;
            return Ok((train, Some(validation)));
        }
        let Some(share) = self.validation_split.or(otherwise) else { return Ok((data, None)) };
        let by = match self.split {
            Some(SplitName::Time) => SplitBy::Time,
            Some(SplitName::Group) => SplitBy::Group,
            Some(SplitName::Random) => SplitBy::Random,
            None if data.sample_kind() == SampleKind::Window => SplitBy::Time,
            // Files of whole samples are often sorted by class.
            None => SplitBy::Random,
        };
        let (train, validation) = data.split(by, 1.0 - share, seed)?;
        Ok((train, Some(validation)))
    }
}

fn date(text: &str) -> Result<i64, String> {
    moment(text).ok_or_else(|| "give a date, such as 2014-01-01 or \"2014-01-01 12:00\"".into())
}
