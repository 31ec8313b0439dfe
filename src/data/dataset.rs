//! Sequences and targets in host memory.

use super::{
    baselines::Baseline,
    folder::is_folder,
    options::TableOptions,
    sequences::{Format, SeriesOptions, unknown},
    source::{SampleArray, Source},
};
use crate::Result;
use serde::{Deserialize, Serialize};
use std::{fmt, ops::Range, path::Path, sync::Arc};

/// Sequences and their targets, in host memory, or large ones in a file ([`SeriesOptions::host_memory`], [`TableOptions::host_memory`]).
///
/// The rows are kept once; a sample is a start offset into them, never a copy. Clones and splits share the rows, so both
/// are cheap. S is the number of samples, T of steps, F of features, R of rows.
///
/// Samples may have unequal [`lengths`](Dataset::lengths). A model pads them at their ends to the longest, or to the length of
/// [`pad_to`](Dataset::pad_to), with the value that its `Masking` layer masks.
#[derive(Clone)]
pub struct Dataset {
    pub(super) source: Arc<Source>,
    /// The samples of `source` that this data set has.
    pub(super) samples: Range<usize>,
    /// Inputs behind the first, for models with several.
    pub(super) more_inputs: Arc<Vec<SampleArray>>,
    /// Targets behind the first.
    pub(super) more_targets: Arc<Vec<SampleArray>>,
    /// What each sample, or each of its steps, counts for: `[1]` or `[T, 1]` each.
    pub(super) sample_weights: Option<Arc<SampleArray>>,
}

/// What a sample is in the file that it comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleKind {
    /// Consecutive rows of one long series, in the order of time; samples may overlap.
    #[default]
    Window,
    /// One row, whose columns are the features of step 0, then those of step 1, and so on.
    Row,
    /// A series of its own, as in a `.ts` file or in arrays.
    Series,
}

impl Dataset {
    /// Starts reading a CSV file: `Dataset::csv("room.csv").target("Occupancy").window(10).load()?`.
    pub fn csv(path: impl AsRef<Path>) -> TableOptions {
        TableOptions::new(path.as_ref())
    }

    /// Starts reading a folder, or a `.zip`, of a CSV file for each series, or files that are a series each (with
    /// [`and`](TableOptions::and)): `Dataset::folder("recordings").target("label").load()?`.
    ///
    /// Each series is a sample, or with [`window`](TableOptions::window) each window of it. Its label stands in a file of labels
    /// ([`labels`](TableOptions::labels), or `labels.csv` in the folder); or it is the name of the subfolder that the series lies in, if
    /// no target is named; or the target is a column of the series. Files that begin with a dot, those in `__MACOSX` and those of other
    /// endings are passed over.
    pub fn folder(path: impl AsRef<Path>) -> TableOptions {
        TableOptions::new(path.as_ref()).of_series()
    }

    /// Whether a path is what [`folder`](Dataset::folder) reads: a folder, or a name that ends in `.zip`.
    pub fn is_folder(path: impl AsRef<Path>) -> bool {
        is_folder(path.as_ref())
    }

    /// Starts reading a `.ts` file of labelled series, the format of the UEA and UCR archives:
    /// `Dataset::ts("JapaneseVowels_TRAIN.ts").load()?`.
    pub fn ts(path: impl AsRef<Path>) -> SeriesOptions {
        SeriesOptions::new(path.as_ref(), Format::Ts)
    }

    /// Starts reading a file of series, of the format that its name ends in: `.ts`, `.arff`, `.npy` or `.npz`.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`](crate::Error::Usage) if it ends in none of them.
    pub fn series(path: impl AsRef<Path>) -> Result<SeriesOptions> {
        let path = path.as_ref();
        match Format::of(path) {
            Some(format) => Ok(SeriesOptions::new(path, format)),
            None => Err(unknown(path)),
        }
    }

    /// Whether [`series`](Dataset::series) reads such a file, by the end of its name.
    pub fn is_series(path: impl AsRef<Path>) -> bool {
        Format::of(path.as_ref()).is_some()
    }

