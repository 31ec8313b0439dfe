//! An epoch's scores as lines of JSON.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use super::super::history::Scores;
use super::{Callback, Training, state};
use crate::error::{Error, Result};

/// Writes a line of JSON for each epoch: `{"epoch":1,"loss":0.5,...}`, epochs from 1; what is not finite is null.
pub struct JsonLogger {
    filename: PathBuf,
    open: Option<File>,
}

impl JsonLogger {
    /// Writes into this file, which is begun anew.
    pub fn new(filename: impl Into<PathBuf>) -> Self {
        JsonLogger { filename: filename.into(), open: None }
    }

    fn unwritten(&self, error: std::io::Error) -> Error {
        Error::io(&self.filename, "write", error)
    }

    /// Opens the file and keeps so many bytes of it.
    fn open(&mut self, kept: u64) -> Result<()> {
        let open = OpenOptions::new().append(true).create(true).open(&self.filename);
        let file = open.map_err(|e| self.unwritten(e))?;
        let there = file.metadata().map_err(|e| self.unwritten(e))?.len();
        file.set_len(there.min(kept)).map_err(|e| self.unwritten(e))?;
        self.open = Some(file);
        Ok(())
    }
}

impl Callback for JsonLogger {
    fn on_train_begin(&mut self, _: &mut Training<'_>) -> Result<()> {
        self.open(0)
    }

    fn state(&mut self) -> Result<String> {
        let length = self.open.as_ref().map_or(Ok(0), |file| file.metadata().map(|data| data.len()));
        state::write(&length.map_err(|e| self.unwritten(e))?)
    }

    fn on_train_resume(&mut self, state: &str, _: &mut Training<'_>) -> Result<()> {
        self.open(state::read("JsonLogger", state)?)
    }

    fn on_epoch_end(&mut self, epoch: usize, logs: &mut Scores, _: &mut Training<'_>) -> Result<()> {
        let mut line = serde_json::Map::new();
        line.insert("epoch".into(), (epoch + 1).into());
        line.extend(serde_json::Map::from(logs.clone()));
        let line = serde_json::Value::Object(line).to_string() + "\n";
        let written = self.open.as_mut().map_or(Ok(()), |file| file.write_all(line.as_bytes()));
        written.map_err(|e| self.unwritten(e))
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

    #[test]
    fn each_epoch_is_a_line_and_a_resumed_training_drops_those_after_its_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let (mut model, mut logger) = (model(), JsonLogger::new(&path));
        let mut training = training(&mut model, 3);
        logger.on_train_begin(&mut training).unwrap();
        logger.on_epoch_end(0, &mut scores(&[("loss", 0.5), ("val_loss", f64::NAN)]), &mut training).unwrap();
        let kept = logger.state().unwrap();
        logger.on_epoch_end(1, &mut scores(&[("loss", 9.0)]), &mut training).unwrap();
        let mut later = JsonLogger::new(&path);
        later.on_train_resume(&kept, &mut training).unwrap();
        later.on_epoch_end(1, &mut scores(&[("loss", 0.25)]), &mut training).unwrap();
        let lines = "{\"epoch\":1,\"loss\":0.5,\"val_loss\":null}\n{\"epoch\":2,\"loss\":0.25}\n";
        assert_eq!(std::fs::read_to_string(&path).unwrap(), lines);
    }
}
