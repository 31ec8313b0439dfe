//! What a data set says of the files that it comes from.

use super::{
    dataset::{Dataset, SampleKind},
    reading::{Labelled, Reading},
    rows::Rows,
    samples::RowCounts,
    source::SampleArray,
};
use std::path::Path;

impl Dataset {
    /// The columns of the table that the features come from; a column of categories makes several features.
    pub fn source_columns(&self) -> &[String] {
        &self.source.sources
    }

    /// The names of the targets' columns, if they came from a file.
    pub fn target_names(&self) -> &[String] {
        &self.source.target_names
    }

    /// How the values of its table were understood.
    pub fn reading(&self) -> &Reading {
        &self.source.reading
    }

    /// What became of the rows of its table; of a part of a data set that of the whole.
    pub fn row_counts(&self) -> RowCounts {
        self.source.counts
    }

    /// Whether some rows have missing values that the model is to mask.
    pub fn has_masked_rows(&self) -> bool {
        self.source.masked
    }

    /// Whether the rows stay in a file, of which only what is at work is in memory.
    pub fn is_in_file(&self) -> bool {
        matches!(self.source.rows, Rows::InFile(_))
    }

    /// The names of the forecasts that need no model, and what they say of the samples: `[S, ..target shape]` for each target, NaN
    /// where the past does not reach back far enough. None but for forecasts of numbers.
    pub fn baselines(&self) -> impl Iterator<Item = (&str, Vec<&[f32]>)> {
        let part = |array| SampleArray::part(array, &self.samples);
        self.source.baselines.iter().map(move |of| (of.name.as_str(), of.forecasts.iter().map(part).collect()))
    }

    /// The file that each sample comes from, `[S]`, where several were read.
    pub fn files(&self) -> Option<impl ExactSizeIterator<Item = &Path> + '_> {
        let file = |&file: &u32| self.source.file_names[file as usize].as_path();
        (!self.source.files.is_empty()).then(|| self.source.files[self.samples.clone()].iter().map(file))
    }

    /// The series that each sample belongs to, `[S]`, where each file is one: its path in the folder, without the ending.
    pub fn series_names(&self) -> Option<impl ExactSizeIterator<Item = &str> + '_> {
        let groups = self.groups().filter(|_| self.source.reading.series.is_some())?;
        Some(groups.iter().map(|&group| self.source.group_names[group as usize].as_str()))
    }

    /// Whether its samples are windows of series that have a label as a whole.
    pub fn has_labelled_series(&self) -> bool {
        let labelled = self.source.reading.series.as_ref().is_some_and(|labelled| *labelled != Labelled::Columns);
        labelled && self.sample_kind() == SampleKind::Window
    }
}
