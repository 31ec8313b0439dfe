//! Saving a run as it goes, so that it can go on where it was.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::checkpoint::Snapshot;
use super::model::Model;
use super::run_state::{BestEpoch, RunState};
use crate::error::{Error, Result};
use crate::exec::Device;
use crate::formats::atomic;

/// Where and how often [`Model::fit`] saves all that it needs to go on to the same bits: Keras's `BackupAndRestore`, with the state of
/// callbacks, of the best epoch and of the epoch that is under way.
///
/// The folder gets `last.keras`, a model file like any other with the run's state beside, and with
/// [`Fit::keep_best`](super::Fit::keep_best) a hidden file with the best epoch's model. To go on, [load](Model::load) `last.keras`, and call `fit` with
/// [`Fit::resume`](super::Fit::resume) and the same data and arguments.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    folder: PathBuf,
    epochs: usize,
    every: Option<Duration>,
}

impl Checkpoints {
    /// The file of a run's state.
    pub const LAST: &'static str = "last.keras";

    /// After every epoch, into this folder, which is made where it is not there.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Checkpoints { folder: folder.into(), epochs: 1, every: None }
    }

    /// After every so manieth epoch, and the last.
    pub fn every_epochs(self, epochs: usize) -> Self {
        Checkpoints { epochs, ..self }
    }

    /// And within an epoch, so long after the last time.
    pub fn every(self, time: Duration) -> Self {
        Checkpoints { every: Some(time), ..self }
    }

    /// Finds out whether it can be written, before training.
    pub(super) fn begin(self) -> Result<Saver> {
        if self.epochs == 0 {
            return Err(Error::usage("checkpoints after every 0 epochs: give at least 1"));
        }
        std::fs::create_dir_all(&self.folder).map_err(|e| Error::io(&self.folder, "make the folder", e))?;
        atomic::check(&self.folder.join(Self::LAST))?;
        atomic::sweep(&self.folder);
        Ok(Saver { checkpoints: self, since: Instant::now(), best: None })
    }
}

/// Begins the names of files that come and go with the best epoch; nobody else has such files.
const BEST: &str = ".gatenorm-best-";

/// Saves a run, some time.
pub(super) struct Saver {
    checkpoints: Checkpoints,
    since: Instant,
    best: Option<BestEpoch>,
}

impl Saver {
    /// Whether it is time to save, within an epoch.
    pub fn is_due(&self) -> bool {
        self.checkpoints.every.is_some_and(|every| self.since.elapsed() >= every)
    }

    /// Whether to save after an epoch, from 0.
    pub fn is_due_after(&self, epoch: usize) -> bool {
        (epoch + 1).is_multiple_of(self.checkpoints.epochs)
    }

    /// Goes on with the best epoch of an earlier process: its model, as [`Model::snapshot`] gives it.
    pub fn take_best(&mut self, best: &BestEpoch) -> Result<Snapshot> {
        let snapshot = Model::load(self.checkpoints.folder.join(&best.file), Device::CpuReference)?.snapshot()?;
        self.best = Some(best.clone());
        Ok(snapshot)
    }

    /// Saves the model as that of the best epoch so far, before any state that speaks of it.
    pub fn save_best(&mut self, model: &mut Model, loss: f64, epoch: usize) -> Result<()> {
        let file = format!("{BEST}{epoch}.keras");
        model.save(self.checkpoints.folder.join(&file))?;
        self.best = Some(BestEpoch { loss: loss.to_bits(), epoch, file });
        Ok(())
    }

    /// Saves the model with this state.
    pub fn save(&mut self, model: &mut Model, mut state: RunState) -> Result<()> {
        model.add_to_state(&mut state)?;
        state.best.clone_from(&self.best);
        let kept = state.best.as_ref().map(|best| best.file.clone());
        model.run_state = Some(state);
        let saved = model.save(self.checkpoints.folder.join(Checkpoints::LAST));
        model.run_state = None;
        saved?;
        self.since = Instant::now();
        self.forget_other_bests(kept.as_deref());
        Ok(())
    }

    /// Removes models of epochs that are the best no more. One that stays does no harm.
    fn forget_other_bests(&self, kept: Option<&str>) {
        let Ok(entries) = std::fs::read_dir(&self.checkpoints.folder) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let number = name.strip_prefix(BEST).and_then(|rest| rest.strip_suffix(".keras"));
            if number.is_some_and(|n| n.parse::<usize>().is_ok()) && Some(name.as_str()) != kept {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}
