//! The one error type of the library: every message says what is wrong, where, and what to do about it.

use std::path::{Path, PathBuf};

/// What the library's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong, sorted by whose turn it is to act.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Wrong use: an option, a shape, a layer's argument.
    #[error("{0}")]
    Usage(String),
    /// A file was read, but what it holds cannot be used.
    #[error("{}: {message}", path.display())]
    Input {
        /// The file.
        path: PathBuf,
        /// What is wrong, where in the file, and the cure.
        message: String,
    },
    /// A file could not be read or written.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried: "read", "write", ...
        action: &'static str,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// No device, a device that was lost, or one that refused something.
    #[error("{0}")]
    Device(String),
    /// Training met a gradient or loss that is infinite or not a number; the weights are those of the step before.
    #[error(
        "training diverged at step {step}: `{tensor}`[{index}] is not finite; the weights of the step before are kept. Lower the learning rate, or look for extreme values in the data"
    )]
    NonFinite {
        /// The training step, from 1.
        step: u64,
        /// The gradient's name, as `layer/variable`.
        tensor: String,
        /// The index in it, in the device's layout.
        index: usize,
    },
    /// The GPU and the CPU reference disagree.
    #[error("{0}")]
    Disagreement(String),
}

impl Error {
    /// Wrong use, in words.
    pub fn usage(message: impl Into<String>) -> Self {
        Error::Usage(message.into())
    }

    /// A file whose content cannot be used.
    pub fn input(path: &Path, message: impl Into<String>) -> Self {
        Error::Input { path: path.to_owned(), message: message.into() }
    }

    /// A file that could not be read or written.
    pub fn io(path: &Path, action: &'static str, source: std::io::Error) -> Self {
        Error::Io { path: path.to_owned(), action, source }
    }

    /// The exit status that a program should end with: 2 for wrong use or input, 1 for a run or a verification that failed.
    pub fn exit_status(&self) -> u8 {
        match self {
            Error::Usage(_) | Error::Input { .. } | Error::Io { .. } => 2,
            Error::Device(_) | Error::NonFinite { .. } | Error::Disagreement(_) => 1,
        }
    }
}
