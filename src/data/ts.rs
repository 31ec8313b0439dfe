//! From a `.ts` file of the UEA and UCR archives to a [`Dataset`]: a series a line, channels between colons, the class last.

use super::{
    dataset::{Dataset, Source},
    labels::{Labels, Place, Rule},
    lines::Lines,
    ts_header::{Header, Target},
    value::{self, Fault},
};
use crate::{Error, Result, model::ANY_LENGTH};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// How to read a `.ts` file; made by [`Dataset::ts`], finished by [`load`](TsOptions::load).
///
/// The file is UTF-8 text: comments that begin with `#`, a header of lines such as `@classLabel true 1 2 3`, whose keys may
/// be written in any case, `@data`, then a series a line: `1.5,2.5,3.5:4,5,6:2` has two channels of three steps, and the
/// class 2. Series may have unequal lengths, the channels of one may not. With `@targetLabel true` the last field is a
/// number. Time stamps and missing values are refused.
#[derive(Clone, Debug)]
#[must_use = "nothing is read before `load`"]
pub struct TsOptions {
    path: PathBuf,
    targets: bool,
    label_classes: Option<Vec<String>>,
    channels: Option<usize>,
}

impl TsOptions {
    pub(super) fn new(path: &Path) -> Self {
        TsOptions { path: path.to_owned(), targets: true, label_classes: None, channels: None }
    }

    /// Reads no target, as for series to predict on; the file may hold some or not.
    pub fn no_target(mut self) -> Self {
        self.targets = false;
        self
    }

    /// The names of the classes 0, 1, ..., as a saved model knows them; without it the header's, sorted, numbers by size. Any
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

    /// Reads the file. A sample has the shape `[T, channels]`; where series have unequal lengths, [`Dataset::lengths`] tells
    /// them.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if the class names contradict each other; [`Error::Io`] if the file cannot be read; else
    /// [`Error::Input`], which names the line (from 1), the channel and step, and the cure: a header that contradicts itself
    /// or the series, time stamps, a value that is missing, infinite, beyond f32 or no number, channels of unequal length,
    /// an unknown class, no series, no target.
    pub fn load(self) -> Result<Dataset> {
        let path = self.path.as_path();
        let mut lines = Lines::open(path)?;
        let header = Header::read(path, &mut lines)?;
        let mut series =
            Series { path, channels: header.channels, rows: Vec::new(), starts: Vec::new(), lengths: Vec::new() };
        let mut labels = self.labels(&header)?;
        let mut places = Vec::new();
        while lines.advance()? {
            let number = lines.number;
            let label = series.push(&header, lines.text(), number)?;
            if let (Some(label), true) = (label, self.targets) {
                let place = Place { path, line: number, column: None };
                if value::is_missing(label) {
                    return Err(place.not_a_number(label, Fault::Missing));
                }
                labels.push(label, place)?;
            }
            places.push(u32::try_from(number).unwrap_or(u32::MAX));
        }
        let (targets, classes) = labels.finish(path, None)?;
        let found = series.channels.unwrap_or(1);
        if let Some(wanted) = self.channels.filter(|&wanted| wanted != found) {
            let message =
                format!("the series have {found} channels, but the model takes {wanted}. Use a file with {wanted}");
            return Err(Error::input(path, message));
        }
        let Some(&longest) = series.lengths.iter().max() else {
            return Err(Error::input(path, "the file has a header and no series. Add a series a line below `@data`"));
        };
        let (steps, unequal) = (longest as usize, series.lengths.iter().any(|&length| length != longest));
        Ok(Dataset::new(Source {
            input_shape: vec![if unequal { ANY_LENGTH } else { steps }, found],
            steps,
            target_shape: if self.targets { vec![1] } else { vec![] },
            rows: Arc::new(series.rows),
            starts: series.starts,
            lengths: unequal.then_some(series.lengths),
            targets,
            target_names: self
                .targets
                .then(|| if classes.is_some() { "class" } else { "target" }.to_owned())
                .into_iter()
                .collect(),
            classes,
            places,
            ..Source::of_series(0, (1..=found).map(|channel| format!("channel {channel}")).collect())
        }))
    }

