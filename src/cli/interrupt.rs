//! Ctrl-C: once to end well, twice to end at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gatenorm::{Error, Result};

use super::report::{INTERRUPTED, talk};

/// A flag that is set by the first Ctrl-C (or SIGTERM); the second ends the program.
pub fn flag() -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = flag.clone();
    let handler = move || {
        if set.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED.into());
        }
        talk!("\ninterrupted: finishing the batch and saving; once more to stop at once");
    };
    ctrlc::set_handler(handler).map_err(|e| Error::usage(format!("Ctrl-C cannot be caught: {e}")))?;
    Ok(flag)
}
