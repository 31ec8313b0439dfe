//! The order of a recurrence's time steps.

use std::ops::Range;

use crate::plan::Plan;

/// The order in which a recurrence takes its time steps, and where it keeps its states: those after step t lie at `t + 1`, and
/// backwards in time at `t`, so that a step's gates and the state that it reads lie in the same order either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// T.
    pub steps: usize,
    /// From the last time step to the first.
    pub reverse: bool,
}

impl Sweep {
    /// The same the other way round.
    pub fn back(self) -> Sweep {
        Sweep { reverse: !self.reverse, ..self }
    }

    /// The time step that is done as number `k`.
    pub fn time(self, k: usize) -> usize {
        if self.reverse { self.steps - 1 - k } else { k }
    }

    /// Where the state that time step `t` reads lies among T+1.
    pub fn before(self, t: usize) -> usize {
        if self.reverse { t + 1 } else { t }
    }

    /// Where the state that it makes lies.
    pub fn after(self, t: usize) -> usize {
        if self.reverse { t } else { t + 1 }
    }

    /// Where the initial state lies.
    pub fn initial(self) -> usize {
        self.before(self.time(0))
    }

    /// Where the final state lies.
    pub fn last(self) -> usize {
        self.after(self.time(self.steps - 1))
    }

    /// Where the states that the time steps read begin, in the order of time.
    pub fn first_read(self) -> usize {
        usize::from(self.reverse)
    }

    /// Where those that they make begin.
    pub fn first_made(self) -> usize {
        usize::from(!self.reverse)
    }

    /// Where the earliest of the steps of these numbers, of `steps` consecutive ones, lies among them in time.
    pub(super) fn earliest(steps: u32, reverse: u32, numbers: &Range<u32>) -> u32 {
        if reverse != 0 { steps - numbers.end } else { numbers.start }
    }

    /// Consecutive time steps whose parts of a tensor of `len` elements a step fit one binding, `beside` others with them, in the
    /// order in which they are done.
    pub fn chunks(self, plan: &Plan, len: usize, beside: usize) -> Vec<Range<usize>> {
        let mut chunks = plan.step_chunks(self.steps, len, beside);
        if self.reverse {
            chunks.reverse();
        }
        chunks
    }
}
