//! Sequences turned so that their steps lie as features do.

use super::recorder::{Recorder, Tensor};
use crate::kernels::{Rearrange, RearrangeSlots, Strides};
use crate::plan::Slot;

/// A sequence `[T, N, F]` as a matrix `[N F, T]`: each step is a column.
#[derive(Clone, Copy, Debug)]
pub(super) struct TurnedSteps {
    pub steps: usize,
    samples: usize,
    features: usize,
}

impl TurnedSteps {
    /// Of a sequence.
    pub fn of(recorder: &Recorder, tensor: &Tensor) -> Self {
        TurnedSteps { steps: tensor.steps.unwrap_or(1), samples: recorder.samples, features: tensor.features }
    }

    /// N F.
    pub fn rows(&self) -> usize {
        self.samples * self.features
    }

    /// Room for such a matrix.
    pub fn room(&self, recorder: &mut Recorder, name: &str) -> Slot {
        recorder.plan.scratch(name, &[self.rows(), self.steps])
    }

    /// The matrix of a sequence.
    pub fn turn(&self, recorder: &mut Recorder, name: &str, x: &Slot) -> Slot {
        let out = self.room(recorder, name);
        let strides = (Strides::new([0, 1, self.rows()]), Strides::new([0, self.steps, 1]));
        let slots = RearrangeSlots { x: x.clone(), out: out.clone() };
        Rearrange::record([1, self.rows(), self.steps], strides, false, &mut recorder.plan, slots);
        out
    }

    /// A matrix (added) to where its sequence lies.
    pub fn turn_back(&self, recorder: &mut Recorder, x: Slot, out: Slot, accumulate: bool) {
        let strides = (Strides::new([0, 1, self.steps]), Strides::new([0, self.rows(), 1]));
        let counts = [1, self.steps, self.rows()];
        Rearrange::record(counts, strides, accumulate, &mut recorder.plan, RearrangeSlots { x, out });
    }

    /// A mask of steps, `[T, N]`, for each element of the matrix.
    pub fn mask(&self, recorder: &mut Recorder, mask: &Slot) -> Slot {
        let out = self.room(recorder, "turned_mask");
        let strides = (Strides::new([1, 0, self.samples]), Strides::new([self.features * self.steps, self.steps, 1]));
        let counts = [self.samples, self.features, self.steps];
        let slots = RearrangeSlots { x: mask.clone(), out: out.clone() };
        Rearrange::record(counts, strides, false, &mut recorder.plan, slots);
        out
    }
}
