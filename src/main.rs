//! The command line: parse, call the library, report.

mod cli;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, report};

fn main() -> ExitCode {
    let parsed = match Cli::try_parse() {
        Ok(parsed) => parsed,
        Err(refused) => {
            // Help and version end up here too. Whoever closed the pipe does not want to read it.
            let _ = refused.print();
            return ExitCode::from(u8::try_from(refused.exit_code()).unwrap_or(2));
        }
    };
    match parsed.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report::failure(&error),
    }
}
