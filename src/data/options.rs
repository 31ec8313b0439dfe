//! How to read tables: what is asked for, and what contradicts itself.

use super::{
    cells::Unknown,
    dataset::Dataset,
    labels::{Labels, Rule},
    reading::{Categorical, DateOrder, Encoding, Missing, Reading, TimeAxis, TimeFeature},
    samples,
    table::Table,
    window::Windows,
};
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// How to read a table; made by [`Dataset::csv`], finished by [`load`](TableOptions::load).
///
/// The file is UTF-8 text with one line of column names; commas, semicolons, tabs or vertical bars separate fields, whichever
/// divides all rows alike. Fields may be quoted; blank lines are skipped. Where commas separate no fields, numbers may have decimal
/// commas. Left out by themselves are a first field that the header does not name (the row number that R writes) and columns that
/// begin with a date or a time of day. A column of words is one of categories.
#[derive(Clone, Debug)]
#[must_use = "nothing is read before `load`"]
pub struct TableOptions {
    pub(super) path: PathBuf,
    /// Further files, whose rows come behind.
    pub(super) more: Vec<PathBuf>,
    pub(super) target: Target,
    pub(super) columns: Option<Vec<String>>,
    pub(super) windows: Windows,
    pub(super) row_steps: Option<usize>,
    label_classes: Option<Vec<String>>,
    meaning: Meaning,
    pub(super) reading: Reading,
    /// Whether `reading` is a model's: what it does not name as categories is numbers.
    pub(super) known: bool,
    pub(super) unknown: Unknown,
}

/// What the values of the target's column are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Meaning {
    /// To be seen: two classes, or more in words; of several targets and of forecasts, numbers.
    Unsaid,
    Classes,
    Numbers,
}

#[derive(Clone, Debug)]
pub(super) enum Target {
    Unset,
    None,
    Columns(Vec<String>),
}

impl TableOptions {
    pub(super) fn new(path: &Path) -> Self {
        TableOptions {
            path: path.to_owned(),
            more: Vec::new(),
            target: Target::Unset,
            columns: None,
            windows: Windows { length: 1, stride: 1 },
            row_steps: None,
            label_classes: None,
            meaning: Meaning::Unsaid,
            reading: Reading::default(),
            known: false,
            unknown: Unknown::Error,
        }
    }

    /// Another file with the same columns, in any order, whose rows come behind those of the files before. No window holds rows of two
    /// files.
    pub fn and(mut self, path: impl AsRef<Path>) -> Self {
        self.more.push(path.as_ref().to_owned());
        self
    }

    /// The column to predict: two classes, written as words or numbers, or several, written as words, unless
    /// [`categorical_target`](TableOptions::categorical_target) or [`numeric_target`](TableOptions::numeric_target) is set.
    /// This, [`targets`](TableOptions::targets) or [`no_target`](TableOptions::no_target) must be called.
    pub fn target(self, name: impl Into<String>) -> Self {
        self.targets([name])
    }

