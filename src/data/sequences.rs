//! Files whose samples are series of their own: how to read them, and from what was read to a [`Dataset`].

use super::{
    arff,
    dataset::Dataset,
    labels::Labels,
    missing::{Cleaned, clean},
    npy::{self, check_finite},
    reading::{Missing, Reading},
    rows::FileRows,
    samples::RowCounts,
    source::Source,
    ts,
};
use crate::{Error, Result, model::ANY_LENGTH};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// How to read a file of series, of equal length or not; made by [`Dataset::series`] (and [`Dataset::ts`], ...), finished by
/// [`load`](SeriesOptions::load).
///
/// - `.ts` (UEA, UCR): comments that begin with `#`, a header of lines such as `@classLabel true 1 2 3`, whose keys may be written in
///   any case, `@data`, then a series a line: `1.5,2.5,3.5:4,5,6:2` has two channels of three steps, and the class 2. With
///   `@targetLabel true` the last field is a number. With `@timeStamps true` steps are written `(time,value)`, and the channels of a series
///   have the same times.
/// - `.arff` (Weka, UEA, UCR): a row is a series of one channel and its class or target; with a relational attribute a quoted field
///   holds a channel in each of its lines. Steps at a series' end that are missing in all channels (`?`) are none.
/// - `.npy`: an array `[samples, steps, features]`, or `[samples, steps]` of one feature, and its labels in a file of their own;
///   `.npz`: both in one. Numbers of any size and byte order, in C or Fortran order.
#[derive(Clone, Debug)]
#[must_use = "nothing is read before `load`"]
pub struct SeriesOptions {
    pub(super) path: PathBuf,
    /// Further files, whose series come behind.
    more: Vec<PathBuf>,
    format: Format,
    pub(super) targets: bool,
    pub(super) label_classes: Option<Vec<String>>,
    channels: Option<usize>,
    pub(super) missing: Missing,
    pub(super) labels: Option<PathBuf>,
    pub(super) arrays: Option<[String; 2]>,
    /// Whether the targets are numbers, or classes; as their values say where it is not said.
    pub(super) numbers: Option<bool>,
    host_memory: Option<usize>,
}

/// Bytes of series that are read into memory, where it is not said.
const HOST_MEMORY: usize = 1 << 30;

/// How a file of series is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Ts,
    Arff,
    Npy,
    Npz,
}

impl Format {
    /// By the end of the file's name.
    pub fn of(path: &Path) -> Option<Format> {
        let end = path.extension()?.to_str()?.to_ascii_lowercase();
        Some(match end.as_str() {
            "ts" => Format::Ts,
            "arff" => Format::Arff,
            "npy" => Format::Npy,
            "npz" => Format::Npz,
            _ => return None,
        })
    }
}

/// Series as they were read.
pub(super) struct Parsed {
    pub channels: usize,
    /// Values of each step and channel, one series after another; NaN where one is missing.
    pub rows: Vec<f32>,
    /// Where they stay instead, if they are too many.
    pub file: Option<FileRows>,
    /// `[S]`: the steps of each series.
    pub lengths: Vec<u32>,
    /// `[S]`: the line of each series, or its index.
    pub places: Vec<u32>,
    /// `[S, O]`
    pub labels: Labels,
    /// O
    pub outputs: usize,
}

impl SeriesOptions {
    pub(super) fn new(path: &Path, format: Format) -> Self {
        SeriesOptions {
            path: path.to_owned(),
            more: Vec::new(),
            format,
            targets: true,
            label_classes: None,
            channels: None,
            missing: Missing::Error,
            labels: None,
            arrays: None,
            numbers: None,
            host_memory: None,
        }
    }

    /// Another file, of any of the formats, whose series come behind those of the files before. The labels of arrays stand in a file
    /// beside each.
    pub fn and(mut self, path: impl AsRef<Path>) -> Self {
        self.more.push(path.as_ref().to_owned());
        self
    }

    /// Reads no target, as for series to predict on; the file may hold some or not.
    pub fn no_target(mut self) -> Self {
        self.targets = false;
        self
    }

