//! From a CSV file to a [`Dataset`]: the options, and the reading of the text into a typed table.

use super::{
    dataset::{Dataset, SampleKind, Source},
    labels::{Labels, Place, Rule},
    layout::{self, Layout},
    records::Records,
    window::Windows,
};
use crate::{Error, Result};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

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
    row_steps: Option<usize>,
    label_classes: Option<Vec<String>>,
    meaning: Meaning,
}

/// What the values of the target's column are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Meaning {
    /// To be seen: two classes, or more in words.
    Unsaid,
    Classes,
    Numbers,
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
            row_steps: None,
            label_classes: None,
            meaning: Meaning::Unsaid,
        }
    }

    /// The column to predict: two classes, written as words or numbers, or several, written as words, unless
    /// [`categorical_target`](CsvOptions::categorical_target) or [`numeric_target`](CsvOptions::numeric_target) is set.
    /// This or [`no_target`](CsvOptions::no_target) must be called.
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

    /// Every row is a whole sample of so many steps, instead of a moment in a series: the first columns (in the order of
    /// [`columns`](CsvOptions::columns), or else of the file) are the features of step 0, the next those of step 1, and so
    /// on. A sample has the shape `[steps, columns / steps]`.
    pub fn row_steps(mut self, steps: usize) -> Self {
        self.row_steps = Some(steps);
        self
    }

    /// The names of the classes 0, 1, ..., as a saved model knows them. A file may then hold rows of one class only, and
    /// any other value is an error.
    pub fn label_classes(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.label_classes = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// The target is one of any number of classes, in words or numbers. They are numbered from 0: numbers by size, then
    /// words by spelling.
    pub fn categorical_target(mut self) -> Self {
        self.meaning = Meaning::Classes;
        self
    }

    /// The target is any number, for regression, instead of a class.
    pub fn numeric_target(mut self) -> Self {
        self.meaning = Meaning::Numbers;
        self
    }

    /// Reads the file.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if the options contradict each other; [`Error::Io`] if the file cannot be read; else
    /// [`Error::Input`], which names the line and the column (lines are counted from 1, the header included) and the
    /// cure: a missing column, a row that is too short or too long, a value that is missing, infinite, beyond f32 or no
    /// number, a target of one class only or whose values may be classes or numbers, fewer rows than a window has, columns
    /// that do not divide into the steps of a row.
    pub fn load(self) -> Result<Dataset> {
        self.check()?;
        let table = self.read()?;
        let starts = self.windows.starts(table.lines.len());
        let last_rows: Vec<usize> = starts.iter().map(|&start| self.windows.last_row(start)).collect();
        let labels = if table.target_name.is_some() { &last_rows[..] } else { &[] };
        // A row of many steps counts as that many rows.
        let per_row = self.row_steps.unwrap_or(1);
        Ok(Dataset::new(Source {
            kind: if self.row_steps.is_some() { SampleKind::Row } else { SampleKind::Window },
            stride: self.windows.stride,
            input_shape: vec![self.windows.length * per_row, table.columns.len() / per_row],
            steps: self.windows.length * per_row,
            target_shape: if table.target_name.is_some() { vec![1] } else { vec![] },
            targets: labels.iter().map(|&row| table.labels[row]).collect(),
            places: last_rows.iter().map(|&row| table.lines[row]).collect(),
            starts: starts.iter().map(|&start| start * per_row as u32).collect(),
            lengths: None,
            rows: Arc::new(table.rows),
            columns: table.columns,
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
        if self.row_steps == Some(0) {
            return Err(Error::usage("a row of 0 steps holds nothing. Use `--row-steps 1` or more"));
        }
        if self.row_steps.is_some() && (self.windows.length, self.windows.stride) != (1, 1) {
            return Err(Error::usage(
                "a sample is either a row or a window of rows. Leave out `--row-steps`, or `--window` and `--stride`",
            ));
        }
        if self.meaning == Meaning::Numbers && self.label_classes.is_some() {
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
        self.check_row_steps(layout.features.len())?;
        let most = u32::MAX as usize / self.row_steps.unwrap_or(1);
        let mut labels = self.labels()?;
        let (mut rows, mut lines) = (Vec::new(), Vec::new());
        loop {
            layout.check_width(&records)?;
            for feature in &layout.features {
                rows.push(layout.number(feature, &records)?);
            }
            if let Some(target) = &layout.target {
                let place = Place { path, line: records.line, column: Some(&target.name) };
                labels.push(records.text(target.index), place)?;
            }
            if lines.len() == most {
                return Err(Error::input(path, format!("more than {most} rows are too many. Split the file")));
            }
            lines.push(u32::try_from(records.line).unwrap_or(u32::MAX));
            if !records.advance()? {
                break;
            }
        }
        // Before the labels are judged: too few rows often hold one class only, and more rows are the cure.
        self.check_length(lines.len())?;
        let target_name = layout.target.map(|target| target.name);
        let (labels, classes) = labels.finish(path, target_name.as_deref())?;
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

    /// Whether the columns divide into the steps of a row.
    fn check_row_steps(&self, columns: usize) -> Result<()> {
        let Some(steps) = self.row_steps.filter(|steps| !columns.is_multiple_of(*steps)) else { return Ok(()) };
        let message = format!(
            "a row of {columns} columns does not divide into {steps} steps of equal size. Choose another `--row-steps`, or the columns with `--columns`"
        );
        Err(Error::input(&self.path, message))
    }

    fn labels(&self) -> Result<Labels> {
        const OTHER_CLASS: &str = "Correct the value, or train a model on files with this class";
        match (&self.target, self.meaning, &self.label_classes) {
            (Target::None | Target::Unset, ..) => Ok(Labels::None),
            (_, Meaning::Numbers, _) => Ok(Labels::Numbers(Vec::new())),
            (.., Some(names)) => Labels::given(names, OTHER_CLASS),
            (_, Meaning::Classes, None) => Ok(Labels::classes(Rule::Any)),
            (_, Meaning::Unsaid, None) => Ok(Labels::classes(Rule::Guessed)),
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
