//! How many trials train for how long.

use serde::Serialize;

use crate::error::{Error, Result};

/// How epochs are shared out among trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// All epochs for every trial (Bergstra and Bengio 2012).
    Random,
    /// Successive halving (Jamieson and Talwalkar 2016; as a bracket of Hyperband, Li et al. 2018): all trials train for a few epochs, the
    /// best of them go on to `factor` times as many, and so on.
    Halving {
        /// One in so many trials goes on.
        factor: usize,
        /// Epochs of all trials.
        first_epochs: usize,
    },
}

/// A step of the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Rung {
    /// How many trials get here at most: the best of the rung before.
    pub trials: usize,
    /// Epochs that they have trained for at its end.
    pub epochs: usize,
}

impl Method {
    /// One trial in so many goes on, with so many times the epochs.
    pub const FACTOR: usize = 3;

    /// Successive halving by [`Method::FACTOR`], from a ninth of the epochs on, but from no fewer than those of
    /// [`Space::settling_epochs`](super::Space::settling_epochs).
    pub fn halving(epochs: usize, settling_epochs: usize) -> Method {
        Method::Halving {
            factor: Self::FACTOR,
            first_epochs: (epochs / 9).max(settling_epochs).clamp(1, epochs.max(1)),
        }
    }

    /// The rungs for so many trials and for the most epochs of one. A trial that is alone goes on to the end.
    ///
    /// Errors: no trial or no epoch, a factor below 2, more first epochs than epochs.
    pub fn rungs(self, trials: usize, epochs: usize) -> Result<Vec<Rung>> {
        if trials == 0 || epochs == 0 {
            return Err(Error::usage("a search needs at least one trial and one epoch"));
        }
        let Method::Halving { factor, first_epochs } = self else { return Ok(vec![Rung { trials, epochs }]) };
        if factor < 2 || first_epochs == 0 || first_epochs > epochs {
            return Err(Error::usage(format!(
                "successive halving needs a factor of at least 2 and 1 to {epochs} first epochs, not {factor} and {first_epochs}"
            )));
        }
        let mut rungs = vec![Rung { trials, epochs: if trials == 1 { epochs } else { first_epochs } }];
        while let Some(last) = rungs.last().copied().filter(|last| last.epochs < epochs) {
            let trials = (last.trials / factor).max(1);
            let more = last.epochs.saturating_mul(factor).min(epochs);
            rungs.push(Rung { trials, epochs: if trials == 1 { epochs } else { more } });
        }
        Ok(rungs)
    }
}
