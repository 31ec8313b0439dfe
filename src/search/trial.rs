//! What came of trials, and which are the best.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::hyperparameters::Hyperparameters;
use super::objective::Objective;

/// What came of a trial up to the end of a rung, or to where it was cut off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Its number, from 1.
    pub trial: usize,
    /// The last rung that it came to, from 0.
    pub rung: usize,
    /// Seed of its first weights and its shuffling.
    pub seed: u64,
    /// What it drew.
    pub hyperparameters: Hyperparameters,
    /// Epochs that it has trained for.
    pub epochs: usize,
    /// The best of them, from 1, whose scores and model are kept; 0 where none is.
    pub best_epoch: usize,
    /// That epoch's scores; a number that is not finite is none.
    pub scores: BTreeMap<String, Option<f64>>,
    /// The scores of each of its epochs, in order; none where it failed.
    #[serde(default)]
    pub history: Vec<BTreeMap<String, Option<f64>>>,
    /// Time that its epochs took.
    pub seconds: f64,
    /// How it ended.
    pub ended: Ended,
}

/// How a trial ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// With the rung.
    Whole,
    /// The time was up.
    Budget,
    /// By [`Setting::interrupt`](super::Setting::interrupt).
    Interrupted,
    /// A loss or a gradient was not finite.
    Diverged(String),
    /// The model could not be made or trained, such as for too little memory.
    Refused(String),
}

impl Trial {
    /// A score of its best epoch.
    pub fn score(&self, name: &str) -> Option<f64> {
        self.scores.get(name).copied().flatten()
    }

    /// Its value of the objective; none where it failed.
    pub fn value(&self, objective: &Objective) -> Option<f64> {
        let failed = matches!(self.ended, Ended::Diverged(_) | Ended::Refused(_));
        self.score(&objective.name).filter(|_| !failed)
    }

    /// Whether it can go on.
    pub(super) fn is_cut(&self) -> bool {
        matches!(self.ended, Ended::Budget | Ended::Interrupted)
    }
}

/// The trials of a rung that go on, the best first.
pub(super) fn best<'a>(of_rung: impl Iterator<Item = &'a Trial>, objective: &Objective) -> Vec<&'a Trial> {
    let mut judged: Vec<_> = of_rung.filter_map(|trial| Some((trial.value(objective)?, trial))).collect();
    judged.sort_by(|a, b| objective.order(a.0, b.0).then(a.1.trial.cmp(&b.1.trial)));
    judged.into_iter().map(|(_, trial)| trial).collect()
}

/// Each trial as far as it came: the best first, those that failed at the end.
pub(super) fn standing(records: &[Trial], objective: &Objective) -> Vec<Trial> {
    let latest = |trial: &&Trial| !records.iter().any(|other| other.trial == trial.trial && other.rung > trial.rung);
    let mut all: Vec<Trial> = best(records.iter().filter(latest), objective).into_iter().cloned().collect();
    let mut others: Vec<Trial> =
        records.iter().filter(latest).filter(|t| t.value(objective).is_none()).cloned().collect();
    others.sort_by_key(|trial| trial.trial);
    all.append(&mut others);
    all
}
