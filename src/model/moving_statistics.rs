//! What becomes of a batch's statistics when its training step is done.

use super::recorder::{Mode, Recorder};
use super::table::buffers;
use crate::kernels::{BatchNormMoving, BatchNormMovingSlots, BatchNormPopulation, BatchNormPopulationSlots};
use crate::plan::{ALIGNMENT, BufferSpec, Slot};
use std::ops::Range;

/// A batch's mean and biased variance, and the layer's variables that follow them.
pub(super) struct BatchStatistics {
    /// `[F]`; masked `[2, F]`, with the number of rows that count.
    pub mean: Slot,
    /// `[F]`
    pub variance: Slot,
    /// Rows of the batch.
    pub rows: usize,
    /// Whether the number of rows that count stands behind the means.
    pub masked: bool,
    /// The names of the moving mean and the moving variance; where they are shorter, only the first of the features are kept.
    pub moving: [String; 2],
    /// How much of these stays.
    pub momentum: f64,
    /// Whether they lie as the variables do, in [`buffers::batch_statistics`].
    pub in_place: bool,
}

/// Means and variances that lie in [`buffers::batch_statistics`] as the moving ones do among the variables, so that those of many
/// layers are moved at once; for the first use of a layer in a plan.
pub(super) fn in_place(recorder: &mut Recorder, features: usize) -> Option<(Slot, Slot)> {
    let table = recorder.table();
    let paths = ["moving_mean", "moving_variance"].map(|name| recorder.path(name));
    let ranges = paths.each_ref().map(|path| table.find(path).map(|variable| variable.device_range()));
    let [Ok(mean), Ok(variance)] = ranges else { return None };
    let [path, _] = paths;
    if mean.len() != features
        || variance.start != mean.end.next_multiple_of(ALIGNMENT)
        || !recorder.followed.insert(path)
    {
        return None;
    }
    let all = recorder.plan.persistent(&buffers::batch_statistics(&table));
    Some((all.range(mean), all.range(variance)))
}

/// A range of the variables that are not trained, which follows the batch's statistics with a momentum.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Followed {
    range: Range<usize>,
    momentum: f64,
}

/// Joins ranges with nothing but padding between them, which is 0 in both buffers and stays so.
fn joined(mut all: Vec<Followed>) -> Vec<Followed> {
    all.sort_by_key(|followed| followed.range.start);
    let mut joined: Vec<Followed> = Vec::new();
    for next in all {
        match joined.last_mut() {
            Some(last)
                if last.momentum == next.momentum && last.range.end.next_multiple_of(ALIGNMENT) == next.range.start =>
            {
                last.range.end = next.range.end;
            }
            _ => joined.push(next),
        }
    }
    joined
}

/// Records the steps that move them.
pub(super) fn advance_all(recorder: &mut Recorder) {
    let followed = joined(std::mem::take(&mut recorder.in_place));
    if followed.is_empty() {
        return;
    }
    recorder.enter("moving_statistics");
    let table = recorder.table();
    let plan = &mut recorder.plan;
    let (all, state) = (plan.persistent(&buffers::batch_statistics(&table)), plan.persistent(&buffers::state(&table)));
    let health = plan.persistent(&buffers::health());
    for Followed { range, momentum } in followed {
        let (batch, moving) = (all.range(range.clone()), state.range(range));
        let health = health.clone();
        BatchNormMoving::record(momentum, plan, BatchNormMovingSlots { batch, health, moving });
    }
}

impl BatchStatistics {
    /// Moves the moving statistics once the step is known to be healthy; in the pass over a data set, joins them to those of all rows
    /// before.
    pub(super) fn follow(self, recorder: &mut Recorder) {
        recorder.on_healthy(move |recorder| {
            let [moving_mean, moving_variance] = self.moving.each_ref().map(|name| recorder.variable(name));
            let len = self.variance.len.min(moving_mean.len);
            let [moving_mean, moving_variance] = [moving_mean, moving_variance].map(|slot| slot.range(0..len));
            match recorder.mode {
                Mode::Statistics => self.gather(recorder, moving_mean, moving_variance),
                _ => self.advance(recorder, moving_mean, moving_variance),
            }
        });
    }

    fn advance(&self, recorder: &mut Recorder, moving_mean: Slot, moving_variance: Slot) {
        if self.in_place {
            let range = moving_mean.offset..moving_variance.offset + moving_variance.len;
            recorder.in_place.push(Followed { range, momentum: self.momentum });
            return;
        }
        let len = moving_mean.len;
        let health = recorder.plan.persistent(&buffers::health());
        for (batch, moving) in [(&self.mean, moving_mean), (&self.variance, moving_variance)] {
            let slots = BatchNormMovingSlots { batch: batch.range(0..len), health: health.clone(), moving };
            BatchNormMoving::record(self.momentum, &mut recorder.plan, slots);
        }
    }

    fn gather(&self, recorder: &mut Recorder, total_mean: Slot, total_variance: Slot) {
        let name = format!("{}/{}", buffers::POPULATION_ROWS, recorder.path(&self.moving[0]));
        let counts = recorder.plan.persistent(&BufferSpec::persistent(name, &[total_mean.len]));
        let kernel = BatchNormPopulation { features: total_mean.len as u32, rows: self.rows as u32 };
        let (mean, variance) = (self.mean.clone(), self.variance.clone());
        let slots = BatchNormPopulationSlots { mean, variance, counts, total_mean, total_variance };
        kernel.record(self.masked, &mut recorder.plan, slots);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_joined_over_padding_alone_and_with_one_momentum() {
        let followed = |range: Range<usize>, momentum| Followed { range, momentum };
        let all =
            vec![followed(256..352, 0.9), followed(0..130, 0.9), followed(384..400, 0.9), followed(448..460, 0.5)];
        let expected = [followed(0..130, 0.9), followed(256..400, 0.9), followed(448..460, 0.5)];
        assert_eq!(joined(all), expected);
    }
}
