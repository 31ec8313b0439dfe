//! Layers under Keras's names, and how they record themselves into a plan. Knows no device.

mod activation;
mod batch_normalization;
mod dense;
mod initializer;
mod layer;
mod lstm;
mod normalization;
mod products;
mod recipe;
mod recorder;
mod sequential;
mod summary;
mod table;

pub use activation::Activation;
pub use batch_normalization::BatchNormalization;
pub use dense::Dense;
pub use initializer::Initializer;
pub use layer::{Layer, Layout, VariableSpec};
pub use lstm::Lstm;
pub use normalization::Normalization;
pub use recorder::{Mode, Recorder, Tensor};
pub(crate) use sequential::snake_case;
pub use sequential::{Sequential, Stack};
pub use summary::grouped;
pub use table::{Arena, Table, Variable, buffers};
