//! `.ts` files of the UEA and UCR archives: a series a line, channels between colons, the class last.

use super::{
    labels::{Labels, Place, Rule},
    lines::Lines,
    reading::Missing,
    sequences::{Parsed, SeriesOptions},
    spelling::shown,
    ts_header::{Header, Target},
    ts_times,
    value::{self, Fault},
};
use crate::{Error, Result};
use std::path::Path;

/// Reads the series, and their labels where they are wanted.
pub(super) fn read(options: &SeriesOptions) -> Result<Parsed> {
    let path = options.path.as_path();
    let mut lines = Lines::open(path)?;
    let header = Header::read(path, &mut lines)?;
    let mut series = Series {
        path,
        channels: header.channels,
        missing: options.missing,
        rows: Vec::new(),
        starts: Vec::new(),
        lengths: Vec::new(),
    };
    let mut labels = labels(options, &header)?;
    let mut places = Vec::new();
    while lines.advance()? {
        let number = lines.number;
        let label = series.push(&header, lines.text(), number)?;
        if let (Some(label), true) = (label, options.targets) {
            let place = Place { path, unit: "line", line: number, column: None };
            match value::is_missing(label) {
                false => labels.push(label, place)?,
                true if options.missing == Missing::Error => return Err(place.not_a_number(label, Fault::Missing)),
                true => labels.push_missing(),
            }
        }
        places.push(u32::try_from(number).unwrap_or(u32::MAX));
    }
    if places.is_empty() {
        return Err(Error::input(path, "the file has a header and no series. Add a series a line below `@data`"));
    }
    let channels = series.channels.unwrap_or(1);
    Ok(Parsed { channels, rows: series.rows, file: None, lengths: series.lengths, places, labels, outputs: 1 })
}

fn labels(options: &SeriesOptions, header: &Header) -> Result<Labels> {
    const OTHER_CLASS: &str = "Correct the label, or add it to `@classLabel` in the header";
    const NOT_THE_MODELS: &str = "Correct the label, or train a model on files with this class";
    if !options.targets {
        return Ok(Labels::None);
    }
    match (&header.target, &options.label_classes) {
        (Target::None, _) => Err(Error::input(
            &options.path,
            "the header says of no target. Add `@classLabel true` and the classes (or `@targetLabel true` for numbers) and the target behind a last colon of every series",
        )),
        (Target::Number, None) => Ok(Labels::Numbers(Vec::new())),
        (Target::Number, Some(_)) => Err(Error::input(
            &options.path,
            "the header says `@targetLabel true`, numbers, but the model knows classes. Use a file with `@classLabel true`",
        )),
        (Target::Classes(_), Some(names)) => Labels::given(names, NOT_THE_MODELS),
        (Target::Classes(names), None) if names.is_empty() => Ok(Labels::classes(Rule::Any)),
        (Target::Classes(names), None) => Labels::given(names, OTHER_CLASS).map_err(|_| {
            Error::input(
                &options.path,
                "`@classLabel` lists one class, which leaves nothing to learn. List all of them",
            )
        }),
    }
}

/// The series read so far: rows one after another, `[R, channels]`.
struct Series<'a> {
    path: &'a Path,
    channels: Option<usize>,
    missing: Missing,
    rows: Vec<f32>,
    starts: Vec<u32>,
    lengths: Vec<u32>,
}

impl Series<'_> {
    /// Adds the series of a line; gives its last field, where the header says that this is a label.
    fn push<'t>(&mut self, header: &Header, line: &'t str, number: u64) -> Result<Option<&'t str>> {
        let mut channels = header.parts(line);
        let label = match header.target {
            Target::None => None,
            _ if channels.len() < 2 => {
                let message = "there is no colon. Write the series, a colon, and its label";
                return Err(self.error(number, message));
            }
            _ => channels.pop().map(str::trim),
        };
        let wanted = *self.channels.get_or_insert(channels.len());
        if channels.len() != wanted {
            let message = format!(
                "{} channels (parts between colons) where every series must have {wanted}. Look for a missing or an extra colon, or correct the header",
                channels.len()
            );
            return Err(self.error(number, &message));
        }
        let channels: Vec<Vec<&str>> = match header.timestamps {
            false => channels.into_iter().map(|text| text.split(',').collect()).collect(),
            true => ts_times::values(&channels).map_err(|message| self.error(number, &message))?,
        };
        let length = channels[0].len();
        self.check_length(header, length, number)?;
        let start = self.rows.len();
        self.rows.resize(start + length * wanted, 0.0);
        for (channel, texts) in channels.into_iter().enumerate() {
            if texts.len() != length {
                let is_label = channel + 1 == wanted && texts.len() == 1 && header.target == Target::None;
                let cure = match is_label {
                    true => format!(
                        "; or, if `{}` is its class, say so before `@data` with a line `@classLabel true`",
                        shown(texts[0].trim())
                    ),
                    false => String::new(),
                };
                let message = format!(
                    "channel {} has {} steps, but channel 1 has {length}. Give all channels of a series the same number{cure}",
                    channel + 1,
                    texts.len()
                );
                return Err(self.error(number, &message));
            }
            for (step, text) in texts.into_iter().enumerate() {
                let value = match value::number(text.trim()) {
                    Err(Fault::Missing) if self.missing != Missing::Error => f32::NAN,
                    value => value.map_err(|fault| self.fault(fault, text, number, channel, step))?,
                };
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
            Fault::Missing => {
                "Remove the series or fill in the value, or say what becomes of missing values with `--missing`"
            }
            Fault::Infinite => "Remove the series or correct the value",
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
