//! The ways to normalise that are compared.

use std::fmt;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::model::{BatchNormalization, LayerNormLstm, Lstm, RecurrentBatchNormLstm, Sequential};

/// A way to normalise a stack of LSTMs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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

    /// Adds an LSTM of each of these sizes, normalised this way, for sequences of so many steps; all but the last give whole
    /// sequences.
    pub fn add_lstms(self, model: Sequential, units: &[usize], steps: usize) -> Sequential {
        let last = units.len().saturating_sub(1);
        units.iter().enumerate().fold(model, |model, (i, &units)| {
            let lstm = Lstm::new(units).return_sequences(i < last);
            let recurrent = RecurrentBatchNormLstm::new(units, steps).return_sequences(i < last);
            match self {
                Variant::Plain => model.add(lstm),
                Variant::BatchNorm => model.add(lstm).add(BatchNormalization::new()),
                Variant::RecurrentBatchNorm => model.add(recurrent),
                Variant::LayerNorm => model.add(LayerNormLstm::new(units).return_sequences(i < last)),
            }
        })
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
