//! A score that is watched, and which of its values is the better.

use super::super::history::Scores;
use super::super::model::Model;
use super::Training;
use crate::error::{Error, Result};

/// Which of two values is the better: Keras's `mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Better {
    /// As the score's name says: less of a loss or an error, more of an accuracy.
    #[default]
    Auto,
    /// The smaller.
    Min,
    /// The larger.
    Max,
}

/// What a callback watches.
#[derive(Clone, Debug)]
pub(super) struct Monitor {
    /// The callback's name, for messages.
    of: &'static str,
    pub name: String,
    pub mode: Better,
    /// A change of no more than this is none.
    pub min_delta: f64,
    larger: bool,
}

impl Monitor {
    pub fn new(of: &'static str, min_delta: f64) -> Self {
        Monitor { of, name: "val_loss".to_owned(), mode: Better::Auto, min_delta, larger: false }
    }

    /// Finds out which values are the better ones.
    pub fn begin(&mut self, training: &Training<'_>) -> Result<()> {
        training.check_name(self.of, &self.name)?;
        self.larger = match self.mode {
            Better::Min => false,
            Better::Max => true,
            Better::Auto => self.larger_by_name(training)?,
        };
        Ok(())
    }

    fn larger_by_name(&self, training: &Training<'_>) -> Result<bool> {
        training.model.larger_is_better(&self.name).ok_or_else(|| {
            let (of, name) = (self.of, &self.name);
            Error::usage(format!("{of}: whether less or more of `{name}` is better must be said: mode Min or Max"))
        })
    }

    /// Its value; none after an epoch without validation.
    pub fn value(&self, logs: &Scores) -> Option<f64> {
        logs.get(&self.name)
    }

    /// Whether `value` is better than `reference` by more than `min_delta`; anything is better than nothing. NaN is never better.
    pub fn improves(&self, value: f64, reference: Option<f64>) -> bool {
        let delta = self.min_delta.abs();
        match reference {
            None => true,
            Some(reference) if self.larger => value - delta > reference,
            Some(reference) => value + delta < reference,
        }
    }
}

impl Model {
    /// Whether more of a score is better, such as of `val_accuracy`, or less, as of `loss`; nothing where the model gives no such score.
    pub fn larger_is_better(&self, score: &str) -> Option<bool> {
        let name = score.strip_prefix("val_").unwrap_or(score);
        if name == "loss" {
            return Some(false);
        }
        // Each of several outputs has a loss of its own, and its name before those of its metrics.
        let outputs = self.network().output_names();
        let of_output = |output: &str| name.strip_prefix(output).and_then(|rest| rest.strip_prefix('_'));
        if outputs.len() > 1 && outputs.iter().any(|output| of_output(output) == Some("loss")) {
            return Some(false);
        }
        let metric = self.metrics().iter().find(|metric| match metric.output.as_deref() {
            Some(output) if outputs.len() > 1 => of_output(output) == Some(metric.name()),
            _ => metric.name() == name,
        });
        metric.map(|metric| metric.is_better_larger())
    }
}

/// The setters of a callback's monitor.
macro_rules! monitored {
    () => {
        /// The score to watch, such as `val_loss` (the default) or `accuracy`.
        pub fn monitor(mut self, name: impl Into<String>) -> Self {
            self.monitor.name = name.into();
            self
        }

        /// Which of its values is the better; by default as its name says.
        pub fn mode(mut self, mode: Better) -> Self {
            self.monitor.mode = mode;
            self
        }
    };
}
pub(super) use monitored;

#[cfg(test)]
mod tests {
    use super::super::tests::{model, training};
    use super::*;

    fn begun(name: &str, mode: Better) -> Result<bool> {
        let mut model = model();
        let mut monitor = Monitor { name: name.to_owned(), mode, ..Monitor::new("EarlyStopping", 0.0) };
        monitor.begin(&training(&mut model, 1)).map(|()| monitor.larger)
    }

    #[test]
    fn the_name_says_which_way_is_better() {
        for (name, larger) in [("loss", false), ("val_loss", false), ("val_accuracy", true), ("mae", false)] {
            assert_eq!(begun(name, Better::Auto).unwrap(), larger, "{name}");
            assert!(begun(name, Better::Max).unwrap() && !begun(name, Better::Min).unwrap());
        }
        let unknown = begun("learning_rate", Better::Auto).unwrap_err().to_string();
        assert!(unknown.contains("EarlyStopping") && unknown.contains("mode Min or Max"), "{unknown}");
    }

    #[test]
    fn a_score_that_will_not_be_there_is_refused() {
        let wrong = begun("val_acc", Better::Max).unwrap_err().to_string();
        assert!(wrong.contains("no score `val_acc`") && wrong.contains("loss, accuracy, mae, val_loss"), "{wrong}");
        let mut model = model();
        let mut training = training(&mut model, 1);
        training.names.retain(|name| !name.starts_with("val_"));
        training.validates = false;
        let error = Monitor::new("EarlyStopping", 0.0).begin(&training).unwrap_err().to_string();
        assert!(error.contains("`val_loss`") && error.contains("data to validate with"), "{error}");
    }

    #[test]
    fn an_improvement_is_more_than_the_least_change() {
        let mut monitor = Monitor::new("EarlyStopping", -0.25);
        assert!(monitor.improves(f64::NAN, None) && monitor.improves(1.0, Some(1.5)));
        assert!(!monitor.improves(1.25, Some(1.5)) && !monitor.improves(f64::NAN, Some(1.0)));
        monitor.larger = true;
        assert!(monitor.improves(2.0, Some(1.5)) && !monitor.improves(1.75, Some(1.5)));
        assert!(!monitor.improves(3.0, Some(f64::NAN)));
    }
}
