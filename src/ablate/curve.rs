//! Runs as lines to draw.

use serde::Serialize;

use super::run::Run;
use super::spread::Spread;
use super::variant::Variant;

/// A score of one variant at one rate, epoch by epoch, over seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curve {
    /// How the runs were normalised.
    pub variant: Variant,
    /// Their learning rate.
    pub rate: f64,
    /// For epochs 1, 2, ...: it ends before the first epoch that some run did not end with a finite value, since a mean over those that
    /// are left would flatter.
    pub points: Vec<Spread>,
    /// How many of the runs diverged.
    pub diverged: usize,
    /// How many there are.
    pub runs: usize,
}

/// The curves of a score, one for each variant and rate, in the order of the runs.
pub fn curves(runs: &[Run], score: &str) -> Vec<Curve> {
    let mut curves: Vec<Curve> = Vec::new();
    for run in runs {
        let same = |variant, rate: f64| (run.variant, run.rate) == (variant, rate);
        if curves.iter().any(|curve| same(curve.variant, curve.rate)) {
            continue;
        }
        let runs: Vec<&Run> = runs.iter().filter(|run| same(run.variant, run.rate)).collect();
        let shortest = runs.iter().map(|run| run.epochs.len()).min().unwrap_or(0);
        let at = |epoch: usize| Spread::of(runs.iter().map(|run| run.epochs[epoch].get(score).unwrap_or(f64::NAN)));
        curves.push(Curve {
            variant: run.variant,
            rate: run.rate,
            points: (0..shortest).map_while(at).collect(),
            diverged: runs.iter().filter(|run| run.diverged.is_some()).count(),
            runs: runs.len(),
        });
    }
    curves
}
