//! What came of the runs, in figures.

use serde::Serialize;

use super::run::Run;
use super::spread::Spread;
use super::variant::Variant;

/// The score whose best value over a run's epochs is compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judged {
    /// Its name in an epoch's scores, such as `val_accuracy`.
    pub name: String,
    /// Whether more of it is better.
    pub larger_is_better: bool,
}

/// All runs, condensed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The training loss that runs race to; none where no run trained.
    pub goal: Option<f64>,
    /// What generalisation is judged by.
    pub judged: Judged,
    /// One for each variant and rate, in the order of the runs.
    pub cells: Vec<Cell>,
    /// One for each variant.
    pub standings: Vec<Standing>,
}

/// One variant at one learning rate, over seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cell {
    /// How the runs were normalised.
    pub variant: Variant,
    /// Their learning rate.
    pub rate: f64,
    /// How many there are.
    pub runs: usize,
    /// How many trained: see [`Run::trained`].
    pub trained: usize,
    /// How many reached the goal.
    pub reached: usize,
    /// Epochs to the goal, of those that reached it.
    pub epochs_to_goal: Option<Spread>,
    /// The best values of the judged score, of those that ended an epoch.
    pub best: Option<Spread>,
    /// The training loss of the last epoch, of those that did not diverge.
    pub last_loss: Option<Spread>,
}

/// A variant at its best, by each of the benefits that normalisation promises.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Standing {
    /// How it was normalised.
    pub variant: Variant,
    /// Faster convergence: the cell with most runs at the goal and, of these, the fewest epochs.
    pub fastest: Option<Cell>,
    /// Better generalisation: the cell with the best mean of the judged score, of those whose runs all trained.
    pub best: Option<Cell>,
    /// Higher learning rates: the highest at which all runs trained.
    pub highest_rate: Option<f64>,
    /// Stability: how many runs trained, over all rates.
    pub trained: usize,
    /// How many runs there are.
    pub runs: usize,
    /// Stability: how far the best values of the judged score lie apart, over all rates and seeds that ended an epoch.
    pub over_all: Option<Spread>,
}

impl Summary {
    /// Condenses runs; the goal is the given training loss or else [`common_goal`].
    pub fn of(runs: &[Run], judged: Judged, goal: Option<f64>) -> Summary {
        let goal = goal.or_else(|| common_goal(runs));
        let mut cells: Vec<Cell> = Vec::new();
        for run in runs {
            if !cells.iter().any(|cell| cell.has(run)) {
                cells.push(Cell::of(runs, (run.variant, run.rate), &judged, goal));
            }
        }
        let standings =
            variants(runs).into_iter().map(|variant| Standing::of(runs, &cells, variant, &judged)).collect();
        Summary { goal, judged, cells, standings }
    }
}

/// The lowest training loss, rounded up to two digits, that every variant reaches at its best rate from every seed; variants that
/// never train do not count. So the race has no variant that cannot end it, and no easy goal.
pub fn common_goal(runs: &[Run]) -> Option<f64> {
    let least = |run: &Run| if run.trained() { run.best("loss", false) } else { None };
    let at_rate = |variant: Variant, rate: f64| {
        let mut at = runs.iter().filter(|run| run.variant == variant && run.rate == rate).map(least);
        at.try_fold(f64::NEG_INFINITY, |worst, loss| Some(worst.max(loss?)))
    };
    let of_variant = |variant: Variant| {
        let rates = runs.iter().filter(|run| run.variant == variant).map(|run| run.rate);
        rates.filter_map(|rate| at_rate(variant, rate)).reduce(f64::min)
    };
    variants(runs).into_iter().filter_map(of_variant).reduce(f64::max).map(round_up)
}

/// Up to two significant digits.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return value;
    }
    let digits = 1 - value.log10().floor() as i32;
    // Dividing by a power of ten that is exact gives the number nearest to the decimal one.
    let (scale, shrinks) = (10f64.powi(digits.abs()), digits < 0);
    if shrinks { (value / scale).ceil() * scale } else { (value * scale).ceil() / scale }
}

/// The variants of runs, in order.
fn variants(runs: &[Run]) -> Vec<Variant> {
    Variant::ALL.into_iter().filter(|&variant| runs.iter().any(|run| run.variant == variant)).collect()
}

impl Cell {
    fn has(&self, run: &Run) -> bool {
        (self.variant, self.rate) == (run.variant, run.rate)
    }

    fn of(runs: &[Run], (variant, rate): (Variant, f64), judged: &Judged, goal: Option<f64>) -> Cell {
        let runs: Vec<&Run> = runs.iter().filter(|run| (run.variant, run.rate) == (variant, rate)).collect();
        let reached: Vec<f64> = runs.iter().filter_map(|run| Some(run.epochs_to(goal?)? as f64)).collect();
        let best = runs.iter().filter_map(|run| run.best(&judged.name, judged.larger_is_better));
        let ended = runs.iter().filter(|run| run.diverged.is_none());
        Cell {
            variant,
            rate,
            runs: runs.len(),
            trained: runs.iter().filter(|run| run.trained()).count(),
            reached: reached.len(),
            epochs_to_goal: Spread::of(reached),
            best: Spread::of(best),
            last_loss: Spread::of(ended.filter_map(|run| run.last("loss"))),
        }
    }
}

impl Standing {
    fn of(runs: &[Run], cells: &[Cell], variant: Variant, judged: &Judged) -> Standing {
        let mine = || cells.iter().filter(move |cell| cell.variant == variant);
        let mean = |spread: &Option<Spread>| spread.map_or(f64::NAN, |spread| spread.mean);
        let slowness = |cell: &&Cell| (cell.runs - cell.reached, mean(&cell.epochs_to_goal));
        let fastest = mine().filter(|cell| cell.reached > 0).min_by(|a, b| {
            let ((a_missed, a_epochs), (b_missed, b_epochs)) = (slowness(a), slowness(b));
            a_missed.cmp(&b_missed).then(a_epochs.total_cmp(&b_epochs))
        });
        let all_trained = || mine().filter(|cell| cell.trained == cell.runs);
        let badness = |cell: &Cell| if judged.larger_is_better { -mean(&cell.best) } else { mean(&cell.best) };
        let best = all_trained().filter(|cell| cell.best.is_some());
        let best = best.min_by(|a, b| badness(a).total_cmp(&badness(b)));
        let of_variant = runs.iter().filter(|run| run.variant == variant);
        Standing {
            variant,
            fastest: fastest.cloned(),
            best: best.cloned(),
            highest_rate: all_trained().map(|cell| cell.rate).reduce(f64::max),
            trained: mine().map(|cell| cell.trained).sum(),
            runs: mine().map(|cell| cell.runs).sum(),
            over_all: Spread::of(of_variant.filter_map(|run| run.best(&judged.name, judged.larger_is_better))),
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
