//! How runs of a plan are cut into submissions: many short runs make one, a long run makes several.

use std::ops::Range;

/// Dispatches of one submission, so that the queue can be waited for in between.
const MOST_DISPATCHES: f64 = 4096.0;
/// Multiplications and additions of one submission: drivers stop what takes some seconds, and a display that waits for its turn
/// stands still.
const MOST_FLOPS: f64 = 10e9;

/// What share of a submission a dispatch takes.
pub(super) fn share(flops: f64) -> f64 {
    (1.0 / MOST_DISPATCHES).max(flops / MOST_FLOPS)
}

/// The dispatches and the runs of each submission, for dispatches of these shares that are run once for each number in `runs`.
pub(super) fn submissions(shares: &[f64], runs: Range<usize>) -> Vec<(Range<usize>, Range<usize>)> {
    let whole: f64 = shares.iter().sum();
    if whole <= 1.0 {
        let at_once = (1.0 / whole.max(1e-9)) as usize;
        let end = runs.end;
        return runs.step_by(at_once).map(|first| (0..shares.len(), first..end.min(first + at_once))).collect();
    }
    let parts = parts(shares);
    runs.flat_map(|run| parts.iter().map(move |part| (part.clone(), run..run + 1))).collect()
}

/// Consecutive dispatches that make at most one submission, or a single one that is larger.
pub(super) fn parts(shares: &[f64]) -> Vec<Range<usize>> {
    let (mut parts, mut first, mut sum) = (Vec::new(), 0, 0.0);
    for (at, share) in shares.iter().enumerate() {
        if at > first && sum + share > 1.0 {
            parts.push(first..at);
            (first, sum) = (at, 0.0);
        }
        sum += share;
    }
    parts.push(first..shares.len());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_runs_share_a_submission() {
        assert_eq!(submissions(&[0.125, 0.125], 3..10), [(0..2, 3..7), (0..2, 7..10)]);
        assert_eq!(submissions(&[0.0], 0..5), [(0..1, 0..5)]);
    }

    #[test]
    fn a_long_run_is_cut_between_its_dispatches() {
        let expected = [(0..2, 4..5), (2..3, 4..5), (3..4, 4..5), (0..2, 5..6), (2..3, 5..6), (3..4, 5..6)];
        assert_eq!(submissions(&[0.5, 0.5, 0.5, 7.0], 4..6), expected);
    }

    #[test]
    fn a_dispatch_takes_the_larger_of_its_shares() {
        assert_eq!(share(0.0), 1.0 / 4096.0);
        assert_eq!(share(20e9), 2.0);
    }
}
