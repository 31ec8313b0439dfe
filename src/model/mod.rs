//! Layers under Keras's names, and how they record themselves into a plan. Knows no device.

mod activation;
mod batch_normalization;
mod dense;
mod dropout;
mod functional;
mod initializer;
mod layer;
mod lstm;
mod masking;
mod network;
mod normalization;
mod products;
mod random;
mod recipe;
mod recorder;
mod sequential;
mod summary;
mod table;

pub use activation::Activation;
pub use batch_normalization::BatchNormalization;
pub use dense::Dense;
pub use dropout::{Dropout, SpatialDropout1D};
pub use functional::{Functional, Shared, Symbol};
pub use initializer::Initializer;
pub use layer::{ANY_LENGTH, Layer, Layout, Shape, VariableSpec};
pub use lstm::Lstm;
pub use masking::Masking;
pub(crate) use network::snake_case;
pub use network::{Call, Input, Network, Placed, ValueId};
pub use normalization::Normalization;
pub(crate) use random::hash;
pub use recorder::{Mode, Recorder, Tensor};
pub use sequential::Sequential;
pub use summary::grouped;
pub use table::{Arena, Table, Variable, buffers};
