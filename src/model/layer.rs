//! What a layer is: its arguments, its variables, and how it records itself.

use serde_json::{Map, Value};

use super::constraint::Constraint;
use super::initializer::Initializer;
use super::recorder::{Recorder, Tensor};
use super::regularizer::Regularizer;
use crate::error::{Error, Result};

/// A shape without the batch axis: `[T, F]` for sequences, `[F]` for vectors.
pub type Shape = Vec<usize>;

/// A T that is known only when data come: sequences of any length, Keras's `None`.
pub const ANY_LENGTH: usize = 0;

/// How a variable lies on the device, as against Keras's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// As in Keras.
    Plain,
    /// Keras's last axis is `[gates, H]`, gate by gate; the device's is `[H, 4]`, so that one thread loads all gates of a unit at
    /// once. For each row, in turn, the place of each gate among the four; a place that no gate has is 0 and stays so.
    Gates(&'static [&'static [usize]]),
}

impl Layout {
    /// Of an LSTM: i, f, c, o.
    pub const LSTM: Layout = Layout::Gates(&[&[0, 1, 2, 3]]);
    /// Of an LSTM whose input gate is coupled to the forget gate: f, c, o.
    pub const COUPLED: Layout = Layout::Gates(&[&[1, 2, 3]]);
    /// Of what a GRU's input meets: z, r, candidate.
    pub const GRU: Layout = Layout::Gates(&[&[0, 1, 2]]);
    /// Of what a GRU's state meets, whose part of the candidate has a place of its own.
    pub const GRU_RECURRENT: Layout = Layout::Gates(&[&[0, 1, 3]]);
    /// Of a bias for each of the two.
    pub const GRU_BIASES: Layout = Layout::Gates(&[&[0, 1, 2], &[0, 1, 3]]);

    /// Gates of a unit in Keras's order.
    fn gates(self) -> usize {
        match self {
            Layout::Plain => 4,
            Layout::Gates(rows) => rows[0].len(),
        }
    }

    /// Elements on the device of a variable of `len` elements.
    pub fn device_len(self, len: usize) -> usize {
        len / self.gates() * 4 + len % self.gates()
    }

    /// The place on the device of element `keras` of a variable whose rows are `width` wide.
    pub fn device_index(self, width: usize, keras: usize) -> usize {
        match self {
            Layout::Plain => keras,
            Layout::Gates(rows) => {
                let (row, col) = (keras / width, keras % width);
                let units = width / self.gates();
                let (gate, unit) = (col / units, col % units);
                (row * units + unit) * 4 + rows[row % rows.len()][gate]
            }
        }
    }
}

/// A variable that a layer wants.
#[derive(Clone, Debug)]
pub struct VariableSpec {
    /// Keras's name, as `kernel`; a wrapper's begins with the wrapped layer's, as `forward/kernel`.
    pub name: String,
    /// Keras's shape.
    pub shape: Shape,
    /// Its order on the device.
    pub layout: Layout,
    /// Its first value.
    pub initializer: Initializer,
    /// What is added to the loss for it while it is trained.
    pub regularizer: Option<Regularizer>,
    /// What it is held to after each step.
    pub constraint: Option<Constraint>,
    /// Whether the optimiser changes it.
    pub trainable: bool,
}

impl VariableSpec {
    /// A trained variable in Keras's order.
    pub fn new(name: impl Into<String>, shape: &[usize], initializer: Initializer) -> Self {
        let shape = shape.to_vec();
        let (regularizer, constraint) = (None, None);
        VariableSpec {
            name: name.into(),
            shape,
            layout: Layout::Plain,
            initializer,
            regularizer,
            constraint,
            trainable: true,
        }
    }

    /// The same with the gates of a unit next to each other on the device.
    pub fn laid_out(self, layout: Layout) -> Self {
        VariableSpec { layout, ..self }
    }

    /// The same left alone by the optimiser.
    pub fn fixed(self) -> Self {
        VariableSpec { trainable: false, ..self }
    }

    /// What is wrong with its arguments.
    pub(super) fn check(&self) -> Result<()> {
        let regularizer = self.regularizer.iter().try_for_each(Regularizer::check);
        let constraint = self.constraint.iter().try_for_each(|c| c.check(&self.shape, self.layout));
        let all = self.initializer.check(&self.shape).and(regularizer).and(constraint);
        all.map_err(|error| Error::usage(format!("variable `{}`: {error}", self.name)))
    }
}

/// A layer of a model.
pub trait Layer: std::fmt::Debug + Send + Sync {
    /// Keras's class name.
    fn class_name(&self) -> &'static str;

    /// Whether Keras has such a class; a file with one that it has not says that it is this crate's.
    fn in_keras(&self) -> bool {
        true
    }

    /// Keras's arguments, as a `.keras` file holds them: without name and dtype, and without those that this crate has no choice
    /// in, so that as many Keras versions as possible know them all.
    fn config(&self) -> Map<String, Value>;

    /// The outputs' shapes, or what is wrong with the inputs' shapes or with an argument.
    fn output_shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>>;

    /// The variables in Keras's order: trainable ones first.
    fn variables(&self, inputs: &[Shape]) -> Vec<VariableSpec>;

    /// For a layer that takes whole numbers, which must then be an input of the model: they must lie below this.
    fn numbers_below(&self) -> Option<usize> {
        None
    }

    /// Records the forward pass, and leaves the backward pass on the recorder's tape. `inputs` are as many as
    /// [`Layer::output_shapes`] was content with.
    fn record(&self, recorder: &mut Recorder, inputs: &[Tensor]) -> Vec<Tensor>;
}

/// The only input of a layer that takes one.
pub(super) fn single<'a>(class: &str, inputs: &'a [Shape]) -> Result<&'a [usize]> {
    match inputs {
        [input] => Ok(input),
        _ => Err(Error::usage(format!("{class} takes one input, but gets {}", inputs.len()))),
    }
}

/// The features of the first input, its last axis.
pub(super) fn features(inputs: &[Shape]) -> usize {
    inputs.first().and_then(|shape| shape.last()).copied().unwrap_or(1)
}
