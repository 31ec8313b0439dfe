//! Trains LSTM networks with batch normalisation on any GPU (Vulkan, Metal, DX12) through hand-written WGSL kernels, and proves
//! every kernel against a CPU reference. The semantics are Keras 3's, and model files are Keras's own.
//!
//! ```
//! use gatenorm::prelude::*;
//!
//! # fn main() -> Result<()> {
//! # let folder = std::env::temp_dir().join(format!("gatenorm-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder).expect("a folder for the model");
//! let data = Dataset::csv("data/occupancy/datatest.txt").target("Occupancy").window(10).load()?;
//! let (train, test) = data.split_by_time(0.8)?;
//! let mut model = Sequential::new(train.input_shape())
//!     .add(Normalization::new())
//!     .add(Lstm::new(64).return_sequences(true))
//!     .add(BatchNormalization::new())
//!     .add(Lstm::new(32))
//!     .add(BatchNormalization::new())
//!     .add(Dense::new(1).activation(Activation::Sigmoid))
//!     .compile(Device::auto()?, Loss::BinaryCrossentropy, Adam::default(), [Metric::Accuracy])?;
//! model.adapt(&train)?;
//! model.fit(&train, Fit::epochs(2).validation(&test))?;
//! println!("{}", model.evaluate(&test)?);
//! model.save(folder.join("room.keras"))?;
//! # std::fs::remove_dir_all(&folder).expect("the folder can go");
//! # Ok(())
//! # }
//! ```
//!
//! How it works: layers ([`model`]) record themselves into a [`plan`], plain data that lists buffers and kernel runs. An
//! executor ([`exec`]) keeps the buffers and runs the plan, on the GPU with WGSL or on the CPU with each kernel's plain-loop
//! reference ([`kernels`]). [`train`] feeds batches through plans; [`verify`] and [`exec::lockstep`] hold one executor to the
//! other; [`data`] and [`formats`] read and write files.

#![warn(missing_docs)]

pub mod ablate;
pub mod data;
mod error;
pub mod exec;
pub mod formats;
pub mod kernels;
pub mod memory_plan;
pub mod model;
pub mod plan;
pub mod plot;
#[cfg(feature = "plots")]
pub mod report;
pub mod search;
pub mod stream;
pub mod train;
pub mod verify;

pub use error::{Error, Result};

/// What most programs need.
pub mod prelude {
    pub use crate::data::Dataset;
    pub use crate::error::{Error, Result};
    pub use crate::exec::Device;
    pub use crate::model::{
        Activation, BatchNormalization, Dense, Dropout, Functional, LayerNormalization, Lstm, Masking, Normalization,
        RecurrentBatchNormLstm, Sequential,
    };
    pub use crate::model::{Constraint, Initializer, Regularizer};
    pub use crate::train::{Adam, AdamW, Fit, History, Loss, Metric, Model, RmsProp, Sgd};
}
