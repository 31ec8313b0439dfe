//! How to read tables: what is asked for.

use super::{
    cells::Unknown,
    dataset::Dataset,
    files::Files,
    labels::{Labels, Rule},
    reading::{Categorical, DateOrder, Encoding, Missing, Reading, TargetOf, TimeAxis, TimeFeature},
    samples, series_files,
    table::Table,
    window::Windows,
};
use crate::Result;
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
    /// What errors of the whole name: the first file, or the folder.
    pub(super) path: PathBuf,
    pub(super) files: Files,
    /// Where each file is a series.
    pub(super) series: Option<SeriesFiles>,
    pub(super) target: Target,
    pub(super) columns: Option<Vec<String>>,
    /// Rows in a window.
    pub(super) window: usize,
    /// From one window to the next, where it was said.
    pub(super) stride: Option<usize>,
    /// A sample is a whole series.
    pub(super) whole: bool,
    pub(super) row_steps: Option<usize>,
    pub(super) label_classes: Option<Vec<String>>,
    /// The same of each of several targets.
    pub(super) multi_label_classes: Option<Vec<[String; 2]>>,
    pub(super) meaning: Meaning,
    pub(super) reading: Reading,
    /// Whether `reading` is a model's: what it does not name as categories is numbers.
    pub(super) known: bool,
    pub(super) unknown: Unknown,
    /// Bytes that the features may take in memory.
    pub(super) host_memory: Option<usize>,
}

/// What the values of the target's column are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Meaning {
    /// To be seen: two classes, or more in words; of several targets two words each, or numbers; of forecasts numbers.
    Unsaid,
    Classes,
    /// Two classes for each target.
    Labels,
    Numbers,
}

/// What is said of files that are series.
#[derive(Clone, Debug, Default)]
pub(super) struct SeriesFiles {
    /// The file of labels.
    pub labels: Option<PathBuf>,
    /// The column of it that names the series.
    pub column: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Target {
    Unset,
    None,
    Columns(Vec<String>),
}

impl TableOptions {
    pub(super) fn new(path: &Path) -> Self {
        TableOptions {
            path: path.to_owned(),
            files: Files::one(path),
            series: None,
            target: Target::Unset,
            columns: None,
            window: 1,
            stride: None,
            whole: false,
            row_steps: None,
            label_classes: None,
            multi_label_classes: None,
            meaning: Meaning::Unsaid,
            reading: Reading::default(),
            known: false,
            unknown: Unknown::Error,
            host_memory: None,
        }
    }

    /// Another file with the same columns, in any order, whose rows come behind those of the files before. No window holds rows of two
    /// files.
    pub fn and(mut self, path: impl AsRef<Path>) -> Self {
        self.files.paths.push(path.as_ref().to_owned());
        self
    }

    /// Each file is a series, as of [`Dataset::folder`].
    pub(super) fn of_series(mut self) -> Self {
        self.series = Some(SeriesFiles::default());
        self.whole = true;
        self
    }

    /// The file of labels of a [folder](Dataset::folder) of series: a table that names each in one column and has the targets in others.
    /// Without it `labels.csv` in the folder.
    pub fn labels(mut self, path: impl AsRef<Path>) -> Self {
        self.series.get_or_insert_default().labels = Some(path.as_ref().to_owned());
        self
    }

    /// The column of the file of labels that names the series, by their files' names with or without the ending. Without it the
    /// one that holds such names.
    pub fn series_column(mut self, name: impl Into<String>) -> Self {
        self.series.get_or_insert_default().column = Some(name.into());
        self
    }

    /// The column to predict: two classes, written as words or numbers, or several, written as words, unless
    /// [`categorical_target`](TableOptions::categorical_target) or [`numeric_target`](TableOptions::numeric_target) is set.
    /// This, [`targets`](TableOptions::targets) or [`no_target`](TableOptions::no_target) must be called.
    pub fn target(self, name: impl Into<String>) -> Self {
        self.targets([name])
    }

    /// The columns to predict. Several are numbers, and the first of them is the data set's first target; or labels, as of
    /// [`multi_label`](TableOptions::multi_label), if that is set or all are columns of words.
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
        self.window = rows;
        self.whole = false;
        self
    }

    /// Rows from one sample's start to the next one's; 1 by default, with [`return_sequences`](TableOptions::return_sequences) those of a
    /// window.
    pub fn stride(mut self, rows: usize) -> Self {
        self.stride = Some(rows);
        self
    }

    /// Every row is a whole sample of so many steps, instead of a moment in a series: the first columns (in the order of
    /// [`columns`](TableOptions::columns), or else of the file) are the features of step 0, the next those of step 1, and so
    /// on. A sample has the shape `[steps, columns / steps]`.
    pub fn row_steps(mut self, steps: usize) -> Self {
        self.row_steps = Some(steps);
        self
    }

    /// Every row of a sample has a target of its own, for models whose last recurrent layer returns sequences, as Keras's
    /// `return_sequences=True`: targets have the shape `[T, O]`. Windows stand side by side unless a [`stride`](TableOptions::stride) is
    /// set; where rows are left behind the last, one more ends where they do. A series of a [folder](Dataset::folder) is a
    /// sample as a whole, unless [`window`](TableOptions::window) is set.
    ///
    /// Rows count for nothing ([`Dataset::sample_weights`]) that have no target (unless that is an error, as of
    /// [`missing`](TableOptions::missing)), that the model masks, or that stood in the window before that last one; and so does the
    /// padding of shorter series.
    pub fn return_sequences(mut self) -> Self {
        self.reading.target_of = TargetOf::EveryRow;
        self
    }

