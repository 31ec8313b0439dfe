//! The command line: parse, call the library, report.

mod cli;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, report};

fn main() -> ExitCode {
    quiet_wayland();
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

/// Mesa's drivers ask libwayland for a display, which writes an error to the terminal where this variable is not set, as in
/// containers.
fn quiet_wayland() {
    const NAME: &str = "XDG_RUNTIME_DIR";
    if cfg!(target_os = "linux") && std::env::var_os(NAME).is_none() {
        // SAFETY: the program has only begun and has no other thread that could read the environment.
        unsafe { std::env::set_var(NAME, std::env::temp_dir()) };
    }
}
