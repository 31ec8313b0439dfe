//! The folder of a search.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::trial::Trial;
use crate::error::{Error, Result};
use crate::formats::atomic;
use crate::train::Checkpoints;

/// Where a search keeps what it has done: `search.json` (what is searched, and in which data), `trials.jsonl` (a line for each rung that a
/// trial came to the end of, and for one that was cut off), `best.keras`, and in `trials/NUMBER` each trial's best model and what it
/// needs to go on.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The file with the best model so far.
    pub const BEST: &'static str = "best.keras";
    /// The file with what came of trials.
    pub const TRIALS: &'static str = "trials.jsonl";
    const SEARCH: &'static str = "search.json";

    /// A new folder, or that of the same search, with what it has done so far.
    ///
    /// Errors: a folder that cannot be made, that holds another search, or whose files are not whole.
    pub(super) fn open(path: &Path, search: &Value) -> Result<(Folder, Vec<Trial>)> {
        let folder = Folder { path: path.to_owned() };
        fs::create_dir_all(path).map_err(|e| Error::io(path, "make the folder", e))?;
        atomic::sweep(path);
        let file = path.join(Self::SEARCH);
        if !file.exists() {
            atomic::write_file(&file, |file| writeln!(file, "{search:#}"))?;
            return Ok((folder, Vec::new()));
        }
        let same = serde_json::from_str::<Value>(&read(&file)?).is_ok_and(|earlier| earlier == *search);
        if !same {
            let why = "the search in this folder is another one, or its data have changed. Begin a new search in another folder";
            return Err(Error::input(&file, why));
        }
        let trials = folder.read()?;
        Ok((folder, trials))
    }

    fn read(&self) -> Result<Vec<Trial>> {
        let file = self.path.join(Self::TRIALS);
        if !file.exists() {
            return Ok(Vec::new());
        }
        let trial = |(i, line): (usize, &str)| {
            serde_json::from_str(line).map_err(|e| Error::input(&file, format!("line {} is not a trial's: {e}", i + 1)))
        };
        read(&file)?.lines().enumerate().map(trial).collect()
    }

    /// Writes all that is known of trials.
    pub(super) fn write(&self, trials: &[Trial]) -> Result<()> {
        let lines = trials.iter().map(serde_json::to_string).collect::<serde_json::Result<Vec<_>>>();
        let lines = lines.map_err(|e| Error::usage(format!("a trial cannot be written: {e}")))?;
        atomic::write_file(&self.path.join(Self::TRIALS), |file| {
            lines.iter().try_for_each(|line| writeln!(file, "{line}"))
        })
    }

    /// The folder of a trial.
    pub(super) fn of_trial(&self, trial: usize) -> PathBuf {
        self.path.join("trials").join(trial.to_string())
    }

    /// A trial's best model.
    pub(super) fn best_of(&self, trial: usize) -> PathBuf {
        self.of_trial(trial).join(Self::BEST)
    }

    /// Keeps a trial's best model as the search's.
    pub(super) fn keep(&self, trial: usize) -> Result<()> {
        let from = self.best_of(trial);
        let mut model = fs::File::open(&from).map_err(|e| Error::io(&from, "read", e))?;
        atomic::write_file(&self.path.join(Self::BEST), |file| io::copy(&mut model, file).map(|_| ()))
    }

    /// Removes what trials needed to go on. What stays does no harm.
    pub(super) fn end(&self, trials: &[Trial]) {
        for trial in trials {
            let _ = fs::remove_file(self.of_trial(trial.trial).join(Checkpoints::LAST));
        }
    }
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).map_err(|e| Error::io(file, "read", e))
}
