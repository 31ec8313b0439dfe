//! Trains LSTM networks with batch normalisation on any GPU, proven against a CPU reference.

pub mod data;
mod error;
pub mod formats;

pub use error::{Error, Result};
