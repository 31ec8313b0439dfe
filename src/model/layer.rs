//! What a layer is: its arguments, its variables, and how it records itself.

use serde_json::{Map, Value};

use super::initializer::Initializer;
use super::recorder::{Recorder, Tensor};
use crate::error::Result;

/// How a variable lies on the device, as against Keras's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// As in Keras.
    Plain,
    /// Keras's last axis is `[4, H]`, gate by gate; the device's is `[H, 4]`, so that one thread loads all gates of a unit at once.
    Gates,
}

/// A variable that a layer wants.
#[derive(Clone, Debug)]
pub struct VariableSpec {
    /// Keras's name, as `kernel`.
    pub name: &'static str,
    /// Keras's shape.
    pub shape: Vec<usize>,
    /// Its order on the device.
    pub layout: Layout,
    /// Its first value.
    pub initializer: Initializer,
    /// Whether the optimiser changes it.
    pub trainable: bool,
}

/// A layer of a model. Shapes leave out the batch axis: `[T, F]` for sequences, `[F]` for vectors.
pub trait Layer: std::fmt::Debug + Send + Sync {
    /// Keras's class name.
    fn class_name(&self) -> &'static str;

    /// Keras's arguments, as a `.keras` file holds them: without name and dtype, and without those that this crate has no choice
    /// in, so that as many Keras versions as possible know them all.
    fn config(&self) -> Map<String, Value>;

    /// The output's shape, or what is wrong with the input's.
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>>;

    /// The variables in Keras's order: trainable ones first.
    fn variables(&self, input: &[usize]) -> Vec<VariableSpec>;

    /// Records the forward pass, and leaves the backward pass on the recorder's tape.
    fn record(&self, recorder: &mut Recorder, input: &Tensor) -> Tensor;
}

/// The features of an input, its last axis.
pub(super) fn features(input: &[usize]) -> usize {
    input.last().copied().unwrap_or(1)
}
