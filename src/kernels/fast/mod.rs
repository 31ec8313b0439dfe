//! Kernels on the CPU in `f32`, as fast as they go there: matrix products by the `gemm` crate, loops that vectorise, rows of the
//! batch in parallel. Held to the references like a GPU.

mod adam;
mod batch_norm;
mod lstm;
mod lstm_grad;
mod maths;
mod product;
mod rows;
mod sums;
mod vectorised;
mod workers;

pub(super) use adam::adam;
pub(super) use batch_norm::{batch_norm, batch_norm_apply, batch_norm_grad};
pub(super) use lstm::lstm_sequence;
pub(super) use lstm_grad::lstm_sequence_grad;
pub(super) use product::matmul;
pub(super) use sums::{column_sum, grad_norm};
pub use workers::Workers;
