//! Model files: Keras 3's `.keras` archive, read and written without Keras; ONNX files, written; weights alone as
//! `.weights.h5` and `.safetensors` files.
//!
//! [`KerasArchive`] knows zip members, JSON text and named arrays; what a layer or an optimizer is, it does not know.
//! On it stand `Model::save` and `Model::load`.

mod array;
pub mod atomic;
mod by_hand;
mod description;
mod h5_numbers;
mod keras;
mod keras_archive;
mod keras_args;
mod keras_compile;
mod keras_config;
mod keras_functional;
mod keras_layers;
mod keras_loss;
mod keras_metric;
mod keras_nodes;
mod keras_optimizer;
mod keras_outputs;
mod keras_plain_layers;
mod keras_recurrent;
mod keras_schedule;
mod keras_state;
mod keras_weight_args;
mod keras_weights;
#[cfg(feature = "onnx")]
mod onnx;
mod safetensors;
mod weights_file;
mod weights_h5;

pub use array::{Array, ArrayData};
pub use description::{Compile, Description};
pub use keras_archive::KerasArchive;
pub use safetensors::WeightNames;
