//! Ctrl-C: once to end well, twice to end at once.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gatenorm::{Error, Result};

use super::report::talk;

/// The exit status of a program that was interrupted.
pub const STATUS: u8 = 130;

/// A run that was interrupted, and has reported already.
#[derive(Debug)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// A flag that is set by the first Ctrl-C (or SIGTERM); the second ends the program.
pub fn flag() -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = flag.clone();
    let handler = move || {
        if set.swap(true, Ordering::Relaxed) {
            std::process::exit(STATUS.into());
        }
        talk!("\ninterrupted: finishing the batch and saving; once more to stop at once");
    };
    ctrlc::set_handler(handler).map_err(|e| Error::usage(format!("Ctrl-C cannot be caught: {e}")))?;
    Ok(flag)
}
