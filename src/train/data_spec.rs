//! From a model's own words about its data to a data set, and back.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::data::{Dataset, Reading, SampleKind, SeriesOptions, TableOptions, TargetOf};
use crate::error::{Error, Result};

/// How a model's input is made from a file: kept with the model, so that it takes raw rows again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DataSpec {
    /// What a sample is in its file.
    #[serde(default)]
    pub samples: SampleKind,
    /// Names of the columns, in the model's order; of a series as many as it has channels.
    pub columns: Vec<String>,
    /// Names of the target columns, one for each output.
    pub targets: Vec<String>,
    /// Steps of one sample; of series of unequal lengths those of the longest that was trained on.
    pub window: usize,
    /// Rows from one window to the next.
    pub stride: usize,
    /// Names of the classes 0, 1, ..., for a target of classes.
    pub classes: Option<Vec<String>>,
    /// Names of the classes 0 and 1 of each target, where these are labels of one output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_classes: Option<Vec<[String; 2]>>,
    /// How values are understood.
    #[serde(default)]
    pub reading: Reading,
    /// Whether a category that training did not meet is none of those it met, instead of an error. Not kept with a model.
    #[serde(skip)]
    pub new_categories: bool,
    /// The file of labels, for series that stand in a file each, where it is not `labels.csv` in their folder. Not kept with a model.
    #[serde(skip)]
    pub labels: Option<PathBuf>,
    /// The most bytes that features take in memory ([`TableOptions::host_memory`], [`SeriesOptions::host_memory`]). Not kept with a model.
    #[serde(skip)]
    pub host_memory: Option<usize>,
}

impl DataSpec {
    /// What a data set that was read from a file says about itself.
    pub fn of(data: &Dataset) -> DataSpec {
        DataSpec {
            samples: data.sample_kind(),
            columns: data.source_columns().to_vec(),
            targets: data.target_names().to_vec(),
            window: data.steps(),
            stride: data.stride(),
            classes: data.classes().map(<[String]>::to_vec),
            label_classes: data.labels().map(<[_]>::to_vec),
            reading: data.reading().clone(),
            new_categories: false,
            labels: None,
            host_memory: None,
        }
    }

    /// Whether samples come from tables, which may be a series each, and not from files of series.
    pub fn is_table(&self) -> bool {
        self.samples != SampleKind::Series || self.reading.series.is_some()
    }

    /// Reads a file as this says, with its targets: one of the classes, or any number where there are none. Of a model that gives its
    /// input back it reads none; [`Model::with_reconstruction`](super::Model::with_reconstruction) makes them.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<Dataset> {
        self.load_all(&[path.as_ref()])
    }

    /// The same of several files, whose samples come behind each other.
    pub fn load_all<P: AsRef<Path>>(&self, paths: &[P]) -> Result<Dataset> {
        if !self.is_table() {
            return self.series(paths, true)?.load();
        }
        if self.reading.target_of == TargetOf::Input {
            return self.load_all_inputs(paths);
        }
        let mut options = self.table(paths)?;
        if !self.targets.is_empty() {
            options = options.targets(&self.targets);
        }
        match (&self.classes, &self.label_classes) {
            (Some(classes), _) => options.label_classes(classes).load(),
            (None, Some(labels)) => options.multi_label_classes(labels.iter().cloned()).load(),
            (None, None) => options.numeric_target().load(),
        }
    }

    /// Reads a file as this says, without targets, as for rows to predict on.
    pub fn load_inputs(&self, path: impl AsRef<Path>) -> Result<Dataset> {
        self.load_all_inputs(&[path.as_ref()])
    }

    /// The same of several files, whose samples come behind each other.
    pub fn load_all_inputs<P: AsRef<Path>>(&self, paths: &[P]) -> Result<Dataset> {
        if !self.is_table() {
            return self.series(paths, false)?.load();
        }
        self.table(paths)?.no_target().load()
    }

    /// How to read files of series as this says.
    ///
    /// Errors: a name that ends in no format of series, no file.
    pub fn series<P: AsRef<Path>>(&self, paths: &[P], targets: bool) -> Result<SeriesOptions> {
        let first = paths.first().ok_or_else(|| Error::usage("there is no file to read"))?;
        let options = paths[1..].iter().fold(Dataset::series(first)?, |options, path| options.and(path));
        let mut options = options.channels(self.columns.len()).missing(self.reading.missing);
        if let Some(bytes) = self.host_memory {
            options = options.host_memory(bytes);
        }
        Ok(match &self.classes {
            _ if !targets => options.no_target(),
            Some(classes) => options.label_classes(classes),
            None => options,
        })
    }

    fn table<P: AsRef<Path>>(&self, paths: &[P]) -> Result<TableOptions> {
        let first = paths.first().ok_or_else(|| Error::usage("there is no file to read"))?;
        let is_folder = self.reading.series.is_some() || paths.iter().any(Dataset::is_folder);
        let options = if is_folder { Dataset::folder(first) } else { Dataset::csv(first) };
        let options = paths[1..].iter().fold(options, |options, path| options.and(path));
        let mut options = options.columns(&self.columns).reading(self.reading.clone());
        if self.new_categories {
            options = options.allow_new_categories();
        }
        if let Some(labels) = &self.labels {
            options = options.labels(labels);
        }
        if let Some(bytes) = self.host_memory {
            options = options.host_memory(bytes);
        }
        Ok(match self.samples {
            SampleKind::Series => options,
            SampleKind::Row => options.row_steps(self.window),
            SampleKind::Window => options.window(self.window).stride(self.stride),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_reads_other_files_as_the_first_was_read() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        let first = write("first.csv", "a,b,y\n1,2,no\n3,4,yes\n5,6,no\n");
        let data = Dataset::csv(&first).target("y").columns(["b", "a"]).window(2).load().unwrap();
        let spec = DataSpec::of(&data);
        let second = write("second.csv", "y,a,b\nyes,7,8\nyes,9,10\n");
        let again = spec.load(&second).unwrap();
        assert_eq!(
            (again.sample(0), again.classes().unwrap()),
            ((vec![8.0, 7.0, 10.0, 9.0], vec![1.0]), &["no".into(), "yes".into()][..])
        );
        let unlabelled = write("third.csv", "a,b\n7,8\n9,10\n");
        assert_eq!(spec.load_inputs(&unlabelled).unwrap().sample(0), (vec![8.0, 7.0, 10.0, 9.0], vec![]));
    }
}
