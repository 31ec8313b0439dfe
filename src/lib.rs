//! Trains LSTM networks with batch normalisation on any GPU, proven against a CPU reference.

pub mod data;
mod error;
pub mod exec;
pub mod formats;
pub mod kernels;
pub mod plan;
pub mod verify;

pub use error::{Error, Result};
