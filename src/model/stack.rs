//! LSTMs one behind the other, which most models here begin with.

use super::activation::Activation;
use super::batch_normalization::BatchNormalization;
use super::bidirectional::Bidirectional;
use super::lstm::Lstm;
use super::reshaping::RepeatVector;
use super::sequential::Sequential;
use crate::error::{Error, Result};

/// What is normalised in each time step of an LSTM's recurrence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Within {
    /// Nothing: Keras's LSTM.
    #[default]
    Nothing,
    /// Over the batch: [`RecurrentBatchNormLstm`](super::RecurrentBatchNormLstm).
    BatchNorm,
    /// Over the units: [`LayerNormLstm`](super::LayerNormLstm).
    LayerNorm,
}

/// LSTMs one behind the other, and how they are normalised. All but the last give whole sequences, and that one too if so asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Stack {
    /// Their sizes.
    pub units: Vec<usize>,
    /// Whether the last gives whole sequences too, for an output for each step.
    pub return_sequences: bool,
    /// Normalisation within the recurrence.
    pub within: Within,
    /// Whether a `BatchNormalization` stands behind each.
    pub batch_norm: bool,
    /// Whether each reads the sequences in both directions, side by side.
    pub bidirectional: bool,
    /// The share of each one's input features that are dropped in training.
    pub dropout: f64,
    /// The share of its own output that an LSTM's gates do not see in training.
    pub recurrent_dropout: f64,
    /// Their activation.
    pub activation: Activation,
}

impl Stack {
    /// Plain LSTMs of these sizes.
    pub fn new(units: &[usize]) -> Stack {
        Stack {
            units: units.to_vec(),
            return_sequences: false,
            within: Within::Nothing,
            batch_norm: false,
            bidirectional: false,
            dropout: 0.0,
            recurrent_dropout: 0.0,
            activation: Activation::Tanh,
        }
    }

    /// The model with an autoencoder at its end, for sequences of so many steps: these LSTMs, the last of which gives one vector, which
    /// [`RepeatVector`] shows at each step to the same LSTMs in the opposite order, which give sequences.
    ///
    /// Errors: as of [`Stack::add_to`].
    pub fn add_autoencoder_to(&self, model: Sequential, steps: usize) -> Result<Sequential> {
        let encoder = Stack { return_sequences: false, ..self.clone() };
        let units = self.units.iter().rev().copied().collect();
        let decoder = Stack { units, return_sequences: true, ..self.clone() };
        let encoded = encoder.add_to(model, steps)?.add(RepeatVector::new(steps));
        decoder.add_to(encoded, steps)
    }

    /// The model with these LSTMs at its end, for sequences of so many steps.
    ///
    /// Errors: both directions of LSTMs that are normalised within; their other options are refused when the model is built.
    pub fn add_to(&self, model: Sequential, steps: usize) -> Result<Sequential> {
        if self.bidirectional && self.within != Within::Nothing {
            return Err(Error::usage("an LSTM that is normalised in its recurrence cannot be bidirectional"));
        }
        let last = self.units.len().saturating_sub(1);
        Ok(self.units.iter().enumerate().fold(model, |model, (i, &units)| {
            let lstm = Lstm::new(units)
                .return_sequences(i < last || self.return_sequences)
                .dropout(self.dropout)
                .recurrent_dropout(self.recurrent_dropout)
                .activation(self.activation);
            let model = match self.within {
                Within::Nothing if self.bidirectional => model.add(Bidirectional::new(lstm)),
                Within::Nothing => model.add(lstm),
                Within::BatchNorm => model.add(lstm.recurrent_batch_norm(steps)),
                Within::LayerNorm => model.add(lstm.layer_norm()),
            };
            if self.batch_norm { model.add(BatchNormalization::new()) } else { model }
        }))
    }
}
