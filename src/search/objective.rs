//! What trials are judged by.

use std::cmp::Ordering;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::train::Model;

/// The score that trials are compared by: its best value over a trial's epochs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Objective {
    /// Its name in an epoch's scores, such as `val_loss`.
    pub name: String,
    /// Whether more of it is better.
    pub larger_is_better: bool,
}

impl Objective {
    /// A score of models such as this one, validated or of training; its name says which way is better.
    ///
    /// Errors: a score that such models do not give; the message lists those they give.
    pub fn of(model: &Model, name: &str) -> Result<Objective> {
        let names: Vec<String> = ["val_", ""].iter().flat_map(|prefix| model.score_names(prefix)).collect();
        match model.larger_is_better(name).filter(|_| names.iter().any(|known| known == name)) {
            Some(larger_is_better) => Ok(Objective { name: name.to_owned(), larger_is_better }),
            None => Err(Error::usage(format!(
                "there will be no score `{name}` to judge by; there will be: {}",
                names.join(", ")
            ))),
        }
    }

    /// Whether a value is better than the best so far. What is not finite is never better.
    pub fn improves(&self, value: f64, best: Option<f64>) -> bool {
        let larger = self.larger_is_better;
        value.is_finite() && best.is_none_or(|best| if larger { value > best } else { value < best })
    }

    /// The order of two finite values, the better first.
    pub(super) fn order(&self, one: f64, other: f64) -> Ordering {
        if self.larger_is_better { other.total_cmp(&one) } else { one.total_cmp(&other) }
    }
}
