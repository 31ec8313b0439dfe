//! From a CSV file to a [`Dataset`]: the options, and the reading of the text into a typed table.

use super::{
    dataset::{Dataset, Source},
    labels::{Labels, Place},
    layout::{self, Layout},
    records::Records,
    window::Windows,
};
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// How to read a CSV file; made by [`Dataset::csv`], finished by [`load`](CsvOptions::load).
///
/// The file is UTF-8 text with commas and one line of column names. Fields may be quoted; blank lines are skipped. Left
/// out by themselves are a first field that the header does not name (the row number that R writes) and every column
/// whose first value is a date or a time of day.
#[derive(Clone, Debug)]
#[must_use = "nothing is read before `load`"]
pub struct CsvOptions {
    path: PathBuf,
    pub(super) target: Target,
    pub(super) columns: Option<Vec<String>>,
    windows: Windows,
    label_classes: Option<[String; 2]>,
    numeric_target: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Target {
    Unset,
    None,
    Column(String),
}

impl CsvOptions {
    pub(super) fn new(path: &Path) -> Self {
        CsvOptions {
            path: path.to_owned(),
            target: Target::Unset,
            columns: None,
            windows: Windows { length: 1, stride: 1 },
            label_classes: None,
            numeric_target: false,
        }
    }

    /// The column to predict: two classes, written as words or numbers, unless
    /// [`numeric_target`](CsvOptions::numeric_target) is set. This or [`no_target`](CsvOptions::no_target) must be called.
    pub fn target(mut self, name: impl Into<String>) -> Self {
        self.target = Target::Column(name.into());
        self
    }

    /// Reads no target, as for rows to predict on.
    pub fn no_target(mut self) -> Self {
        self.target = Target::None;
        self
    }

    /// The features to use, in this order. Without it: every column but the target and dates.
    pub fn columns<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.columns = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Rows in a sample; 1 by default. A sample has the shape `[window, features]` and the target of its last row.
    pub fn window(mut self, rows: usize) -> Self {
        self.windows.length = rows;
        self
    }

    /// Rows from one sample's start to the next one's; 1 by default.
    pub fn stride(mut self, rows: usize) -> Self {
        self.windows.stride = rows;
        self
    }

    /// The names of the classes 0 and 1, as a saved model knows them. A file may then hold rows of one class only, and
    /// any other value is an error.
    pub fn label_classes(mut self, names: [impl Into<String>; 2]) -> Self {
        self.label_classes = Some(names.map(Into::into));
        self
    }

    /// The target is any number, for regression, instead of one of two classes.
    pub fn numeric_target(mut self) -> Self {
        self.numeric_target = true;
        self
    }

    /// Reads the file.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if the options contradict each other; [`Error::Io`] if the file cannot be read; else
    /// [`Error::Input`], which names the line and the column (lines are counted from 1, the header included) and the
    /// cure: a missing column, a row that is too short or too long, a value that is missing, infinite, beyond f32 or no
    /// number, a target without exactly two classes, fewer rows than a window has.
    pub fn load(self) -> Result<Dataset> {
        self.check()?;
        let table = self.read()?;
        let rows = table.lines.len();
        let starts = self.windows.starts(rows);
        let targets = match table.target_name {
            Some(_) => starts.iter().map(|&start| table.labels[self.windows.last_row(start)]).collect(),
            None => Vec::new(),
        };
        Ok(Dataset::new(Source {
            input_shape: vec![self.windows.length, table.columns.len()],
            target_shape: if table.target_name.is_some() { vec![1] } else { vec![] },
            steps: self.windows.length,
            rows: table.rows,
            starts,
            targets,
            columns: table.columns,
            lines: Some(table.lines),
            target_name: table.target_name,
            classes: table.classes,
        }))
    }

    /// What can be seen to be wrong before reading.
    fn check(&self) -> Result<()> {
        if self.windows.length == 0 {
            return Err(Error::usage("a window of 0 rows holds nothing. Use `--window 1` or more"));
        }
        if self.windows.stride == 0 {
            return Err(Error::usage("a stride of 0 rows never moves on. Use `--stride 1` or more"));
        }
        if self.columns.as_ref().is_some_and(Vec::is_empty) {
            return Err(Error::usage(
                "the list of columns to use is empty. Name one at least, or leave `--columns` out to use all",
            ));
        }
        if self.numeric_target && self.label_classes.is_some() {
            return Err(Error::usage(
                "a target that is a number has no classes. Give class names or ask for a numeric target, not both",
            ));
        }
        Ok(())
    }

    /// Reads the columns that are wanted, row by row.
    fn read(&self) -> Result<Table> {
        let path = self.path.as_path();
        let mut records = Records::open(path)?;
        if !records.advance()? {
            return Err(Error::input(path, "the file is empty. It needs a line of column names and rows of numbers"));
        }
        let header = layout::header(path, &records)?;
        if !records.advance()? {
            return Err(Error::input(path, "the file has a header and no rows. Add rows of numbers below it"));
        }
        let layout = Layout::new(path, self, &header, &records)?;
        let mut labels = self.labels()?;
        let (mut rows, mut lines) = (Vec::new(), Vec::new());
        loop {
            layout.check_width(&records)?;
            for feature in &layout.features {
                rows.push(layout.number(feature, &records)?);
            }
            if let Some(target) = &layout.target {
                let place = Place { path, line: records.line, column: &target.name };
                labels.push(records.text(target.index), place)?;
            }
            if lines.len() == u32::MAX as usize {
                return Err(Error::input(path, format!("more than {} rows are too many. Split the file", u32::MAX)));
            }
            lines.push(u32::try_from(records.line).unwrap_or(u32::MAX));
            if !records.advance()? {
                break;
            }
        }
        // Before the labels are judged: too few rows often hold one class only, and more rows are the cure.
        self.check_length(lines.len())?;
        let target_name = layout.target.map(|target| target.name);
        let (labels, classes) = labels.finish(path, target_name.as_deref().unwrap_or_default())?;
        let columns = layout.features.into_iter().map(|feature| feature.name).collect();
        Ok(Table { columns, rows, lines, target_name, labels, classes })
    }

    fn check_length(&self, rows: usize) -> Result<()> {
        let Windows { length, .. } = self.windows;
        if rows >= length {
            return Ok(());
        }
        let has = if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") };
        let message = format!(
            "a window of {length} rows is longer than the file, which has {has}. Use `--window {rows}` or less, or a longer file"
        );
        Err(Error::input(&self.path, message))
    }

    fn labels(&self) -> Result<Labels> {
        match self.target {
            Target::None | Target::Unset => Ok(Labels::None),
            Target::Column(_) if self.numeric_target => Ok(Labels::Numbers(Vec::new())),
            Target::Column(_) => Labels::classes(self.label_classes.as_ref()),
        }
    }
}

/// A file's columns as numbers. R rows of F features.
struct Table {
    columns: Vec<String>,
    /// `[R, F]`
    rows: Vec<f32>,
    /// `[R]`: the line of each row.
    lines: Vec<u32>,
    target_name: Option<String>,
    /// `[R]`, or empty without a target.
    labels: Vec<f32>,
    classes: Option<Vec<String>>,
}
