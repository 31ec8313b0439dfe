//! What a trial trains with.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ablate::Variant;
use crate::model::Stack;

/// What one trial has drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hyperparameters {
    /// Sizes of the LSTMs, first to last.
    pub units: Vec<usize>,
    /// How they are normalised.
    pub norm: Variant,
    /// Step size.
    pub learning_rate: f64,
    /// The share of each LSTM's input features that are dropped in training; 0 where the normalisation has none.
    pub dropout: f64,
    /// The share of its own output that an LSTM's gates do not see in training; the same.
    pub recurrent_dropout: f64,
    /// Rows of a sample, where these are searched.
    pub window: Option<usize>,
    /// Samples of one training step.
    pub batch_size: usize,
}

impl Hyperparameters {
    /// Its LSTMs.
    pub fn stack(&self) -> Stack {
        let (dropout, recurrent_dropout) = (self.dropout, self.recurrent_dropout);
        Stack { dropout, recurrent_dropout, ..self.norm.stack(&self.units) }
    }

    /// The learning rate as people read it, and as it can be typed.
    pub fn rate(&self) -> String {
        let rate = self.learning_rate;
        if (1e-4..1e4).contains(&rate) { rate.to_string() } else { format!("{rate:e}") }
    }

    /// The sizes as `train --units` takes them.
    pub fn units(&self) -> String {
        self.units.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }
}

impl fmt::Display for Hyperparameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "units {}, {}, rate {}", self.units(), self.norm, self.rate())?;
        for (name, share) in [("dropout", self.dropout), ("recurrent dropout", self.recurrent_dropout)] {
            if share > 0.0 {
                write!(f, ", {name} {share}")?;
            }
        }
        if let Some(window) = self.window {
            write!(f, ", window {window}")?;
        }
        write!(f, ", batches of {}", self.batch_size)
    }
}