    fn labels(&self, header: &Header) -> Result<Labels> {
        const OTHER_CLASS: &str = "Correct the label, or add it to `@classLabel` in the header";
        const NOT_THE_MODELS: &str = "Correct the label, or train a model on files with this class";
        if !self.targets {
            return Ok(Labels::None);
        }
        match (&header.target, &self.label_classes) {
            (Target::None, _) => Err(Error::input(
                &self.path,
                "the header says of no target. Add `@classLabel true` and the classes (or `@targetLabel true` for numbers) and the target behind a last colon of every series",
            )),
            (Target::Number, None) => Ok(Labels::Numbers(Vec::new())),
            (Target::Number, Some(_)) => Err(Error::input(
                &self.path,
                "the header says `@targetLabel true`, numbers, but the model knows classes. Use a file with `@classLabel true`",
            )),
            (Target::Classes(_), Some(names)) => Labels::given(names, NOT_THE_MODELS),
            (Target::Classes(names), None) if names.is_empty() => Ok(Labels::classes(Rule::Any)),
            (Target::Classes(names), None) => Labels::given(names, OTHER_CLASS).map_err(|_| {
                Error::input(
                    &self.path,
                    "`@classLabel` lists one class, which leaves nothing to learn. List all of them",
                )
            }),
        }
    }
}

/// The series read so far: rows one after another, `[R, channels]`.
struct Series<'a> {
    path: &'a Path,
    channels: Option<usize>,
    rows: Vec<f32>,
    starts: Vec<u32>,
    lengths: Vec<u32>,
}

impl Series<'_> {
    /// Adds the series of a line; gives its last field, where the header says that this is a label.
    fn push<'t>(&mut self, header: &Header, line: &'t str, number: u64) -> Result<Option<&'t str>> {
        let (values, label) = match (&header.target, line.rsplit_once(':')) {
            (Target::None, _) => (line, None),
            (_, Some((values, label))) => (values, Some(label.trim())),
            (_, None) => {
                let message = "there is no colon. Write the series, a colon, and its label";
                return Err(self.error(number, message));
            }
        };
        let channels: Vec<&str> = values.split(':').collect();
        let wanted = *self.channels.get_or_insert(channels.len());
        if channels.len() != wanted {
            let message = format!(
                "{} channels (parts between colons) where every series must have {wanted}. Look for a missing or an extra colon, or correct the header",
                channels.len()
            );
            return Err(self.error(number, &message));
        }
        let length = channels[0].split(',').count();
        self.check_length(header, length, number)?;
        let start = self.rows.len();
        self.rows.resize(start + length * wanted, 0.0);
        for (channel, text) in channels.into_iter().enumerate() {
            let steps = text.split(',').count();
            if steps != length {
                let message = format!(
                    "channel {} has {steps} steps, but channel 1 has {length}. Give all channels of a series the same number",
                    channel + 1
                );
                return Err(self.error(number, &message));
            }
            for (step, text) in text.split(',').enumerate() {
                let value =
                    value::number(text.trim()).map_err(|fault| self.fault(fault, text, number, channel, step))?;
                self.rows[start + step * wanted + channel] = value;
            }
        }
        self.starts.push((start / wanted) as u32);
        self.lengths.push(length as u32);
        Ok(label)
    }

    fn check_length(&self, header: &Header, length: usize, number: u64) -> Result<()> {
        let first = self.lengths.first().map(|&first| first as usize);
        let wanted = header.length.or(first).filter(|_| header.equal_length);
        if let Some(wanted) = wanted.filter(|&wanted| wanted != length) {
            let message = format!(
                "{length} steps where, by `@equalLength true`, every series has {wanted}. Correct the series or the header"
            );
            return Err(self.error(number, &message));
        }
        let rows =
            self.starts.last().zip(self.lengths.last()).map_or(0, |(&start, &length)| start as usize + length as usize);
        if rows + length > u32::MAX as usize {
            return Err(
                self.error(number, &format!("more than {} steps in all are too many. Split the file", u32::MAX))
            );
        }
        Ok(())
    }

    #[cold]
    fn fault(&self, fault: Fault, text: &str, number: u64, channel: usize, step: usize) -> Error {
        let cure = match fault {
            Fault::Missing | Fault::Infinite => "Remove the series or fill in the value",
            Fault::TooLarge => "Scale the channel down",
            Fault::DecimalComma | Fault::DecimalPoint => "Write decimals with a point",
            Fault::Word => "Correct the value",
        };
        let what = fault.describe(text.trim());
        self.error(number, &format!("channel {}, step {}: {what}. {cure}", channel + 1, step + 1))
    }

    fn error(&self, number: u64, message: &str) -> Error {
        Error::input(self.path, format!("line {number}: {message}"))
    }
}