    /// The columns to predict; several are numbers, and the first of them is the data set's first target.
    pub fn targets<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.target = Target::Columns(names.into_iter().map(Into::into).collect());
        self
    }

    /// Reads no target, as for rows to predict on.
    pub fn no_target(mut self) -> Self {
        self.target = Target::None;
        self
    }

    /// The features to use, in this order. Without it: every column but dates, groups, the time axis and, unless it is a forecast's,
    /// the target.
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
    /// [`columns`](TableOptions::columns), or else of the file) are the features of step 0, the next those of step 1, and so
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

    /// Columns whose values are names of categories even where they look like numbers. A column without any number is one anyway.
    pub fn categorical<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        let named = |column: S| Categorical { column: column.into(), categories: Vec::new() };
        self.reading.categorical = columns.into_iter().map(named).collect();
        self
    }

    /// How categories become numbers; one-hot by default.
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.reading.encoding = encoding;
        self
    }

    /// What becomes of missing values; an error by default.
    pub fn missing(mut self, missing: Missing) -> Self {
        self.reading.missing = missing;
        self
    }

    /// What marks a missing value beside the empty field, instead of the usual marks.
    pub fn missing_marks<S: Into<String>>(mut self, marks: impl IntoIterator<Item = S>) -> Self {
        self.reading.missing_marks = Some(marks.into_iter().map(Into::into).collect());
        self
    }

    /// The columns that say when a row was; several make a date together, such as year, month, day and hour. Rows must be in the
    /// order of time, in each group, and no window crosses a gap. Without it a column of dates is taken if there is just one and its
    /// steps are regular.
    pub fn time<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        let columns = columns.into_iter().map(Into::into).collect();
        self.reading.time = Some(TimeAxis { columns, ..self.reading.time.unwrap_or_default() });
        self
    }

    /// What stands first in dates such as 4/2/2015, where their values do not say it. For a [`time`](TableOptions::time) axis.
    pub fn date_order(mut self, order: DateOrder) -> Self {
        self.reading.time.get_or_insert_default().order = Some(order);
        self
    }

    /// The longest step, in seconds, that is no gap; 1.5 times the median step by default. For a [`time`](TableOptions::time) axis.
    pub fn gap(mut self, seconds: f64) -> Self {
        self.reading.time.get_or_insert_default().gap = Some(seconds);
        self
    }

    /// What of the calendar the model sees, behind the other features. For a [`time`](TableOptions::time) axis.
    pub fn time_features(mut self, features: impl IntoIterator<Item = TimeFeature>) -> Self {
        self.reading.time.get_or_insert_default().features = features.into_iter().collect();
        self
    }

    /// The columns that say which series a row belongs to; their rows may stand in any order among those of others. No window holds
    /// rows of two series.
    pub fn group<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.reading.group = columns.into_iter().map(Into::into).collect();
        self
    }

    /// Forecasts: a sample's targets are those of the rows that stand so many behind its window's last, and the target's own past is a
    /// feature. Ascending.
    pub fn horizon(mut self, rows: impl IntoIterator<Item = usize>) -> Self {
        self.reading.horizon = rows.into_iter().collect();
        self
    }

    /// Rows of a period, for the seasonal naive forecast that models are compared with.
    pub fn season(mut self, rows: usize) -> Self {
        self.reading.season = Some(rows);
        self
    }

    /// Reads as a saved model does: [`columns`](TableOptions::columns) must be its, and all but its categories are numbers.
    pub fn reading(mut self, reading: Reading) -> Self {
        self.reading = reading;
        self.known = true;
        self
    }

    /// Takes a category that a saved model does not know for none of those it knows (all zeros) instead of an error.
    pub fn allow_new_categories(mut self) -> Self {
        self.unknown = Unknown::None;
        self
    }

    /// Reads the file.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if the options contradict each other; [`Error::Io`] if the file cannot be read; else
    /// [`Error::Input`], which names the line and the column (lines are counted from 1, the header included) and the
    /// cure: a missing column, a row that is too short or too long, a value that is missing (unless it was said what becomes of it),
    /// infinite, beyond f32, of another kind than its column, or an unknown category; a target of one class only or whose values may
    /// be classes or numbers; moments that are no dates, out of order or doubtful; fewer rows than a window has; columns that do not
    /// divide into the steps of a row.
    pub fn load(self) -> Result<Dataset> {
        self.check()?;
        let table = Table::read(&self)?;
        samples::assemble(&self, table)
    }

    /// All files, in their order.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(&self.path).chain(&self.more).map(PathBuf::as_path)
    }

    pub(super) fn categorical_names(&self) -> Vec<String> {
        self.reading.categorical.iter().map(|of| of.column.clone()).collect()
    }

    /// The categories of a column, where they are known, and what others are.
    pub(super) fn categories(&self, column: &str) -> Option<(&[String], Unknown)> {
        let of = self.reading.categorical.iter().find(|of| of.column == column)?;
        (!of.categories.is_empty()).then_some((&of.categories[..], self.unknown))
    }

    /// What can be seen to be wrong before reading.
    fn check(&self) -> Result<()> {
        let usage = |text: &str| Err(Error::usage(text));
        if self.windows.length == 0 {
            return usage("a window of 0 rows holds nothing. Use `--window 1` or more");
        }
        if self.windows.stride == 0 {
            return usage("a stride of 0 rows never moves on. Use `--stride 1` or more");
        }
        if self.columns.as_ref().is_some_and(Vec::is_empty) {
            return usage(
                "the list of columns to use is empty. Name one at least, or leave `--columns` out to use all",
            );
        }
        if self.row_steps == Some(0) {
            return usage("a row of 0 steps holds nothing. Use `--row-steps 1` or more");
        }
        if self.row_steps.is_some() && (self.windows.length, self.windows.stride) != (1, 1) {
            return usage(
                "a sample is either a row or a window of rows. Leave out `--row-steps`, or `--window` and `--stride`",
            );
        }
        if self.meaning == Meaning::Numbers && self.label_classes.is_some() {
            return usage(
                "a target that is a number has no classes. Give class names or ask for a numeric target, not both",
            );
        }
        self.check_targets()?;
        if self.unknown == Unknown::None && self.reading.encoding == Encoding::Integer {
            return usage(
                "`--new-categories none` needs one-hot categories: of integers, none is free for what is not known",
            );
        }
        self.reading.check()?;
        self.check_time()?;
        self.check_rows()
    }

    fn check_targets(&self) -> Result<()> {
        let Target::Columns(names) = &self.target else { return Ok(()) };
        if let Some(twice) = (1..names.len()).find(|&i| names[..i].contains(&names[i])) {
            return Err(Error::usage(format!("`{}` is named twice in `--target`. Name it once", names[twice])));
        }
        if names.is_empty() {
            return Err(Error::usage("the list of targets is empty. Name one with `--target`"));
        }
        let several = names.len() > 1 || self.reading.horizon.len() > 1;
        if several && (self.meaning == Meaning::Classes || self.label_classes.is_some()) {
            return Err(Error::usage(
                "several targets or horizons must be numbers, not classes. Name one, or leave the loss for classes out",
            ));
        }
        Ok(())
    }

    fn check_time(&self) -> Result<()> {
        match &self.reading.time {
            Some(time) if time.columns.is_empty() => Err(Error::usage(
                "order of dates, gaps and features of the calendar need a time axis. Name its column with `--time`",
            )),
            Some(TimeAxis { columns, .. }) if columns.len() > 6 => Err(Error::usage(format!(
                "a time axis of {} columns is more than year, month, day, hour, minute and second",
                columns.len()
            ))),
            _ => Ok(()),
        }
    }

    /// What rows that are whole samples cannot have.
    fn check_rows(&self) -> Result<()> {
        if self.row_steps.is_none() {
            return Ok(());
        }
        let Reading { categorical, missing, time, group, horizon, .. } = &self.reading;
        let cannot = [
            ("--categorical", !categorical.is_empty()),
            ("--missing ffill", *missing == Missing::Ffill),
            ("--missing interpolate", *missing == Missing::Interpolate),
            ("--time", time.is_some()),
            ("--group", !group.is_empty()),
            ("--horizon", !horizon.is_empty()),
        ];
        match cannot.iter().find(|(_, is)| *is) {
            Some((flag, _)) => Err(Error::usage(format!(
                "`{flag}` is for rows that are moments of a series, not whole samples. Leave it or `--row-steps` out"
            ))),
            None => Ok(()),
        }
    }

    /// Room for the targets: one for each.
    pub(super) fn labels(&self) -> Result<Vec<Labels>> {
        const OTHER_CLASS: &str = "Correct the value, or train a model on files with this class";
        let Target::Columns(names) = &self.target else { return Ok(Vec::new()) };
        let forecast = names.len() > 1 || !self.reading.horizon.is_empty();
        let one = || match (self.meaning, &self.label_classes) {
            (Meaning::Numbers, _) => Ok(Labels::Numbers(Vec::new())),
            (_, Some(names)) => Labels::given(names, OTHER_CLASS),
            (Meaning::Classes, None) => Ok(Labels::classes(Rule::Any)),
            (Meaning::Unsaid, None) if forecast => Ok(Labels::Numbers(Vec::new())),
            (Meaning::Unsaid, None) => Ok(Labels::classes(Rule::Guessed)),
        };
        names.iter().map(|_| one()).collect()
    }
}