    pub(super) fn new(source: Source) -> Dataset {
        let samples = 0..source.starts.len();
        Dataset {
            samples,
            source: Arc::new(source),
            more_inputs: Arc::default(),
            more_targets: Arc::default(),
            sample_weights: None,
        }
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there are no samples; never so for a data set that was loaded or split.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// What a sample is in its file; a series of its own for arrays.
    pub fn sample_kind(&self) -> SampleKind {
        self.source.kind
    }

    /// Rows from one window's start to the next one's; 1 for samples that are no windows.
    pub fn stride(&self) -> usize {
        self.source.stride
    }

    /// The shape of a sample without the batch axis, as a model takes it: `[T, F]`, or `[F]`; T is [`ANY_LENGTH`](crate::model::ANY_LENGTH) for samples of
    /// unequal lengths. From a file it is never `[F]`.
    pub fn input_shape(&self) -> &[usize] {
        &self.source.input_shape
    }

    /// The shape of a target without the batch axis: `[O]` or `[T, O]`; `[]` when there are no targets.
    pub fn target_shape(&self) -> &[usize] {
        &self.source.target_shape
    }

    /// Whether every sample has a target.
    pub fn has_targets(&self) -> bool {
        !self.source.target_shape.is_empty()
    }

    /// The rows in memory, `[R, F]`, without any padding. Splits share them: some may belong to no sample of this data set. A row that
    /// the model is to mask ([`Missing::Mask`](super::Missing::Mask)) is NaN all over. None where they
    /// [stay in a file](Dataset::is_in_file).
    pub fn rows(&self) -> &[f32] {
        self.source.rows.in_memory()
    }

    /// The first row of each sample in [`rows`](Dataset::rows), ascending, `[S]`.
    pub fn starts(&self) -> &[u32] {
        &self.source.starts[self.samples.clone()]
    }

    /// The number of steps of each sample, `[S]`, where samples have unequal lengths or are padded.
    pub fn lengths(&self) -> Option<&[u32]> {
        self.source.lengths.as_ref().map(|lengths| &lengths[self.samples.clone()])
    }

    /// The targets, `[S, ..target_shape]`; empty when there are none. Classes are numbered from 0, in the order of
    /// [`classes`](Dataset::classes).
    pub fn targets(&self) -> &[f32] {
        let size = self.target_size();
        &self.source.targets[self.samples.start * size..self.samples.end * size]
    }

    /// The shapes of all inputs without the batch axis.
    pub fn input_shapes(&self) -> Vec<&[usize]> {
        std::iter::once(self.input_shape()).chain(self.more_inputs.iter().map(|array| &array.shape[..])).collect()
    }

    /// The shapes of all targets without the batch axis; none where there are no targets.
    pub fn target_shapes(&self) -> Vec<&[usize]> {
        let first = self.has_targets().then(|| self.target_shape());
        first.into_iter().chain(self.more_targets.iter().map(|array| &array.shape[..])).collect()
    }

    /// The inputs behind the first, each `[S, ..shape]`.
    pub fn more_inputs(&self) -> impl Iterator<Item = &[f32]> {
        self.more_inputs.iter().map(|array| array.part(&self.samples))
    }

    /// All targets, each `[S, ..shape]`.
    pub fn all_targets(&self) -> impl Iterator<Item = &[f32]> {
        let first = self.has_targets().then(|| self.targets());
        first.into_iter().chain(self.more_targets.iter().map(|array| array.part(&self.samples)))
    }

    /// T, the number of steps of the longest sample, or that to which all are padded; 1 for samples without a time axis.
    pub fn steps(&self) -> usize {
        self.source.steps
    }

    /// F, the number of features of a step.
    pub fn features(&self) -> usize {
        self.source.input_shape.last().copied().unwrap_or(0)
    }

    /// The names of the columns: of the features, `[F]`, or, where a sample is a row, of all its values, `[T · F]`. Arrays
    /// have `x0`, `x1`, ..., series `channel 1`, `channel 2`, ...
    pub fn columns(&self) -> &[String] {
        &self.source.columns
    }

    /// The name of the first target's column, if it came from a file.
    pub fn target_name(&self) -> Option<&str> {
        self.target_names().first().map(String::as_str)
    }

    /// The names of the classes 0, 1, ..., such as `["0", "1"]` or `["cat", "dog", "fish"]`, if the target is a column of
    /// classes.
    pub fn classes(&self) -> Option<&[String]> {
        self.source.classes.as_deref()
    }

    /// The names of the classes 0 and 1 of each label, in the order of [`target_names`](Dataset::target_names), if the target is
    /// [several labels](TableOptions::multi_label).
    pub fn labels(&self) -> Option<&[[String; 2]]> {
        self.source.labels.as_deref()
    }

    /// Where each sample ends: the line of its last row in the file, counted from 1 with the header; for arrays the
    /// index of the sample in them.
    pub fn last_rows(&self) -> impl ExactSizeIterator<Item = u64> + '_ {
        self.source.places[self.samples.clone()].iter().map(|&place| u64::from(place))
    }

    /// A copy of sample `i`: its rows `[its length, F]` and its target. Both are empty if there is no such sample, or it stays in a
    /// file that cannot be read any more.
    pub fn sample(&self, i: usize) -> (Vec<f32>, Vec<f32>) {
        self.read_sample(i).unwrap_or_default()
    }

    /// The same, with what went wrong.
    pub(crate) fn read_sample(&self, i: usize) -> Result<(Vec<f32>, Vec<f32>)> {
        if i >= self.len() {
            return Ok((Vec::new(), Vec::new()));
        }
        let (mut rows, size) = (Vec::new(), self.target_size());
        self.source.rows.visit(&[self.span(i)], self.features(), |part| rows.extend_from_slice(part))?;
        Ok((rows, self.targets()[i * size..(i + 1) * size].to_vec()))
    }

