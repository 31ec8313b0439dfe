//! Scores for TensorBoard.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::super::history::Scores;
use super::events::{EventFile, Part, cut_back, first_made};
use super::{Batches, Callback, Training, state};
use crate::error::{Error, Result};

/// How often [`TensorBoard`] writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpdateFreq {
    /// After each epoch.
    #[default]
    Epoch,
    /// After each batch, too.
    Batch,
    /// After every so many batches, too.
    Batches(u64),
}

/// Writes scores for TensorBoard, under the names of Keras's `TensorBoard`: into `train`, for each epoch from 0, `epoch_loss`, metrics
/// and `epoch_learning_rate`, and, where asked for, `batch_loss` and metrics by batch; into `validation` the same of the
/// validation, and `evaluation_loss_vs_iterations`. Graphs, histograms and profiles are not written.
pub struct TensorBoard {
    log_dir: PathBuf,
    update_freq: UpdateFreq,
    batches: u64,
    train: Option<EventFile>,
    validation: Option<EventFile>,
    /// Files of this training before it was resumed.
    earlier: Files,
    /// Seconds since 1970: when a training began whose place this one takes.
    instead_of: Option<u64>,
}

/// What was written when a checkpoint was.
#[derive(Serialize, Deserialize)]
struct Written {
    batches: u64,
    #[serde(flatten)]
    files: Files,
}

/// The files of a training.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Files {
    train: Vec<Part>,
    validation: Vec<Part>,
}

impl TensorBoard {
    /// Writes into this folder, which is made where it is missing. Each training should have one of its own.
    pub fn new(log_dir: impl Into<PathBuf>) -> Self {
        let log_dir = log_dir.into();
        let update_freq = UpdateFreq::Epoch;
        let earlier = Files::default();
        TensorBoard { log_dir, update_freq, batches: 0, train: None, validation: None, earlier, instead_of: None }
    }

    /// Takes the place of a training that began then and ended before its first checkpoint: what was written into the folder since is
    /// removed, unless training is resumed.
    pub fn instead_of(self, began: SystemTime) -> Self {
        let since = began.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        TensorBoard { instead_of: Some(since), ..self }
    }

    /// How often it writes.
    pub fn update_freq(self, update_freq: UpdateFreq) -> Self {
        TensorBoard { update_freq, ..self }
    }
}

impl Callback for TensorBoard {
    fn batches(&self) -> Batches {
        if self.update_freq == UpdateFreq::Epoch { Batches::None } else { Batches::Bunched }
    }

    fn on_train_begin(&mut self, _: &mut Training<'_>) -> Result<()> {
        if self.update_freq == UpdateFreq::Batches(0) {
            return Err(Error::usage("TensorBoard: update_freq must be at least 1 batch"));
        }
        (self.batches, self.earlier) = (0, Files::default());
        if let Some(since) = self.instead_of.take() {
            cut_back(&self.log_dir.join("train"), &[], since)?;
            cut_back(&self.log_dir.join("validation"), &[], since)?;
        }
        (self.train, self.validation) = (Some(EventFile::create(&self.log_dir.join("train"))?), None);
        Ok(())
    }

    fn state(&mut self) -> Result<String> {
        let mut files = self.earlier.clone();
        files.train.extend(self.train.as_ref().map(EventFile::part));
        files.validation.extend(self.validation.as_ref().map(EventFile::part));
        state::write(&Written { batches: self.batches, files })
    }

    /// Goes on in files of its own, as Keras does, and takes out of the earlier ones what was written after the checkpoint, which comes again.
    fn on_train_resume(&mut self, state: &str, training: &mut Training<'_>) -> Result<()> {
        let Written { batches, files } = state::read("TensorBoard", state)?;
        self.instead_of = None;
        if let Some(since) = first_made(&files.train) {
            cut_back(&self.log_dir.join("train"), &files.train, since)?;
            cut_back(&self.log_dir.join("validation"), &files.validation, since)?;
        }
        self.on_train_begin(training)?;
        (self.batches, self.earlier) = (batches, files);
        Ok(())
    }

