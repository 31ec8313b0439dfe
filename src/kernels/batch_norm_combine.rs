//! Mean and variance of every feature from its blocks.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// Count-weighted join of the blocks, in order (Chan, Golub & LeVeque 1983); biased variance.
    pub struct BatchNormCombine {
        /// All rows.
        pub rows: u32,
        /// F.
        pub features: u32,
        /// Rows of one block.
        pub block_rows: u32,
    }
}

/// Slots of [`BatchNormCombine`].
pub struct BatchNormCombineSlots {
    /// `[blocks, F]`
    pub means: Slot,
    /// `[blocks, F]`
    pub m2s: Slot,
    /// `[F]`
    pub mean: Slot,
    /// `[F]`
    pub variance: Slot,
}

impl BatchNormCombine {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: BatchNormCombineSlots) {
        self.push(plan, Options::none(), &[&slots.means, &slots.m2s, &slots.mean, &slots.variance]);
    }
}

impl Kernel for BatchNormCombine {
    const INFO: &'static KernelInfo = info!(
        BatchNormCombine,
        "batch_norm_combine",
        &[Binding::read("means"), Binding::read("m2s"), Binding::write("mean"), Binding::write("variance")],
        &[]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.features)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (means, m2s, mean, variance) = (args.read(), args.read(), args.write(), args.write());
        let features = self.features as usize;
        for feature in 0..features {
            let mut total_mean = means[feature];
            let mut total_m2 = m2s[feature];
            let mut count = self.rows.min(self.block_rows);
            for block in 1..self.rows.div_ceil(self.block_rows) {
                let n = self.rows.min((block + 1) * self.block_rows) - block * self.block_rows;
                let at = block as usize * features + feature;
                let delta = means[at] - total_mean;
                let share = T::count(n) / T::count(count + n);
                total_mean = total_mean + delta * share;
                total_m2 = total_m2 + (m2s[at] + delta * delta * T::count(count) * share);
                count += n;
            }
            mean[feature] = total_mean;
            variance[feature] = total_m2 / T::count(count);
        }
    }
}
