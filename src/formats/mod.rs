//! Model files: Keras 3's `.keras` archive, read and written without Keras.
//!
//! This layer knows zip members, JSON text and named arrays; what a layer or an optimizer is, it does not know.

mod array;
pub mod atomic;
mod h5_numbers;
mod keras_archive;
mod weights_h5;

pub use array::{Array, ArrayData};
pub use keras_archive::KerasArchive;