    fn on_batch_end(&mut self, _: usize, logs: &Scores, _: &mut Training<'_>) -> Result<()> {
        self.batches += 1;
        let every = if let UpdateFreq::Batches(every) = self.update_freq { every } else { 1 };
        match &mut self.train {
            Some(file) if self.batches.is_multiple_of(every) => write(file, self.batches, "batch_", "", &logs.0),
            _ => Ok(()),
        }
    }

    fn on_epoch_end(&mut self, epoch: usize, logs: &mut Scores, training: &mut Training<'_>) -> Result<()> {
        let mut shown = logs.clone();
        shown.set("learning_rate", training.model.learning_rate());
        let (validation, train): (Vec<_>, Vec<_>) = shown.0.into_iter().partition(|(name, _)| name.starts_with("val_"));
        if let Some(file) = &mut self.train {
            write(file, epoch as u64, "epoch_", "", &train)?;
        }
        if validation.is_empty() {
            return Ok(());
        }
        let validation: Vec<_> = validation.into_iter().map(|(name, v)| (name["val_".len()..].to_owned(), v)).collect();
        let file = match &mut self.validation {
            Some(file) => file,
            none => none.insert(EventFile::create(&self.log_dir.join("validation"))?),
        };
        let updates = training.model.optimizer().updates(training.model.iterations());
        write(file, updates, "evaluation_", "_vs_iterations", &validation)?;
        write(file, epoch as u64, "epoch_", "", &validation)
    }

    fn on_train_end(&mut self, _: &Scores, _: &mut Training<'_>) -> Result<()> {
        (self.train, self.validation) = (None, None);
        Ok(())
    }
}

fn write(file: &mut EventFile, step: u64, before: &str, after: &str, scores: &[(String, f64)]) -> Result<()> {
    let tags: Vec<String> = scores.iter().map(|(name, _)| format!("{before}{name}{after}")).collect();
    file.scalars(step, tags.iter().map(String::as_str).zip(scores.iter().map(|(_, value)| *value)))
}

#[cfg(test)]
mod tests {
    use super::super::events::tests::{Field, fields, records};
    use super::super::tests::{model, scores, training};
    use super::*;
    use std::path::Path;

    fn bytes(fields: &[Field], number: u64) -> Vec<u8> {
        let of = fields.iter().find_map(|f| match f {
            Field::Bytes(n, bytes) if *n == number => Some(bytes.clone()),
            _ => None,
        });
        of.unwrap_or_else(|| panic!("no field {number} in {fields:?}"))
    }

    /// Step, tag and value of every scalar in the only event file of a folder.
    fn scalars(folder: &Path) -> Vec<(u64, String, f32)> {
        let mut names = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
        let (name, none) = (names.next().unwrap(), names.next());
        assert!(name.to_str().unwrap().contains("events.out.tfevents.") && none.is_none());
        scalars_of(&name)
    }

    fn scalars_of(file: &Path) -> Vec<(u64, String, f32)> {
        let records = records(&std::fs::read(file).unwrap());
        assert_eq!(bytes(&fields(&records[0]), 3), b"brain.Event:2");
        let mut found = Vec::new();
        for event in records[1..].iter().map(|r| fields(r)) {
            let step = event.iter().find_map(|f| if let Field::Number(2, step) = f { Some(*step) } else { None });
            for value in fields(&bytes(&event, 5)) {
                let Field::Bytes(1, value) = value else { panic!("{value:?}") };
                let value = fields(&value);
                assert_eq!(bytes(&fields(&bytes(&fields(&bytes(&value, 9)), 1)), 1), b"scalars");
                let number: [u8; 4] = bytes(&fields(&bytes(&value, 8)), 5).try_into().unwrap();
                let tag = String::from_utf8(bytes(&value, 1)).unwrap();
                found.push((step.unwrap(), tag, f32::from_le_bytes(number)));
            }
        }
        found
    }

