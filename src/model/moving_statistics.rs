//! What becomes of a batch's statistics when its training step is done.

use super::recorder::{Mode, Recorder};
use super::table::buffers;
use crate::kernels::{BatchNormMoving, BatchNormMovingSlots, BatchNormPopulation, BatchNormPopulationSlots};
use crate::plan::{BufferSpec, Slot};

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
        let len = moving_mean.len;
        let kernel = BatchNormMoving {
            features: len as u32,
            momentum: self.momentum as f32,
            one_minus_momentum: (1.0 - self.momentum) as f32,
        };
        let health = recorder.plan.persistent(&buffers::health());
        let (mean, variance) = (self.mean.range(0..len), self.variance.range(0..len));
        let slots = BatchNormMovingSlots { mean, variance, health, moving_mean, moving_variance };
        kernel.record(&mut recorder.plan, slots);
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