    /// The rows of each sample, without padding.
    pub(super) fn spans(&self) -> impl ExactSizeIterator<Item = Range<usize>> + '_ {
        (0..self.len()).map(|sample| self.span(sample))
    }

    /// The rows of a sample.
    pub(super) fn span(&self, sample: usize) -> Range<usize> {
        let i = self.samples.start + sample;
        let length = self.source.lengths.as_ref().map_or(self.steps(), |lengths| lengths[i] as usize);
        let start = self.source.starts[i] as usize;
        start..start + length
    }

    /// How many samples each class has, in the order of [`classes`](Dataset::classes).
    ///
    /// Of arrays, whose classes have no names, the numbers 0 up to the largest target are the classes, if every sample has
    /// a single target that is a whole number, and there are no more of them than samples (or two). `None` otherwise.
    ///
    /// Where every row of a sample has a target, how many rows: those that [count](Dataset::counted_steps).
    pub fn class_balance(&self) -> Option<Vec<usize>> {
        if !matches!(self.source.target_shape[..], [1] | [_, 1]) {
            return None;
        }
        let most = self.classes().map_or(self.len().max(2), <[String]>::len);
        let named = self.classes().map_or(2, <[String]>::len);
        let mut counts = vec![0; named];
        let counted = self.counted_steps();
        let counted = |i: usize| counted.as_ref().is_none_or(|counted| counted[i]);
        for (_, &target) in self.targets().iter().enumerate().filter(|(i, _)| counted(*i)) {
            if target < 0.0 || target.fract() != 0.0 || target >= most as f32 {
                return None;
            }
            let class = target as usize;
            counts.resize(counts.len().max(class + 1), 0);
            counts[class] += 1;
        }
        Some(counts)
    }

    /// The samples of the source that it has.
    pub(super) fn all(&self) -> Range<usize> {
        self.samples.clone()
    }

    /// The first of them.
    pub(super) fn first(&self) -> usize {
        self.samples.start
    }

    /// The resident rows, `[R, F]`, with `padding`, `[F]`, in place of those that the model is to mask.
    pub(crate) fn masked_rows(&self, padding: &[f32]) -> Vec<f32> {
        let mut rows = self.rows().to_vec();
        rows.chunks_mut(padding.len()).filter(|row| row[0].is_nan()).for_each(|row| row.copy_from_slice(padding));
        rows
    }

    /// Where a row stands that has these very values, if one does: the place of its sample as in
    /// [`last_rows`](Dataset::last_rows), and the step in it, from 1.
    pub(crate) fn find_row(&self, values: &[f32]) -> Result<Option<(u64, usize)>> {
        for (place, span) in self.last_rows().zip(self.spans()) {
            let mut found = None;
            let seek = |rows: &[f32]| found = rows.chunks(values.len()).position(|row| row == values);
            self.source.rows.visit(&[span], values.len(), seek)?;
            if let Some(at) = found {
                return Ok(Some((place, 1 + at)));
            }
        }
        Ok(None)
    }

    /// The samples `range` of this data set, over the same rows.
    pub(super) fn part(&self, range: Range<usize>) -> Dataset {
        let start = self.samples.start;
        Dataset { samples: start + range.start..start + range.end, ..self.clone() }
    }

    /// The samples of these indices, which must be ascending, over the same rows.
    pub(super) fn pick(&self, samples: &[usize]) -> Dataset {
        let all = self.source.as_ref();
        let of_source: Vec<usize> = samples.iter().map(|&i| self.samples.start + i).collect();
        let numbers = |values: &Vec<u32>| of_source.iter().map(|&i| values[i]).collect();
        let values = |values: &[f32], size: usize| {
            of_source.iter().flat_map(|&i| &values[i * size..(i + 1) * size]).copied().collect()
        };
        let array = |array: &SampleArray| SampleArray {
            shape: array.shape.clone(),
            values: values(&array.values, array.size()),
        };
        let baseline =
            |of: &Baseline| Baseline { name: of.name.clone(), forecasts: of.forecasts.iter().map(array).collect() };
        let picked = Dataset::new(Source {
            starts: numbers(&all.starts),
            lengths: all.lengths.as_ref().map(numbers),
            places: numbers(&all.places),
            files: if all.files.is_empty() { Vec::new() } else { numbers(&all.files) },
            groups: all.groups.as_ref().map(numbers),
            times: all.times.as_ref().map(|times| of_source.iter().map(|&i| times[i]).collect()),
            baselines: all.baselines.iter().map(baseline).collect(),
            targets: values(&all.targets, self.target_size()),
            ..all.clone()
        });
        Dataset {
            more_inputs: Arc::new(self.more_inputs.iter().map(array).collect()),
            more_targets: Arc::new(self.more_targets.iter().map(array).collect()),
            sample_weights: self.sample_weights.as_deref().map(|weights| Arc::new(array(weights))),
            ..picked
        }
    }

    /// Values in one target.
    pub(crate) fn target_size(&self) -> usize {
        if self.has_targets() { self.source.target_shape.iter().product() } else { 0 }
    }
}

impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dataset")
            .field("len", &self.len())
            .field("input_shape", &self.input_shape())
            .field("target_shape", &self.target_shape())
            .field("columns", &self.columns())
            .field("target_name", &self.target_name())
            .field("classes", &self.classes())
            .finish_non_exhaustive()
    }
}
