//! Histograms of predictions.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// Weights of positive and of negative labels by their predictions' bucket, over blocks of rows.
    pub struct Histogram {
        /// Rows of this run.
        pub rows: u32,
        /// O.
        pub outputs: u32,
        /// B.
        pub buckets: u32,
        /// Rows of one block.
        pub block_rows: u32,
        /// The first block of this run.
        pub block_at: u32,
        /// Set by `record`.
        pub weighted: u32,
    }
}

/// Slots of [`Histogram`].
pub struct HistogramSlots {
    /// `[rows, O]`
    pub prediction: Slot,
    /// `[rows, O]`
    pub truth: Slot,
    /// `[rows]`, where rows are weighted
    pub weights: Option<Slot>,
    /// `[blocks, 2, B]`
    pub sums: Slot,
}

impl Histogram {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: HistogramSlots) {
        let weighted = slots.weights.is_some().into();
        let weights = slots.weights.unwrap_or_else(|| plan.nothing());
        let bound = [&slots.prediction, &slots.truth, &weights, &slots.sums];
        Histogram { weighted, ..self }.push(plan, Options::none(), &bound);
    }

    /// The bucket of a prediction, in single precision on every executor, since rounding decides on multiples of a bucket's width.
    fn bucket<T: Real>(&self, x: T) -> usize {
        let scaled = (x.to_f64() as f32).clamp(0.0, 1.0) * (self.buckets - 1) as f32;
        // A prediction that is no number becomes 0.
        (scaled.ceil() - 1.0).max(0.0) as usize
    }
}

impl Kernel for Histogram {
    const INFO: &'static KernelInfo = info!(
        Histogram,
        "histogram",
        &[Binding::read("prediction"), Binding::read("truth"), Binding::read("weights"), Binding::read_write("sums")],
        &[]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.rows.div_ceil(self.block_rows) * self.buckets)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (prediction, truth, weights, sums) = (args.read(), args.read(), args.read(), args.write());
        let (rows, outputs, buckets) = (self.rows as usize, self.outputs as usize, self.buckets as usize);
        let block_rows = self.block_rows as usize;
        let first = self.block_at as usize * 2 * buckets;
        sums[first..first + rows.div_ceil(block_rows) * 2 * buckets].fill(T::zero());
        for row in 0..rows {
            let weight = if self.weighted != 0 { weights[row] } else { T::one() };
            for at in row * outputs..(row + 1) * outputs {
                let half = if truth[at] != T::zero() { 0 } else { buckets };
                let out = &mut sums[first + row / block_rows * 2 * buckets + half + self.bucket(prediction[at])];
                *out = *out + weight;
            }
        }
    }
}