    /// A sample's own rows are to be given back, as by an autoencoder, whose errors tell of anomalies. No target is read:
    /// [`Model::with_reconstruction`](crate::train::Model::with_reconstruction) makes the scaled rows one.
    pub fn reconstruct(mut self) -> Self {
        self.reading.target_of = TargetOf::Input;
        self.no_target()
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

    /// Each of several targets is a label of two classes, in words or numbers, and any of them may be true together. They make one target
    /// of the shape `[labels]`, with 0 or 1 for each in the order of [`targets`](TableOptions::targets).
    pub fn multi_label(mut self) -> Self {
        self.meaning = Meaning::Labels;
        self
    }

    /// The same with the names of the classes 0 and 1 of each label, as a saved model knows them.
    pub fn multi_label_classes(mut self, names: impl IntoIterator<Item = [String; 2]>) -> Self {
        self.multi_label_classes = Some(names.into_iter().collect());
        self.multi_label()
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

    /// The most bytes that the numbers of windows' columns take in memory, as f32; without it, what they need. Where they are more they go into
    /// a temporary file as they are read, and training reads the samples of the next batches while it works. Targets, some 12 bytes for each row
    /// (80 where there are dates) and 30 for each window are in memory all the same. Categories, missing values, groups whose rows do not follow on each other and features of
    /// the calendar cannot be kept so: they are an error then.
    pub fn host_memory(mut self, bytes: usize) -> Self {
        self.host_memory = Some(bytes);
        self
    }

    /// Reads the file.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`](crate::Error::Usage) if the options contradict each other; [`Error::Io`](crate::Error::Io) if the file cannot be read; else
    /// [`Error::Input`](crate::Error::Input), which names the line and the column (lines are counted from 1, the header included) and the
    /// cure: a missing column, a row that is too short or too long, a value that is missing (unless it was said what becomes of it),
    /// infinite, beyond f32, of another kind than its column, or an unknown category; a target of one class only or whose values may
    /// be classes or numbers; moments that are no dates, out of order or doubtful; fewer rows than a window has; columns that do not
    /// divide into the steps of a row.
    pub fn load(self) -> Result<Dataset> {
        self.check()?;
        if self.series.is_some() {
            return series_files::load(self);
        }
        let mut table = Table::read(&self)?;
        samples::check_length(&self, table.lines.len())?;
        let targets = table.take_targets(&self.path)?;
        samples::assemble(&self, table, targets)
    }

    /// How samples are cut, if they are windows.
    pub(super) fn windows(&self) -> Windows {
        let side_by_side = self.has_targets_of_rows() && !self.whole;
        let stride = self.stride.unwrap_or(if side_by_side { self.window } else { 1 });
        Windows { length: self.window, stride }
    }

    /// Whether every row has a target.
    pub(super) fn has_targets_of_rows(&self) -> bool {
        self.reading.target_of == TargetOf::EveryRow
    }

    /// All files, in their order.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.paths.iter().map(PathBuf::as_path)
    }

    /// The target is one of any number of classes, unless something else was said.
    pub(super) fn unsaid_as_classes(self) -> Self {
        if self.meaning == Meaning::Unsaid { self.categorical_target() } else { self }
    }

    pub(super) fn categorical_names(&self) -> Vec<String> {
        self.reading.categorical.iter().map(|of| of.column.clone()).collect()
    }

    /// The categories of a column, where they are known, and what others are.
    pub(super) fn categories(&self, column: &str) -> Option<(&[String], Unknown)> {
        let of = self.reading.categorical.iter().find(|of| of.column == column)?;
        (!of.categories.is_empty()).then_some((&of.categories[..], self.unknown))
    }

    /// Room for the targets: one for each.
    pub(super) fn room_for_targets(&self) -> Result<Vec<Labels>> {
        const OTHER_CLASS: &str = "Correct the value, or train a model on files with this class";
        let Target::Columns(names) = &self.target else { return Ok(Vec::new()) };
        if let Some(labels) = &self.multi_label_classes {
            return labels.iter().map(|names| Labels::given(names, OTHER_CLASS)).collect();
        }
        let one = || match (self.meaning, &self.label_classes) {
            (Meaning::Numbers, _) => Ok(Labels::Numbers(Vec::new())),
            (_, Some(names)) => Labels::given(names, OTHER_CLASS),
            (Meaning::Classes, None) => Ok(Labels::classes(Rule::Any)),
            (Meaning::Labels, None) => Ok(Labels::classes(Rule::Two)),
            (Meaning::Unsaid, None) if names.len() > 1 => Ok(Labels::Unsaid(0)),
            (Meaning::Unsaid, None) if !self.reading.horizon.is_empty() => Ok(Labels::Numbers(Vec::new())),
            (Meaning::Unsaid, None) => Ok(Labels::classes(Rule::Guessed)),
        };
        names.iter().map(|_| one()).collect()
    }
}
