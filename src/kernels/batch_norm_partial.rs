//! Mean and M2 of every feature over blocks of rows.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Override, Real, grid_1d, sum_in_runs};
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
        /// Where x begins in its binding; set by `record`.
        pub x_at: u32,
        /// 1: the biased variance instead of the sum of squared deviations.
        pub divide: u32,
    }
}

/// Slots of [`BatchNormPartial`].
pub struct BatchNormPartialSlots {
    /// `[rows, F]`
    pub x: Slot,
    /// `[rows]`, 0 or 1, and where the counts go, `[blocks]`; if only some rows count
    pub mask: Option<(Slot, Slot)>,
    /// `[blocks, F]`
    pub means: Slot,
    /// `[blocks, F]` sums of squared deviations from the block's mean
    pub m2s: Slot,
}

impl BatchNormPartial {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: BatchNormPartialSlots) {
        let options = Options::one("MASKED", slots.mask.is_some().into());
        let (mask, counts) = slots.mask.unwrap_or_else(|| (plan.nothing(), plan.unused()));
        let (x, x_at) = slots.x.aligned();
        BatchNormPartial { x_at, ..self }.push(plan, options, &[&x, &mask, &slots.means, &slots.m2s, &counts]);
    }
}

impl Kernel for BatchNormPartial {
    const INFO: &'static KernelInfo = info!(
        BatchNormPartial,
        "batch_norm_partial",
        &[
            Binding::read("x"),
            Binding::read("mask"),
            Binding::read_write("means"),
            Binding::read_write("m2s"),
            Binding::read_write("counts"),
        ],
        &[Override { name: "MASKED", values: &[0, 1] }]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.rows.div_ceil(self.block_rows) * self.features)
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (x, mask, means, m2s, counts) = (args.read(), args.read(), args.write(), args.write(), args.write());
        let masked = options.get("MASKED") != 0;
        let (features, block_rows) = (self.features as usize, self.block_rows as usize);
        let x = &x[self.x_at as usize..][..self.rows as usize * features];
        for (block, rows) in x.chunks(block_rows * features).enumerate() {
            let len = rows.len() / features;
            let counts_row = |row: usize| !masked || mask[block * block_rows + row] != T::zero();
            let mut count = T::count(len as u32);
            if masked {
                let valid = (0..len).filter(|&row| counts_row(row)).count() as u32;
                counts[self.block_at as usize + block] = T::count(valid);
                count = T::count(valid.max(1));
            }
            for feature in 0..features {
                let values = rows.iter().skip(feature).step_by(features).copied();
                let values = || values.clone().enumerate();
                let mean = sum_in_runs(values().map(|(row, v)| if counts_row(row) { v } else { T::zero() })) / count;
                let deviations = || values().map(|(row, v)| if counts_row(row) { v - mean } else { T::zero() });
                let deviation = sum_in_runs(deviations());
                let squares = sum_in_runs(deviations().map(|d| d * d));
                let shift = deviation / count;
                let out = (self.block_at as usize + block) * features + feature;
                means[out] = mean + shift;
                let m2 = squares - deviation * shift;
                m2s[out] = if self.divide != 0 { m2 / count } else { m2 };
            }
        }
    }
}
