//! The folder of a run: what was asked for, where it ran, what came of it, and what it needs to go on.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use gatenorm::exec::Device;
use gatenorm::formats::atomic;
use gatenorm::train::{Checkpoints, CsvLogger, Fit, JsonLogger, ModelCheckpoint};
use gatenorm::{Error, Result};
use serde_json::json;
use toml::Table;

use super::options::{above_zero, at_least_one};
use super::run_config::{self, Kept};

/// A run that survives.
#[derive(Args)]
#[command(next_help_heading = "A run that survives")]
pub struct RunFlags {
    /// A folder for the run: its options (run.toml), environment, history (CSV and JSON lines), the last and the best model, and all that it needs to go
    /// on with --resume to the same bits, whatever ends it.
    #[arg(long, value_name = "FOLDER", conflicts_with = "resume")]
    pub checkpoint: Option<PathBuf>,
    /// Save it after every so many epochs [default: 1].
    #[arg(long, value_name = "EPOCHS", value_parser = at_least_one, allow_negative_numbers = true)]
    checkpoint_every: Option<usize>,
    /// And within an epoch, so many minutes after the last time [default: 10].
    #[arg(long, value_name = "MINUTES", value_parser = above_zero, allow_negative_numbers = true)]
    checkpoint_minutes: Option<f64>,
    /// Go on with the run in this folder: nothing else needs to be said.
    #[arg(long, value_name = "FOLDER")]
    pub resume: Option<PathBuf>,
    /// Take the options from this file, a run's run.toml or one of your own: `option = value` for each. What is typed goes before it.
    #[arg(long, value_name = "FILE.toml", conflicts_with = "resume")]
    pub config: Option<PathBuf>,
}

impl RunFlags {
    /// The folder of the run, where it has one.
    pub fn folder(&self) -> Option<&Path> {
        self.checkpoint.as_deref().or(self.resume.as_deref())
    }

    /// The file to go on from, where there is one: a run may have been ended before its first checkpoint.
    pub fn last(&self) -> Option<PathBuf> {
        self.resume.as_ref().map(|folder| folder.join(Checkpoints::LAST)).filter(|last| last.exists())
    }

    /// When a run began that begins anew, since it was ended before its first checkpoint.
    pub fn begins_again(&self) -> Option<SystemTime> {
        let options = self.resume.as_ref().filter(|_| self.last().is_none())?.join(run_config::TRAIN.file);
        options.metadata().and_then(|file| file.modified()).ok()
    }

    /// Makes the folder of a new run, or finds that of an old one.
    pub fn begin(&self, options: &Table, device: &Device) -> Result<()> {
        if self.folder().is_none() && (self.checkpoint_every.is_some() || self.checkpoint_minutes.is_some()) {
            return Err(Error::usage(
                "--checkpoint-every and --checkpoint-minutes say how often a run is saved. Give it a folder with --checkpoint",
            ));
        }
        let Some(folder) = &self.checkpoint else { return Ok(()) };
        begin("--checkpoint", folder, &run_config::TRAIN, options, device)
    }

    /// Keeps the run in its folder as it goes.
    pub fn add<'a>(&self, fit: Fit<'a>, monitor: &str) -> Fit<'a> {
        let Some(folder) = self.folder() else { return fit };
        let every = Duration::from_secs_f64(60.0 * self.checkpoint_minutes.unwrap_or(10.0));
        let checkpoints = Checkpoints::new(folder).every_epochs(self.checkpoint_every.unwrap_or(1)).every(every);
        let best = ModelCheckpoint::new(folder.join("best.keras").display().to_string());
        fit.checkpoints(checkpoints)
            .callback(CsvLogger::new(folder.join("history.csv")))
            .callback(JsonLogger::new(folder.join("history.jsonl")))
            .callback(best.monitor(monitor).save_best_only(true))
    }
}

/// Makes the folder of a new run, and keeps in it the options of its command and where it began.
///
/// Errors: a folder that has a run already, or that cannot be made.
pub fn begin(flag: &str, folder: &Path, kept: &Kept, options: &Table, device: &Device) -> Result<()> {
    let file = folder.join(kept.file);
    if file.exists() {
        return Err(Error::usage(format!(
            "{flag} {0}: there is a run in this folder already. Go on with it (gatenorm {1} --resume {0}), or name another folder",
            super::report::typed(folder),
            kept.command
        )));
    }
    std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, "make the folder", e))?;
    write(&folder.join("environment.json"), &environment(device))?;
    // Last, since it is what makes the folder a run's.
    write(&file, &options.to_string())
}

fn write(path: &Path, text: &str) -> Result<()> {
    atomic::write_file(path, |file| writeln!(file, "{}", text.trim_end()))
}

/// Where and when, as JSON.
fn environment(device: &Device) -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let words: Vec<String> = std::env::args().collect();
    let value = json!({
        "gatenorm": env!("CARGO_PKG_VERSION"),
        "command": words,
        "folder": std::env::current_dir().ok(),
        "device": device.to_string(),
        "system": std::env::consts::OS,
        "processor": std::env::consts::ARCH,
        "threads": std::thread::available_parallelism().map_or(1, |n| n.get()),
        "began": seconds,
    });
    format!("{value:#}")
}
