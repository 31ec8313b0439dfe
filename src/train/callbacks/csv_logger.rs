//! An epoch's scores as lines of CSV.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::history::Scores;
use super::{Callback, Training, state};
use crate::error::{Error, Result};

/// Writes a line of CSV after each epoch: Keras's `CSVLogger`, whose files it writes: `epoch`, counted from 0, then the scores by
/// name; `NA` where an epoch lacks one.
pub struct CsvLogger {
    filename: PathBuf,
    separator: char,
    append: bool,
    open: Option<Open>,
}

/// The file while training goes on.
struct Open {
    writer: csv::Writer<File>,
    /// Whether the line of names must be written yet.
    header: bool,
    /// Names of columns, once an epoch has given them.
    names: Vec<String>,
}

impl CsvLogger {
    /// Columns are separated by commas; a file that is there is overwritten.
    pub fn new(filename: impl Into<PathBuf>) -> Self {
        CsvLogger { filename: filename.into(), separator: ',', append: false, open: None }
    }

    /// What separates the columns, a character of ASCII.
    pub fn separator(self, separator: char) -> Self {
        CsvLogger { separator, ..self }
    }

    /// Whether lines are added to a file that is there, to go on with training.
    pub fn append(self, append: bool) -> Self {
        CsvLogger { append, ..self }
    }
}

/// Names in order; those of a validation may come in a later epoch, so they have their place from the first.
fn columns(logs: &Scores) -> Vec<String> {
    let mut names: Vec<String> = logs.0.iter().map(|(name, _)| name.clone()).collect();
    names.sort();
    if !names.iter().any(|name| name.starts_with("val_")) {
        let validation: Vec<String> = names.iter().map(|name| format!("val_{name}")).collect();
        names.extend(validation);
    }
    names
}

/// A number as Python writes it, nearly.
fn figure(value: f64) -> String {
    if value.is_nan() { "nan".to_owned() } else { format!("{value:?}") }
}

fn unwritten(path: &Path, error: impl Into<std::io::Error>) -> Error {
    Error::io(path, "write", error.into())
}

/// How much of the file was written when a checkpoint was, and its columns.
#[derive(Default, Serialize, Deserialize)]
struct Written {
    bytes: u64,
    names: Vec<String>,
}

impl CsvLogger {
    /// Opens the file, to go on behind what was written of it before.
    fn open(&mut self, written: Option<Written>) -> Result<()> {
        let path = &self.filename;
        let delimiter = u8::try_from(self.separator).ok().filter(|c| c.is_ascii() && !b"\"\r\n".contains(c));
        let delimiter = delimiter.ok_or_else(|| {
            Error::usage(format!("CsvLogger: {:?} cannot separate columns; take `,`, `;` or a tab", self.separator))
        })?;
        let mut options = OpenOptions::new();
        let options = match (&written, self.append) {
            (None, false) => options.write(true).truncate(true),
            _ => options.append(true),
        };
        let file = options.create(true).open(path).map_err(|e| unwritten(path, e))?;
        if let Some(written) = &written {
            // Lines of epochs that are done again.
            let there = file.metadata().map_err(|e| unwritten(path, e))?.len();
            file.set_len(there.min(written.bytes)).map_err(|e| unwritten(path, e))?;
        }
        let header = file.metadata().map_err(|e| unwritten(path, e))?.len() == 0;
        let mut builder = csv::WriterBuilder::new();
        // As Python's csv writes them.
        let builder = builder.delimiter(delimiter).terminator(csv::Terminator::CRLF);
        let names = written.map(|written| written.names).unwrap_or_default();
        self.open = Some(Open { writer: builder.from_writer(file), header, names });
        Ok(())
    }
}

impl Callback for CsvLogger {
    fn on_train_begin(&mut self, _: &mut Training<'_>) -> Result<()> {
        self.open(None)
    }

