//! The command line: parse, call the library, report.

mod cli;

use std::process::ExitCode;

use cli::{Cli, report};

fn main() -> ExitCode {
    // SAFETY: the program has only begun and has no other thread.
    unsafe { gatenorm::exec::prepare_environment() };
    match Cli::parse_from_line(std::env::args_os().collect()).and_then(Cli::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report::failure(&error),
    }
}
