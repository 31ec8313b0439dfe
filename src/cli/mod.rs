//! The commands: each turns its options into a library call and reports what came of it.
//!
//! Results go to stdout, talk and progress to stderr. `--json` puts exactly one JSON object on stdout.

mod ablate;
mod ablate_tables;
mod anomalies;
mod answers;
mod bn_statistics;
mod callbacks;
mod class_weight;
mod convert;
mod course;
mod demo;
mod devices;
mod evaluate;
mod forecasts;
mod head;
mod held_out;
mod inspect;
mod interrupt;
mod labels;
mod memory;
mod model_and_data;
mod model_file;
mod new_model;
mod optimizer;
mod options;
mod page;
mod predict;
mod predict_stream;
mod predictions;
mod profile;
mod progress;
mod reading;
pub mod report;
mod run_config;
mod run_folder;
mod schedule;
mod shell;
mod summary;
mod table;
mod train;
mod tune;
mod tune_again;
mod tune_course;
mod tune_kernels;
mod tune_progress;
mod tune_space;
mod tune_tables;
mod verify;

use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

/// Trains LSTM networks with batch normalisation on any GPU, or on the CPU. Models are Keras's own .keras files.
#[derive(Parser)]
#[command(
    version,
    arg_required_else_help = true,
    after_help = "Exit status: 0 done, 1 a run or a verification failed, 2 wrong use or input.\n\n\
                  First steps:\n  gatenorm demo\n  gatenorm inspect room.csv\n  \
                  gatenorm train room.csv --target Occupancy --window 10 --out room.keras\n  \
                  gatenorm evaluate room.keras other.csv\n  \
                  gatenorm predict room.keras new.csv"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Train(Box<train::Train>),
    Tune(Box<tune::Tune>),
    Ablate(ablate::Ablate),
    Evaluate(evaluate::Evaluate),
    Inspect(inspect::Inspect),
    Predict(predict::Predict),
    Summary(summary::Summary),
    Convert(convert::Convert),
    Devices(devices::Devices),
    Demo(demo::Demo),
    Verify(verify::Verify),
    TuneKernels(tune_kernels::TuneKernels),
    Completions(shell::Completions),
    Manual(shell::Manual),
}

impl Cli {
    /// Understands a command line, and the file of options that it may name.
    pub fn parse_from_line(args: Vec<OsString>) -> anyhow::Result<Self> {
        let matches = Self::command().try_get_matches_from(run_config::expand(args)?)?;
        let mut cli = Self::from_arg_matches(&matches)?;
        match (&mut cli.command, matches.subcommand()) {
            (Command::Train(train), Some((_, typed))) => train.options = run_config::typed(typed, &run_config::TRAIN),
            (Command::Tune(tune), Some((_, typed))) => tune.options = run_config::typed(typed, &run_config::TUNE),
            _ => {}
        }
        Ok(cli)
    }

    /// Runs the command that was asked for.
    pub fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Train(args) => train::run(&args),
            Command::Tune(args) => tune::run(&args),
            Command::Ablate(args) => ablate::run(&args),
            Command::Evaluate(args) => evaluate::run(&args),
            Command::Inspect(args) => inspect::run(&args),
            Command::Predict(args) => predict::run(&args),
            Command::Summary(args) => summary::run(&args),
            Command::Convert(args) => convert::run(&args),
            Command::Devices(args) => devices::run(&args),
            Command::Demo(args) => demo::run(&args),
            Command::Verify(args) => verify::run(&args),
            Command::TuneKernels(args) => tune_kernels::run(&args),
            Command::Completions(args) => shell::completions(&args),
            Command::Manual(args) => shell::manual(&args),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_options_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }
}
