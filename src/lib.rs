//! Trains LSTM networks with batch normalisation on any GPU, proven against a CPU reference.

pub mod data;
mod error;
pub mod exec;
pub mod formats;
pub mod kernels;
pub mod model;
pub mod plan;
pub mod train;
pub mod verify;

pub use error::{Error, Result};

/// What most programs need.
pub mod prelude {
    pub use crate::data::Dataset;
    pub use crate::error::{Error, Result};
    pub use crate::exec::Device;
    pub use crate::model::{Activation, BatchNormalization, Dense, Lstm, Normalization, Sequential};
    pub use crate::train::{Adam, Fit, History, Loss, Metric, Model, Sgd};
}
