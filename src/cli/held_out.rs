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
    /// How the share is chosen [default: group for windows of labelled series, time for other windows, else random].
    #[arg(long, value_name = "HOW")]
    split: Option<SplitName>,
    /// Seed of what is drawn to be measured on [default: that of --seed].
    #[arg(long, value_name = "N", conflicts_with_all = ["validation", "validation_from"])]
    split_seed: Option<u64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum SplitName {
    /// The last in time; windows that reach over the cut are left out
    Time,
    /// Whole groups of --group or series of a folder, drawn by --seed
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
        let by = self.by(&data);
        let (train, validation) = data.split(by, 1.0 - share, self.split_seed.unwrap_or(seed))?;
        Ok((train, Some(validation)))
    }

    /// How a share is chosen.
    fn by(&self, data: &Dataset) -> SplitBy {
        match self.split {
            Some(SplitName::Time) => SplitBy::Time,
            Some(SplitName::Group) => SplitBy::Group,
            Some(SplitName::Random) => SplitBy::Random,
            // Windows of one series share its label.
            None if data.has_labelled_series() => SplitBy::Group,
            None if data.sample_kind() == SampleKind::Window => SplitBy::Time,
            // Files of whole samples are often sorted by class.
            None => SplitBy::Random,
        }
    }

    /// Whether it was said what to measure on.
    pub fn is_given(&self) -> bool {
        self.validation.is_some() || self.validation_from.is_some() || self.validation_split.is_some()
    }

    /// Whether the samples are drawn by a seed that was not given.
    pub fn draws(&self, data: &Dataset) -> bool {
        let share = self.validation.is_none() && self.validation_from.is_none();
        share && self.split_seed.is_none() && self.by(data) != SplitBy::Time
    }
}

fn date(text: &str) -> Result<i64, String> {
    moment(text).ok_or_else(|| "give a date, such as 2014-01-01 or \"2014-01-01 12:00\"".into())
}
