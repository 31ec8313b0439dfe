//! What training and evaluation report.

use std::fmt;

use serde::Serialize;

/// Loss and metrics by name, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(into = "serde_json::Map<String, serde_json::Value>")]
pub struct Scores(pub Vec<(String, f64)>);

impl Scores {
    /// The value of `loss`, `accuracy`, `val_loss`, ...
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|(n, _)| n == name).map(|&(_, v)| v)
    }
}

impl From<Scores> for serde_json::Map<String, serde_json::Value> {
    fn from(scores: Scores) -> Self {
        scores.0.into_iter().map(|(name, value)| (name, value.into())).collect()
    }
}

impl fmt::Display for Scores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
        f.write_str(&parts.join("  "))
    }
}

/// One epoch of [`History`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Epoch {
    /// From 1.
    pub epoch: usize,
    /// `loss`, the metrics, then `val_loss` and the validation metrics.
    #[serde(flatten)]
    pub scores: Scores,
    /// Wall-clock time, validation included.
    pub seconds: f64,
}

/// The epochs of a call of `fit`: as in Keras, training figures are means over an epoch's batches, weighted by their sizes, each
/// taken before the step's update.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct History {
    /// In order.
    pub epochs: Vec<Epoch>,
    /// The epoch (from 1) whose weights the model has, where `keep_best` chose it.
    pub best_epoch: Option<usize>,
}

impl History {
    /// All values of one name, as `history.history[name]` in Keras.
    pub fn get(&self, name: &str) -> Vec<f64> {
        self.epochs.iter().filter_map(|e| e.scores.get(name)).collect()
    }
}
