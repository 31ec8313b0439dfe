//! Mean and M2 of every feature over blocks of rows.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d, sum_in_runs};
use crate::plan::{Plan, Slot};

params! {
    /// Corrected two-pass mean and sum of squared deviations per block (Chan, Golub & LeVeque 1983).
    pub struct BatchNormPartial {
        /// Rows of this run.
        pub rows: u32,
        /// F.
        pub features: u32,
        /// Rows of one block.
        pub block_rows: u32,
        /// The first block of this run.
        pub block_at: u32,
    }
}

/// Slots of [`BatchNormPartial`].
pub struct BatchNormPartialSlots {
    /// `[rows, F]`
    pub x: Slot,
    /// `[blocks, F]`
    pub means: Slot,
    /// `[blocks, F]` sums of squared deviations from the block's mean
    pub m2s: Slot,
}

impl BatchNormPartial {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: BatchNormPartialSlots) {
        self.push(plan, Options::none(), &[&slots.x, &slots.means, &slots.m2s]);
    }
}

impl Kernel for BatchNormPartial {
    const INFO: &'static KernelInfo = info!(
        BatchNormPartial,
        "batch_norm_partial",
        &[Binding::read("x"), Binding::read_write("means"), Binding::read_write("m2s")],
        &[]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.rows.div_ceil(self.block_rows) * self.features)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (x, means, m2s) = (args.read(), args.write(), args.write());
        let (features, block_rows) = (self.features as usize, self.block_rows as usize);
        let x = &x[..self.rows as usize * features];
        for (block, rows) in x.chunks(block_rows * features).enumerate() {
            let count = T::count((rows.len() / features) as u32);
            for feature in 0..features {
                let values = || rows.iter().skip(feature).step_by(features).copied();
                let mean = sum_in_runs(values()) / count;
                let deviation = sum_in_runs(values().map(|v| v - mean));
                let squares = sum_in_runs(values().map(|v| (v - mean) * (v - mean)));
                let shift = deviation / count;
                let out = (self.block_at as usize + block) * features + feature;
                means[out] = mean + shift;
                m2s[out] = squares - deviation * shift;
            }
        }
    }
}
