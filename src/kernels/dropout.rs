//! Dropout, forwards and backwards.

use super::info::{info, params};
use super::random::{Drops, threshold};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// y = x times a factor that is 0 with probability `rate`, else 1 / (1 - rate) (+ y). The gradient is the same with the
    /// same key: the factors are computed again.
    pub struct Dropout {
        /// Rows of this run; set by `record_whole`, as is `row_at`.
        pub rows: u32,
        /// N.
        pub samples: u32,
        /// F.
        pub features: u32,
        /// The first row of this run, of T N.
        pub row_at: u32,
        /// From a step's factor to the next one's; 0 where all steps share one.
        pub step_stride: u32,
        /// The same of samples.
        pub sample_stride: u32,
        /// The same of features.
        pub feature_stride: u32,
        /// Of the random numbers; from `Recorder::random_key`.
        pub key_0: u32,
        /// Its second half.
        pub key_1: u32,
        /// rate 2^32; set by `record_whole`.
        pub threshold: u32,
        /// The share that is dropped, from 0 to below 1.
        pub rate: f32,
        /// 1: add to what is there.
        pub accumulate: u32,
    }
}

/// Slots of [`Dropout`].
pub struct DropoutSlots {
    /// `[T, N, F]`
    pub x: Slot,
    /// `[T, N, F]`
    pub y: Slot,
}

impl Dropout {
    /// Records as many runs as bindings need, for all T N `rows`.
    pub fn record_whole(self, rows: usize, plan: &mut Plan, slots: DropoutSlots) {
        let features = self.features as usize;
        for part in plan.row_chunks(rows, &[features]) {
            let run =
                Dropout { rows: part.len() as u32, row_at: part.start as u32, threshold: threshold(self.rate), ..self };
            let (x, y) = (slots.x.rows(part.clone(), features), slots.y.rows(part, features));
            run.push(plan, Options::none(), &[&x, &y]);
        }
    }
}

impl Kernel for Dropout {
    const INFO: &'static KernelInfo = info!(Dropout, "dropout", &[Binding::read("x"), Binding::read_write("y")], &[]);

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.rows * self.features)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let key = [self.key_0, self.key_1];
        let drops = Drops { key, step: args.scalars.step, threshold: self.threshold, rate: self.rate };
        let (mut factor, x, y) = (drops.factors(), args.read(), args.write());
        for i in 0..self.rows * self.features {
            let (row, feature) = (self.row_at + i / self.features, i % self.features);
            let (step, sample) = (row / self.samples, row % self.samples);
            let index = step * self.step_stride + sample * self.sample_stride + feature * self.feature_stride;
            let i = i as usize;
            let value = factor(index).map_or(T::zero(), |factor| x[i] * factor);
            y[i] = if self.accumulate != 0 { value + y[i] } else { value };
        }
    }
}
