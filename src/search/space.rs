//! What is searched.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::hyperparameters::Hyperparameters;
use super::values::{Scale, Values};
use crate::ablate::Variant;
use crate::error::{Error, Result};
use crate::model::hash;

/// The values that trials draw from, each hyper-parameter on its own.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Space {
    /// The size of each LSTM, drawn for each; each order of magnitude is as likely.
    pub units: Values,
    /// How many LSTMs.
    pub layers: Values,
    /// Step sizes; each order of magnitude is as likely.
    pub learning_rate: Values,
    /// Shares of input features that are dropped in training.
    pub dropout: Values,
    /// Shares of its own output that an LSTM's gates do not see in training.
    pub recurrent_dropout: Values,
    /// Rows of a sample; none where the data say it themselves.
    pub windows: Vec<usize>,
    /// Ways to normalise. Those within the recurrence have no dropout: none is drawn for them.
    pub norms: Vec<Variant>,
    /// Samples of one training step.
    pub batch_sizes: Vec<usize>,
}

impl Space {
    /// Refuses a space that nothing can be drawn from, or that holds what cannot be trained.
    ///
    /// Errors: a hyper-parameter without a value or with an impossible one; dropout of at least some share for a way to normalise
    /// that has none.
    pub fn check(&self) -> Result<()> {
        const MOST_UNITS: f64 = 16_384.0;
        self.units.check("units", (1.0, MOST_UNITS))?;
        self.layers.check("layers", (1.0, 100.0))?;
        self.learning_rate.check("learning rates", (f64::MIN_POSITIVE, f64::MAX))?;
        let below_one = 1.0 - f64::EPSILON;
        let shares = [("dropout", &self.dropout), ("recurrent dropout", &self.recurrent_dropout)];
        shares.iter().try_for_each(|(name, values)| values.check(name, (0.0, below_one)))?;
        let empty = [("norms", self.norms.is_empty()), ("batch sizes", self.batch_sizes.is_empty())];
        if let Some((name, _)) = empty.iter().find(|(_, empty)| *empty) {
            return Err(Error::usage(format!("the space of {name} is empty")));
        }
        if [&self.windows, &self.batch_sizes].iter().any(|sizes| sizes.contains(&0)) {
            return Err(Error::usage("windows and batch sizes must be at least 1"));
        }
        let within = self.norms.iter().find(|norm| !norm.is_behind());
        match (within, shares.iter().find(|(_, values)| values.least() > 0.0)) {
            (Some(norm), Some((name, _))) => Err(Error::usage(format!(
                "{norm} has no {name}, which this space always has: leave {norm} out, or let {name} be 0 too"
            ))),
            _ => Ok(()),
        }
    }

    /// Epochs over so many samples before trials can be compared: where some are normalised over the batch, some 300 training steps,
    /// since moving averages (momentum 0.99) hold 5 % of their first values then; else one.
    pub fn settling_epochs(&self, samples: usize) -> usize {
        const STEPS: usize = 300;
        let averages = [Variant::BatchNorm, Variant::RecurrentBatchNorm];
        let largest =
            self.batch_sizes.iter().copied().max().filter(|_| averages.iter().any(|n| self.norms.contains(n)));
        largest.map_or(1, |batch| STEPS.div_ceil(samples.div_ceil(batch.max(1)).max(1)))
    }

    /// What a trial draws, from 1 on: a matter of the seed and its number alone. Each hyper-parameter is drawn on its own, so that
    /// fixing one leaves the others as they were.
    pub fn draw(&self, seed: u64, trial: usize) -> Hyperparameters {
        let rng = |name: &str| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(hash(format!("{name}/{trial}").bytes()));
            rng
        };
        let pick = |name: &str, count: usize| rng(name).random_range(0..count);
        let norm = self.norms[pick("norm", self.norms.len())];
        let share = |name: &str, values: &Values| match norm.is_behind() {
            true => values.draw(&mut rng(name), Scale::Even),
            false => 0.0,
        };
        let layers = self.layers.draw_whole(&mut rng("layers"), Scale::Even);
        let mut sizes = rng("units");
        Hyperparameters {
            units: (0..layers).map(|_| self.units.draw_whole(&mut sizes, Scale::Logarithmic)).collect(),
            norm,
            learning_rate: self.learning_rate.draw(&mut rng("learning_rate"), Scale::Logarithmic),
            dropout: share("dropout", &self.dropout),
            recurrent_dropout: share("recurrent_dropout", &self.recurrent_dropout),
            window: (!self.windows.is_empty()).then(|| self.windows[pick("window", self.windows.len())]),
            batch_size: self.batch_sizes[pick("batch_size", self.batch_sizes.len())],
        }
    }
}
