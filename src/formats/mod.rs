//! Model files: Keras 3's `.keras` archive, read and written without Keras.
//!
//! This layer knows zip members, JSON text and named arrays; what a layer or an optimizer is, it does not know.

mod array;
pub mod atomic;

pub use array::{Array, ArrayData};
