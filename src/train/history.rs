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

    /// The value of a name as people read it.
    pub fn figure(name: &str, value: f64) -> String {
        match value.abs() {
            _ if name.ends_with("accuracy") => format!("{value:.3}"),
            v if v == 0.0 || (1e-3..1e6).contains(&v) => format!("{value:.4}"),
            v if v.is_finite() => format!("{value:.3e}"),
            _ => value.to_string(),
        }
    }

    /// Sets the value of a name, at the end where it is new.
    pub fn set(&mut self, name: &str, value: f64) {
        match self.0.iter_mut().find(|(n, _)| n == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }
}

impl From<Scores> for serde_json::Map<String, serde_json::Value> {
    fn from(scores: Scores) -> Self {
        scores.0.into_iter().map(|(name, value)| (name, value.into())).collect()
    }
}

impl fmt::Display for Scores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> =
            self.0.iter().map(|(name, value)| format!("{name} {}", Self::figure(name, *value))).collect();
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
    /// Whether [`Fit::interrupt`](super::Fit::interrupt) ended it; the epoch that was under way is not among the epochs.
    pub interrupted: bool,
}

impl History {
    /// All values of one name, as `history.history[name]` in Keras.
    pub fn get(&self, name: &str) -> Vec<f64> {
        self.epochs.iter().filter_map(|e| e.scores.get(name)).collect()
    }

    /// The epoch with the least `val_loss`, or `loss` without validation: the name, its value, and the epoch (from 1).
    pub fn best(&self) -> Option<(&'static str, f64, usize)> {
        let judged = |e: &Epoch| ["val_loss", "loss"].into_iter().find_map(|n| Some((n, e.scores.get(n)?, e.epoch)));
        self.epochs.iter().filter_map(judged).min_by(|a, b| a.1.total_cmp(&b.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_read_well_at_any_size() {
        let named = [("loss", 0.04018), ("accuracy", 0.98649), ("mae", 3.2e-7), ("mse", 0.0), ("val_loss", f64::NAN)];
        let scores = Scores(named.map(|(name, value)| (name.to_owned(), value)).to_vec());
        assert_eq!(scores.to_string(), "loss 0.0402  accuracy 0.986  mae 3.200e-7  mse 0.0000  val_loss NaN");
    }

    #[test]
    fn the_best_epoch_is_judged_by_validation_where_there_is_one() {
        let epoch = |epoch, scores: &[(&str, f64)]| {
            let scores = Scores(scores.iter().map(|&(name, value)| (name.to_owned(), value)).collect());
            Epoch { epoch, scores, seconds: 0.0 }
        };
        let mut history = History::default();
        assert_eq!(history.best(), None);
        history.epochs = vec![epoch(1, &[("loss", 0.3)]), epoch(2, &[("loss", 0.2)]), epoch(3, &[("loss", 0.2)])];
        assert_eq!(history.best(), Some(("loss", 0.2, 2)));
        let of = |i, loss, val_loss| epoch(i, &[("loss", loss), ("val_loss", val_loss)]);
        history.epochs = vec![of(1, 0.3, 0.5), of(2, 0.2, 0.4), of(3, 0.1, f64::NAN)];
        assert_eq!(history.best(), Some(("val_loss", 0.4, 2)));
    }
}
