//! What training adds to the loss for large weights and outputs.

use serde_json::{Map, Value};

use super::weight_args::{keras_object, number};
use crate::error::{Error, Result};

/// Adds l1 Σ|w| + l2 Σw² to the loss, as Keras's `L1`, `L2` and `L1L2`. Of a layer's output the sum is divided by the samples of the
/// batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Regularizer {
    /// Factor of the magnitudes.
    pub l1: f64,
    /// Factor of the squares.
    pub l2: f64,
}

impl Regularizer {
    /// Magnitudes only; Keras's default factor is 0.01.
    pub fn l1(l1: f64) -> Self {
        Regularizer { l1, l2: 0.0 }
    }

    /// Squares only; Keras's default factor is 0.01.
    pub fn l2(l2: f64) -> Self {
        Regularizer { l1: 0.0, l2 }
    }

    /// Both.
    pub fn l1_l2(l1: f64, l2: f64) -> Self {
        Regularizer { l1, l2 }
    }

    /// What is wrong with its factors.
    pub fn check(&self) -> Result<()> {
        match self.l1.is_finite() && self.l2.is_finite() && self.l1 >= 0.0 && self.l2 >= 0.0 {
            true => Ok(()),
            false => Err(Error::usage(format!(
                "a regularizer needs factors from 0, not l1 = {} and l2 = {}",
                self.l1, self.l2
            ))),
        }
    }

    /// The object of Keras's files.
    pub(crate) fn config(&self) -> Value {
        let (class, factors): (&str, &[(&str, f64)]) = match (self.l1 != 0.0, self.l2 != 0.0) {
            (true, false) => ("L1", &[("l1", self.l1)]),
            (false, true) => ("L2", &[("l2", self.l2)]),
            _ => ("L1L2", &[("l1", self.l1), ("l2", self.l2)]),
        };
        let config: Map<String, Value> =
            factors.iter().map(|&(name, value)| (name.to_owned(), number(value))).collect();
        keras_object("keras.regularizers", class, config)
    }
}