    /// The names of the classes 0, 1, ..., as a saved model knows them; without it the file's, sorted, numbers by size. Any
    /// other value is an error.
    pub fn label_classes(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.label_classes = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// How many channels the series must have, as a saved model knows it.
    pub fn channels(mut self, channels: usize) -> Self {
        self.channels = Some(channels);
        self
    }

    /// What becomes of missing values; an error by default. Without a mask, a series that still lacks one is left out, and so is one
    /// without its target.
    pub fn missing(mut self, missing: Missing) -> Self {
        self.missing = missing;
        self
    }

    /// The labels of an array: `.npy`, `[samples]` or `[samples, outputs]`. Without it, those of `x_train.npy` are sought in
    /// `y_train.npy`.
    pub fn labels(mut self, path: impl AsRef<Path>) -> Self {
        self.labels = Some(path.as_ref().to_owned());
        self
    }

    /// The names of the series and of the labels in an `.npz` file; without it `x` and `y`, or `x_train` and `y_train`, and the like.
    pub fn arrays(mut self, series: impl Into<String>, labels: impl Into<String>) -> Self {
        self.arrays = Some([series.into(), labels.into()]);
        self
    }

    /// The labels of arrays are numbers, though they may be whole.
    pub fn numeric_target(mut self) -> Self {
        self.numbers = Some(true);
        self
    }

    /// The labels of arrays are classes.
    pub fn categorical_target(mut self) -> Self {
        self.numbers = Some(false);
        self
    }

    /// The most bytes that the series of a `.npy` file take in memory, as f32; 1 GiB by default. Where they are more they stay in the file,
    /// which must not change then: it is looked through once, and training reads the samples of the next batches while it works. Their
    /// labels, and some 40 bytes for each sample, are in memory all the same.
    pub fn host_memory(mut self, bytes: usize) -> Self {
        self.host_memory = Some(bytes);
        self
    }

    /// How many bytes of series are read into memory.
    pub(super) fn most_in_memory(&self) -> usize {
        self.host_memory.unwrap_or(HOST_MEMORY)
    }

    /// Reads the file. A sample has the shape `[T, channels]`; where series have unequal lengths, [`Dataset::lengths`] tells
    /// them.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if the options contradict each other or the format; [`Error::Io`] if a file cannot be read; else
    /// [`Error::Input`], which names the line (from 1), or the sample of an array (from 0), the channel and step, and the cure: a header
    /// that contradicts itself or the series, times that differ between channels, a value that is missing (unless it was said what becomes of it), infinite,
    /// beyond f32 or no number, channels of unequal length, an unknown class, no series, no target, arrays of another shape or type, a
    /// file that was cut off.
    pub fn load(self) -> Result<Dataset> {
        self.check()?;
        let mut parsed = self.parse()?;
        let mut files = vec![0; if self.more.is_empty() { 0 } else { parsed.lengths.len() }];
        for (i, path) in self.more.iter().enumerate() {
            let Some(format) = Format::of(path) else { return Err(unknown(path)) };
            let more = SeriesOptions { path: path.clone(), format, ..self.clone() }.parse()?;
            files.resize(files.len() + more.lengths.len(), i as u32 + 1);
            self.append(&mut parsed, more, path)?;
        }
        self.assemble(parsed, files)
    }

    /// Reads one file.
    fn parse(&self) -> Result<Parsed> {
        let parsed = match self.format {
            Format::Ts => ts::read(self)?,
            Format::Arff => arff::read(self)?,
            Format::Npy | Format::Npz => npy::read(self, self.format == Format::Npz)?,
        };
        if let Some(wanted) = self.channels.filter(|&wanted| wanted != parsed.channels) {
            let found = parsed.channels;
            let message =
                format!("the series have {found} channels, but the model takes {wanted}. Use a file with {wanted}");
            return Err(Error::input(&self.path, message));
        }
        Ok(parsed)
    }

    /// Adds the series of another file.
    fn append(&self, all: &mut Parsed, more: Parsed, path: &Path) -> Result<()> {
        let first = self.path.display();
        if all.file.is_some() || more.file.is_some() {
            let message = "the series are too many for the memory that they may take, and only those of a single file can stay in their file. Raise `--host-memory`, or put all into one file";
            return Err(Error::input(path, message));
        }
        if all.channels != more.channels {
            let message = format!(
                "the series have {} channels, but those of {first} have {}. Use files that are alike",
                more.channels, all.channels
            );
            return Err(Error::input(path, message));
        }
        if all.outputs != more.outputs || all.labels.append(more.labels).is_none() {
            let message = format!("its labels are of another kind than those of {first}. Use files that are alike");
            return Err(Error::input(path, message));
        }
        all.rows.extend(more.rows);
        all.lengths.extend(more.lengths);
        all.places.extend(more.places);
        if all.rows.len() / all.channels > u32::MAX as usize {
            return Err(Error::input(path, format!("more than {} steps in all are too many. Use less", u32::MAX)));
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        let array = matches!(self.format, Format::Npy | Format::Npz);
        let misplaced = [
            ("--labels is for series in a .npy file", self.labels.is_some() && self.format != Format::Npy),
            (
                "--labels is for a single .npy file; several have theirs beside them, `y_1.npy` of `x_1.npy`",
                self.labels.is_some() && !self.more.is_empty(),
            ),
            ("--arrays is for series in a .npz file", self.arrays.is_some() && self.format != Format::Npz),
            ("--host-memory is for series in a .npy file", self.host_memory.is_some() && self.format != Format::Npy),
            (
                "a file of series says itself whether its targets are numbers or classes",
                self.numbers.is_some() && !array,
            ),
        ];
        match misplaced.iter().find(|(_, is)| *is) {
            Some((why, _)) => Err(Error::usage(format!("{why}. Leave it out for {}", self.path.display()))),
            None => Ok(()),
        }
    }

    /// Fills in what is missing, leaves out what cannot be used, and makes samples of the rest.
    fn assemble(&self, mut parsed: Parsed, files: Vec<u32>) -> Result<Dataset> {
        let channels = parsed.channels;
        let (all_targets, classes) = parsed.labels.finish(&self.path, None)?;
        let (mut kept, mut counts) = (Vec::new(), RowCounts { series: parsed.lengths.len(), ..RowCounts::default() });
        let (mut start, mut masked) = (0, false);
        let mut judge = |i: usize, values: &mut [f32]| {
            let Cleaned { filled, incomplete, usable } = clean(self.missing, values, channels);
            counts.filled += filled;
            counts.incomplete += incomplete;
            let labels = &all_targets[(i * parsed.outputs).min(all_targets.len())..];
            let unlabelled = labels.iter().take(parsed.outputs).any(|label| label.is_nan());
            counts.without_target += usize::from(unlabelled);
            counts.left_out += usize::from(!usable);
            if usable && !unlabelled {
                kept.push((i, start));
                masked |= incomplete > 0;
            }
            start += values.len() / channels;
        };
        match &parsed.file {
            Some(file) => file.visit_samples(|i, values| {
                check_finite(&self.path, values, i, channels, self.missing)?;
                judge(i, values);
                Ok(())
            })?,
            None => {
                let mut rest = parsed.rows.as_mut_slice();
                for (i, &length) in parsed.lengths.iter().enumerate() {
                    let (values, behind) = std::mem::take(&mut rest).split_at_mut(length as usize * channels);
                    judge(i, values);
                    rest = behind;
                }
            }
        }
        counts.rows = start;
        let rows = match parsed.file {
            Some(file) => file.cleaned(Some(self.missing).filter(|_| counts.filled + counts.incomplete > 0)),
            None => parsed.rows.into(),
        };
        let pick = |values: &[u32]| kept.iter().map(|&(i, _)| values[i]).collect::<Vec<u32>>();
        let lengths = pick(&parsed.lengths);
        let Some(&longest) = lengths.iter().max() else {
            return Err(Error::input(
                &self.path,
                "no series is left: each lacks a value or its target. Fill them in, or use another way of `--missing`",
            ));
        };
        let (steps, unequal) = (longest as usize, lengths.iter().any(|&length| length != longest));
        let outputs = parsed.outputs;
        let has_targets = !all_targets.is_empty();
        let targets =
            kept.iter().filter(|_| has_targets).flat_map(|&(i, _)| &all_targets[i * outputs..(i + 1) * outputs]);
        let columns = (1..=channels).map(|channel| format!("channel {channel}")).collect();
        let name = if classes.is_some() { "class" } else { "target" };
        Ok(Dataset::new(Source {
            input_shape: vec![if unequal { ANY_LENGTH } else { steps }, channels],
            steps,
            target_shape: if has_targets { vec![outputs] } else { vec![] },
            targets: targets.copied().collect(),
            starts: kept.iter().map(|&(_, start)| start as u32).collect(),
            lengths: unequal.then_some(lengths),
            places: pick(&parsed.places),
            rows,
            masked,
            target_names: if has_targets { vec![name.to_owned()] } else { Vec::new() },
            classes,
            files: if files.is_empty() { files } else { pick(&files) },
            file_names: Arc::new(std::iter::once(&self.path).chain(&self.more).cloned().collect()),
            reading: Reading { missing: self.missing, ..Reading::default() },
            counts,
            ..Source::of_series(0, columns)
        }))
    }
}

/// The error of a file that is of none of the formats.
pub(super) fn unknown(path: &Path) -> Error {
    Error::usage(format!(
        "{} is no file of series by its name. Use one that ends in .ts, .arff, .npy or .npz",
        path.display()
    ))
}
