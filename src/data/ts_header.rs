//! The header of a `.ts` file: lines of `@key value`, up to `@data`.

use super::{labels::sorted, lines::Lines, spelling::shown};
use crate::{Error, Result};
use std::path::Path;

/// What the header says. Keys may be written in any case; those that reading does not need are passed over.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Header {
    /// `@dimensions` (or `@dimension`), or 1 by `@univariate true`.
    pub channels: Option<usize>,
    pub equal_length: bool,
    /// Steps are written `(time,value)`.
    pub timestamps: bool,
    /// `@seriesLength`
    pub length: Option<usize>,
    pub target: Target,
}

/// What stands behind the last colon of a series.
#[derive(Debug, Default, PartialEq)]
pub(super) enum Target {
    /// Nothing.
    #[default]
    None,
    /// One of these classes, in the order in which they are numbered; none where the header does not list them.
    Classes(Vec<String>),
    /// A number.
    Number,
}

impl Header {
    /// Reads on to `@data`.
    pub fn read(path: &Path, lines: &mut Lines) -> Result<Header> {
        let mut header = Header::default();
        while lines.advance()? {
            let wrong = |message: String| Error::input(path, format!("line {}: {message}", lines.number));
            let Some(line) = lines.text().strip_prefix('@') else {
                return Err(wrong(format!(
                    "`{}` stands before `@data`. A .ts file begins with lines such as `@classLabel true 1 2`, then `@data`, then a series a line",
                    shown(lines.text())
                )));
            };
            let (key, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            if key.eq_ignore_ascii_case("data") {
                return Ok(header);
            }
            header.set(&key.to_lowercase(), value.trim()).map_err(|message| wrong(format!("`@{key}`: {message}")))?;
        }
        Err(Error::input(path, "there is no `@data` line. Put one before the first series"))
    }

    /// What stands between the colons of a line; those of times stand in brackets.
    pub fn parts<'t>(&self, line: &'t str) -> Vec<&'t str> {
        let mut inside = false;
        let separates = |c: char| {
            inside = (inside || c == '(') && c != ')';
            c == ':' && !(inside && self.timestamps)
        };
        line.split(separates).collect()
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "timestamps" => {
                self.timestamps = truth(value)?;
                Ok(())
            }
            "univariate" if truth(value)? => self.set_channels(1),
            "dimension" | "dimensions" => self.set_channels(count(value)?),
            "equallength" => {
                self.equal_length = truth(value)?;
                Ok(())
            }
            "serieslength" => {
                self.length = Some(count(value)?);
                Ok(())
            }
            "classlabel" => {
                let (is, names) = value.split_once(char::is_whitespace).unwrap_or((value, ""));
                let classes = || Target::Classes(sorted(names.split_whitespace()));
                if truth(is)? { self.set_target(classes()) } else { Ok(()) }
            }
            "targetlabel" if truth(value)? => self.set_target(Target::Number),
            _ => Ok(()),
        }
    }

    fn set_channels(&mut self, channels: usize) -> Result<(), String> {
        match self.channels.replace(channels) {
            Some(other) if other != channels => {
                Err(format!("says {channels} channels, but a line before it says {other}. Correct one of them"))
            }
            _ => Ok(()),
        }
    }

    fn set_target(&mut self, target: Target) -> Result<(), String> {
        if self.target != Target::None {
            return Err("`@classLabel` and `@targetLabel` cannot both be true. Correct one of them".into());
        }
        self.target = target;
        Ok(())
    }
}

fn truth(value: &str) -> Result<bool, String> {
    match value.to_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("`{}` is neither `true` nor `false`. Write one of them", shown(value))),
    }
}

fn count(value: &str) -> Result<usize, String> {
    match value.parse() {
        Ok(count) if count >= 1 => Ok(count),
        _ => Err(format!("`{}` is no whole number of at least 1. Correct it", shown(value))),
    }
}
