//! The command line: parse, call the library, report.

mod cli;

use std::process::ExitCode;

use cli::{Cli, report};

fn main() -> ExitCode {
    quiet_wayland();
    match Cli::parse_from_line(std::env::args_os().collect()).and_then(Cli::run) {
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
