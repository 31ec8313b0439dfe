//! The ways to normalise that are compared.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::{Stack, Within};

/// A way to normalise a stack of LSTMs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// LSTMs alone.
    Plain,
    /// Batch normalisation of each LSTM's outputs, as in the lesson (Ioffe and Szegedy 2015).
    BatchNorm,
    /// Batch normalisation within each LSTM, in every time step (Cooijmans et al. 2016).
    RecurrentBatchNorm,
    /// Layer normalisation within each LSTM, in every time step (Ba et al. 2016).
    LayerNorm,
}

impl Variant {
    /// All there are; the first is what the others are compared with.
    pub const ALL: [Variant; 4] = [Variant::Plain, Variant::BatchNorm, Variant::RecurrentBatchNorm, Variant::LayerNorm];

    /// Its name on the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Variant::Plain => "plain",
            Variant::BatchNorm => "batch_norm",
            Variant::RecurrentBatchNorm => "recurrent_batch_norm",
            Variant::LayerNorm => "layer_norm",
        }
    }

    /// The variant of this name.
    ///
    /// Errors: a name that there is not; the message lists those there are.
    pub fn from_name(name: &str) -> Result<Variant> {
        Self::ALL.into_iter().find(|variant| variant.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Variant::name).join(", ");
            Error::usage(format!("there is no variant `{name}`; there are: {names}"))
        })
    }

    /// LSTMs of these sizes, normalised this way.
    pub fn stack(self, units: &[usize]) -> Stack {
        let within = match self {
            Variant::Plain | Variant::BatchNorm => Within::Nothing,
            Variant::RecurrentBatchNorm => Within::BatchNorm,
            Variant::LayerNorm => Within::LayerNorm,
        };
        Stack { within, batch_norm: self == Variant::BatchNorm, ..Stack::new(units) }
    }

    /// Whether its LSTMs are Keras's, with dropout and masks, which those that normalise within do not have.
    pub fn is_behind(self) -> bool {
        matches!(self, Variant::Plain | Variant::BatchNorm)
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
