//! Training every variant at every rate from every seed.

use serde::Serialize;

use super::variant::Variant;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::train::{Batches, Callback, Fit, Model, Scores, Training};

/// What is compared, and for how long each run trains.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ablation {
    /// The ways to normalise.
    pub variants: Vec<Variant>,
    /// Learning rates.
    pub rates: Vec<f64>,
    /// Seeds of first weights and shuffling: each variant meets the same ones.
    pub seeds: Vec<u64>,
    /// Epochs of each run.
    pub epochs: usize,
    /// Samples of one training step.
    pub batch_size: usize,
}

/// Where a run stopped because its loss or a gradient was not finite.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Divergence {
    /// The epoch, from 1, in which it happened.
    pub epoch: usize,
    /// What was not finite.
    pub reason: String,
}

/// One model's training.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Run {
    /// How it was normalised.
    pub variant: Variant,
    /// Its learning rate.
    pub rate: f64,
    /// Its seed.
    pub seed: u64,
    /// The loss of the first training step, before its update: of one batch, but in training mode as those that it is compared with.
    pub initial_loss: f64,
    /// The scores of `fit` of each epoch that ended with a finite loss.
    pub epochs: Vec<Scores>,
    /// Where it diverged, if it did.
    pub diverged: Option<Divergence>,
}

impl Run {
    /// Whether it trained: to the end, and to a training loss below the one it began with.
    pub fn trained(&self) -> bool {
        self.diverged.is_none() && self.last("loss").is_some_and(|loss| loss < self.initial_loss)
    }

    /// A score of its last epoch.
    pub fn last(&self, name: &str) -> Option<f64> {
        self.epochs.last()?.get(name)
    }

    /// The first epoch, from 1, that ended with a training loss of at most `goal`.
    pub fn epochs_to(&self, goal: f64) -> Option<usize> {
        let reached = |scores: &Scores| scores.get("loss").is_some_and(|loss| loss <= goal);
        self.epochs.iter().position(reached).map(|epoch| epoch + 1)
    }

    /// The best value of a score over its epochs; values that are not finite do not count.
    pub fn best(&self, name: &str, larger_is_better: bool) -> Option<f64> {
        let values = self.epochs.iter().filter_map(|scores| scores.get(name)).filter(|value| value.is_finite());
        values.reduce(if larger_is_better { f64::max } else { f64::min })
    }
}

impl Ablation {
    /// Trains `build(variant, rate, seed)` for every variant, rate and seed, in this order; `watch` sees each run as it ends.
    ///
    /// A run that diverges is a result like others. Errors: nothing to compare, and what `build` and `fit` refuse.
    pub fn run(
        &self,
        train: &Dataset,
        validation: &Dataset,
        mut build: impl FnMut(Variant, f64, u64) -> Result<Model>,
        mut watch: impl FnMut(&Run),
    ) -> Result<Vec<Run>> {
        self.check()?;
        let mut runs = Vec::with_capacity(self.len());
        for &variant in &self.variants {
            for &rate in &self.rates {
                for &seed in &self.seeds {
                    let mut model = build(variant, rate, seed)?;
                    let Keep { initial_loss, epochs, diverged } = self.train(&mut model, train, validation)?;
                    let run = Run { variant, rate, seed, initial_loss, epochs, diverged };
                    watch(&run);
                    runs.push(run);
                }
            }
        }
        Ok(runs)
    }

    /// How many runs there are.
    pub fn len(&self) -> usize {
        self.variants.len() * self.rates.len() * self.seeds.len()
    }

    /// Whether there is nothing to run.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn check(&self) -> Result<()> {
        let counts = [
            ("variant", self.variants.len()),
            ("learning rate", self.rates.len()),
            ("seed", self.seeds.len()),
            ("epoch", self.epochs),
        ];
        match counts.into_iter().find(|(_, count)| *count == 0) {
            Some((name, _)) => Err(Error::usage(format!("a comparison needs at least one {name}"))),
            None => Ok(()),
        }
    }

    fn train(&self, model: &mut Model, train: &Dataset, validation: &Dataset) -> Result<Keep> {
        let mut kept = Keep { initial_loss: f64::NAN, epochs: Vec::new(), diverged: None };
        let fit = Fit::epochs(self.epochs).batch_size(self.batch_size).validation(validation).callback(&mut kept);
        match model.fit(train, fit) {
            Ok(_) => {}
            Err(Error::NonFinite { step, tensor, index }) => {
                let reason = format!("`{tensor}`[{index}] is not finite at step {step}");
                kept.diverged = Some(Divergence { epoch: kept.epochs.len() + 1, reason });
            }
            Err(error) => return Err(error),
        }
        Ok(kept)
    }
}

/// Keeps what epochs gave, since an error of `fit` loses its history; ends training at a loss that is not finite.
struct Keep {
    initial_loss: f64,
    epochs: Vec<Scores>,
    diverged: Option<Divergence>,
}

impl Callback for Keep {
    fn batches(&self) -> Batches {
        Batches::Bunched
    }

    fn on_batch_end(&mut self, batch: usize, logs: &Scores, _: &mut Training<'_>) -> Result<()> {
        if batch == 0 && self.epochs.is_empty() {
            self.initial_loss = logs.get("loss").unwrap_or(f64::NAN);
        }
        Ok(())
    }

    fn on_epoch_end(&mut self, epoch: usize, logs: &mut Scores, training: &mut Training<'_>) -> Result<()> {
        if logs.get("loss").is_some_and(f64::is_finite) {
            self.epochs.push(logs.clone());
        } else {
            self.diverged = Some(Divergence { epoch: epoch + 1, reason: "the loss is not finite".into() });
            training.stop();
        }
        Ok(())
    }
}
