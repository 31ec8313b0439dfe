//! What looks on while `gatenorm train` trains, and may act on it.

use std::path::PathBuf;
use std::time::SystemTime;

use clap::Args;
use gatenorm::train::{
    CsvLogger, EarlyStopping, Fit, ModelCheckpoint, ReduceLrOnPlateau, TensorBoard, TerminateOnNan, UpdateFreq,
};
use gatenorm::{Error, Result};

use super::options::{at_least_one, fraction, keep_apart};

/// What looks on while a model trains.
#[derive(Args)]
#[command(next_help_heading = "While it trains")]
pub struct CallbackFlags {
    /// Stop after so many epochs without an improvement of --monitor.
    #[arg(long, value_name = "EPOCHS", value_parser = at_least_one, allow_negative_numbers = true)]
    early_stopping: Option<usize>,
    /// Lower the learning rate after so many epochs without an improvement of --monitor.
    #[arg(long, value_name = "EPOCHS", value_parser = at_least_one, allow_negative_numbers = true)]
    reduce_lr_on_plateau: Option<usize>,
    /// What --reduce-lr-on-plateau multiplies the learning rate with [default: 0.1].
    #[arg(long, value_name = "SHARE", value_parser = fraction, requires = "reduce_lr_on_plateau", allow_negative_numbers = true)]
    reduce_factor: Option<f64>,
    /// Save the model here after each epoch with the best --monitor so far, as by --save-epochs.
    #[arg(long, value_name = "FILE.keras")]
    checkpoint_best: Option<PathBuf>,
    /// Save the model here after each epoch. The name may hold the epoch and its scores: `{epoch:02d}-{val_loss:.3f}.keras`.
    #[arg(long, value_name = "FILE.keras")]
    save_epochs: Option<PathBuf>,
    /// The score by which --early-stopping, --reduce-lr-on-plateau and --checkpoint-best judge, such as val_accuracy [default:
    /// val_loss, or loss where nothing is validated].
    #[arg(long, value_name = "SCORE")]
    monitor: Option<String>,
    /// Write the scores of each epoch into a CSV file.
    #[arg(long, value_name = "FILE.csv")]
    csv_log: Option<PathBuf>,
    /// Write the scores of each epoch and batch for TensorBoard, into this folder.
    #[arg(long, value_name = "FOLDER")]
    tensorboard: Option<PathBuf>,
    /// Where training diverges, stop and save the last good weights, instead of failing.
    #[arg(long)]
    terminate_on_nan: bool,
}

impl CallbackFlags {
    /// Refuses what clap cannot see; `inputs` are files that are read, `fixed` what sets the learning rate otherwise.
    pub fn check(&self, inputs: &[Option<&PathBuf>], fixed: Option<&str>) -> Result<()> {
        let judging = [self.early_stopping, self.reduce_lr_on_plateau].iter().any(Option::is_some);
        if self.monitor.is_some() && !judging && self.checkpoint_best.is_none() {
            return Err(Error::usage(
                "--monitor says by what --early-stopping, --reduce-lr-on-plateau or --checkpoint-best judge. Add one of them",
            ));
        }
        if let (Some(fixed), true) = (fixed, self.reduce_lr_on_plateau.is_some()) {
            return Err(Error::usage(format!(
                "--reduce-lr-on-plateau and {fixed} both set the learning rate. Leave one out"
            )));
        }
        let outputs = [
            ("--checkpoint-best", &self.checkpoint_best),
            ("--save-epochs", &self.save_epochs),
            ("--csv-log", &self.csv_log),
        ];
        for (flag, output) in outputs {
            output.as_ref().map_or(Ok(()), |output| keep_apart(flag, output, inputs))?;
        }
        Ok(())
    }

    /// Stops training early, where that was asked for.
    pub fn early_stopping(&self, validates: bool) -> Option<EarlyStopping> {
        Some(EarlyStopping::new().monitor(self.monitor(validates)).patience(self.early_stopping?))
    }

    /// All but [`CallbackFlags::early_stopping`]. `again`: when a run began that now begins anew.
    pub fn add<'a>(&self, mut fit: Fit<'a>, validates: bool, again: Option<SystemTime>) -> Fit<'a> {
        let monitor = self.monitor(validates);
        if let Some(patience) = self.reduce_lr_on_plateau {
            let reduce = ReduceLrOnPlateau::new().monitor(&monitor).patience(patience);
            fit = fit.callback(reduce.factor(self.reduce_factor.unwrap_or(0.1)));
        }
        if let Some(path) = &self.checkpoint_best {
            let checkpoint = ModelCheckpoint::new(path.display().to_string());
            fit = fit.callback(checkpoint.monitor(&monitor).save_best_only(true));
        }
        if let Some(path) = &self.save_epochs {
            fit = fit.callback(ModelCheckpoint::new(path.display().to_string()));
        }
        if let Some(path) = &self.csv_log {
            fit = fit.callback(CsvLogger::new(path));
        }
        if let Some(folder) = &self.tensorboard {
            let board = TensorBoard::new(folder).update_freq(UpdateFreq::Batch);
            fit = fit.callback(match again {
                Some(began) => board.instead_of(began),
                None => board,
            });
        }
        if self.terminate_on_nan {
            fit = fit.callback(TerminateOnNan::new());
        }
        fit
    }

    /// The score to judge by.
    pub fn monitor(&self, validates: bool) -> String {
        self.monitor.clone().unwrap_or(if validates { "val_loss" } else { "loss" }.to_owned())
    }
}