    #[test]
    fn scalars_have_kerass_names_and_steps() {
        let folder = tempfile::tempdir().unwrap();
        let (mut model, mut board) = (model(), TensorBoard::new(folder.path()).update_freq(UpdateFreq::Batches(2)));
        let mut training = training(&mut model, 2);
        board.on_train_begin(&mut training).unwrap();
        for epoch in 0..2 {
            for batch in 0..3 {
                let loss = (10 * epoch + batch) as f64;
                board.on_batch_end(batch, &scores(&[("loss", loss)]), &mut training).unwrap();
            }
            let mut logs = scores(&[("loss", 0.5), ("mae", 300.0)]);
            if epoch == 1 {
                logs.set("val_loss", 0.75);
            }
            board.on_epoch_end(epoch, &mut logs, &mut training).unwrap();
            assert_eq!(logs.get("learning_rate"), None, "others do not see it");
        }
        board.on_train_end(&Scores::default(), &mut training).unwrap();
        let named = |step, tag: &str, value| (step, tag.to_owned(), value);
        let epoch = |step| {
            [("loss", 0.5), ("mae", 300.0), ("learning_rate", 0.5)].map(|(n, v)| named(step, &format!("epoch_{n}"), v))
        };
        let (first, second) = (epoch(0), epoch(1));
        let batches = [(2, 1.0), (4, 10.0), (6, 12.0)].map(|(step, loss)| named(step, "batch_loss", loss));
        let expected = [&batches[..1], &first, &batches[1..], &second].concat();
        assert_eq!(scalars(&folder.path().join("train")), expected);
        let validation = [named(0, "evaluation_loss_vs_iterations", 0.75), named(1, "epoch_loss", 0.75)];
        assert_eq!(scalars(&folder.path().join("validation")), validation);
    }

    /// Every epoch and batch of a training of two epochs of two batches, from one of them on, until `last` batches are done.
    fn write_from(board: &mut TensorBoard, training: &mut Training<'_>, first: usize, last: usize) {
        for batch in first..last {
            board.on_batch_end(batch % 2, &scores(&[("loss", batch as f64)]), training).unwrap();
            if batch % 2 == 1 {
                let mut logs = scores(&[("loss", 0.5), ("val_loss", 0.75)]);
                board.on_epoch_end(batch / 2, &mut logs, training).unwrap();
            }
        }
    }

    #[test]
    fn a_training_that_died_twice_leaves_each_score_once() {
        let folder = tempfile::tempdir().unwrap();
        let others = folder.path().join("validation/events.out.tfevents.1.another.2.v2");
        std::fs::create_dir(folder.path().join("validation")).unwrap();
        std::fs::write(&others, "not ours").unwrap();
        let mut model = model();
        let mut training = training(&mut model, 2);
        let new = || TensorBoard::new(folder.path()).update_freq(UpdateFreq::Batch);

        let mut board = new();
        board.on_train_begin(&mut training).unwrap();
        write_from(&mut board, &mut training, 0, 1);
        let checkpoint = board.state().unwrap();
        write_from(&mut board, &mut training, 1, 3);
        // The validation has files since the checkpoint only; of the second attempt nothing is left.
        for last in [3, 4] {
            board = new();
            board.on_train_resume(&checkpoint, &mut training).unwrap();
            write_from(&mut board, &mut training, 1, last);
        }
        let all = |kind: &str| std::fs::read_dir(folder.path().join(kind)).unwrap().count();
        let of = |kind: &str| {
            let files = std::fs::read_dir(folder.path().join(kind)).unwrap().map(|entry| entry.unwrap().path());
            let ours = files.filter(|path| *path != others).flat_map(|path| scalars_of(&path));
            let mut found: Vec<(String, u64)> = ours.map(|(step, tag, _)| (tag, step)).collect();
            found.sort();
            found
        };
        let named =
            |tag: &str, steps: std::ops::Range<u64>| steps.map(|step| (tag.to_owned(), step)).collect::<Vec<_>>();
        let train = [named("batch_loss", 1..5), named("epoch_learning_rate", 0..2), named("epoch_loss", 0..2)].concat();
        assert_eq!(of("train"), train);
        assert_eq!(of("validation").iter().filter(|(tag, _)| tag == "epoch_loss").count(), 2);
        assert_eq!(std::fs::read_to_string(&others).unwrap(), "not ours");
        assert_eq!(all("train"), 2);
        // One that began anew, since there was no checkpoint.
        let mut board = new().instead_of(UNIX_EPOCH + std::time::Duration::from_secs(2));
        board.on_train_begin(&mut training).unwrap();
        assert_eq!((all("train"), all("validation")), (1, 1), "its own, and that of others");
    }
}