    fn state(&mut self) -> Result<String> {
        let Some(open) = &self.open else { return state::write(&Written::default()) };
        let length = open.writer.get_ref().metadata().map_err(|e| unwritten(&self.filename, e))?.len();
        state::write(&Written { bytes: length, names: open.names.clone() })
    }

    fn on_train_resume(&mut self, state: &str, _: &mut Training<'_>) -> Result<()> {
        self.open(Some(state::read("CsvLogger", state)?))
    }

    fn on_epoch_end(&mut self, epoch: usize, logs: &mut Scores, _: &mut Training<'_>) -> Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let written = |result: csv::Result<()>| result.map_err(|e| unwritten(&self.filename, e));
        if open.names.is_empty() {
            open.names = columns(logs);
            if open.header {
                written(
                    open.writer.write_record(std::iter::once("epoch").chain(open.names.iter().map(String::as_str))),
                )?;
            }
        }
        let figures = open.names.iter().map(|name| logs.get(name).map_or("NA".to_owned(), figure));
        written(open.writer.write_record(std::iter::once(epoch.to_string()).chain(figures)))?;
        written(open.writer.flush().map_err(csv::Error::from))
    }

    fn on_train_end(&mut self, _: &Scores, _: &mut Training<'_>) -> Result<()> {
        self.open = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{model, scores, training};
    use super::*;

    /// Logs epochs from `first` on.
    fn log(logger: &mut CsvLogger, first: usize, epochs: &[&[(&str, f64)]]) -> Result<()> {
        let mut model = model();
        let mut training = training(&mut model, epochs.len());
        logger.on_train_begin(&mut training)?;
        for (epoch, named) in epochs.iter().enumerate() {
            logger.on_epoch_end(first + epoch, &mut scores(named), &mut training)?;
        }
        logger.on_train_end(&Scores::default(), &mut training)
    }

    #[test]
    fn lines_are_kerass() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.csv");
        let read = || std::fs::read_to_string(&path).unwrap();
        let first: &[(&str, f64)] = &[("loss", 0.5), ("accuracy", 0.25), ("val_loss", 1.0), ("learning_rate", 1e-7)];
        let second: &[(&str, f64)] = &[("loss", f64::NAN), ("accuracy", 0.75), ("other", 1.0)];
        log(&mut CsvLogger::new(&path), 0, &[first, second]).unwrap();
        let lines =
            "epoch,accuracy,learning_rate,loss,val_loss\r\n0,0.25,1e-7,0.5,1.0\r\n1,0.75,NA,nan,NA\r\n".to_owned();
        assert_eq!(read(), lines);
        // Further training, as of an epoch 2, goes below.
        log(&mut CsvLogger::new(&path).append(true), 2, &[first]).unwrap();
        assert_eq!(read(), lines + "2,0.25,1e-7,0.5,1.0\r\n");
        // Without a validation so far, it may come yet.
        log(&mut CsvLogger::new(&path).separator(';'), 0, &[&[("loss", 0.5)], &[("loss", 2.0), ("val_loss", 3.0)]])
            .unwrap();
        assert_eq!(read(), "epoch;loss;val_loss\r\n0;0.5;NA\r\n1;2.0;3.0\r\n");
        std::fs::remove_file(&path).unwrap();
        log(&mut CsvLogger::new(&path).append(true), 0, &[&[("loss", 0.5)]]).unwrap();
        assert_eq!(read(), "epoch,loss,val_loss\r\n0,0.5,NA\r\n");
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let wrong = log(&mut CsvLogger::new(folder.path().join("a.csv")).separator('→'), 0, &[]).unwrap_err();
        assert!(wrong.to_string().contains("cannot separate columns"), "{wrong}");
        let gone = log(&mut CsvLogger::new(folder.path().join("no/a.csv")), 0, &[]).unwrap_err();
        assert!(gone.to_string().contains("a.csv: cannot write"), "{gone}");
    }
}
