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
    /// 0 or 1, and where the counts go, `[blocks]` or `[blocks, F]`; if only some rows or elements count
    pub mask: Option<(BatchNormMask, Slot)>,
    /// `[blocks, F]`
    pub means: Slot,
    /// `[blocks, F]` sums of squared deviations from the block's mean
    pub m2s: Slot,
}

/// Numbers that say what counts, or how many do.
#[derive(Clone, Debug)]
pub enum BatchNormMask {
    /// One for all features of a row, or of a block of rows.
    OfRows(Slot),
    /// One for each feature of these.
    OfElements(Slot),
}

impl BatchNormMask {
    /// The same for some of the rows.
    pub fn rows(&self, rows: std::ops::Range<usize>, features: usize) -> Self {
        match self {
            BatchNormMask::OfRows(slot) => BatchNormMask::OfRows(slot.range(rows)),
            BatchNormMask::OfElements(slot) => BatchNormMask::OfElements(slot.rows(rows, features)),
        }
    }

    /// How many numbers there are for a row of so many features.
    pub fn width(&self, features: usize) -> usize {
        match self {
            BatchNormMask::OfRows(_) => 1,
            BatchNormMask::OfElements(_) => features,
        }
    }

    /// The same kind of numbers elsewhere.
    pub fn like(&self, slot: Slot) -> Self {
        match self {
            BatchNormMask::OfRows(_) => BatchNormMask::OfRows(slot),
            BatchNormMask::OfElements(_) => BatchNormMask::OfElements(slot),
        }
    }

    /// The value of MASKED, and what is bound.
    pub(super) fn option(mask: Option<Self>, plan: &mut Plan) -> (u32, Slot) {
        match mask {
            None => (0, plan.nothing()),
            Some(BatchNormMask::OfRows(slot)) => (1, slot),
            Some(BatchNormMask::OfElements(slot)) => (2, slot),
        }
    }
}

impl BatchNormPartial {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: BatchNormPartialSlots) {
        let (mask, counts) = slots.mask.unzip();
        let (masked, mask) = BatchNormMask::option(mask, plan);
        let counts = counts.unwrap_or_else(|| plan.unused());
        let (x, x_at) = slots.x.aligned();
        let options = Options::one("MASKED", masked);
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
        &[Override { name: "MASKED", values: &[0, 1, 2] }]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.rows.div_ceil(self.block_rows) * self.features)
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (x, mask, means, m2s, counts) = (args.read(), args.read(), args.write(), args.write(), args.write());
        let masked = options.get("MASKED");
        let (features, block_rows) = (self.features as usize, self.block_rows as usize);
        let x = &x[self.x_at as usize..][..self.rows as usize * features];
        for (block, rows) in x.chunks(block_rows * features).enumerate() {
            let len = rows.len() / features;
            for feature in 0..features {
                let is_counted = |row: usize| match (masked, block * block_rows + row) {
                    (0, _) => true,
                    (1, row) => mask[row] != T::zero(),
                    (_, row) => mask[row * features + feature] != T::zero(),
                };
                let out = (self.block_at as usize + block) * features + feature;
                let mut count = T::count(len as u32);
                if masked != 0 {
                    let valid = (0..len).filter(|&row| is_counted(row)).count() as u32;
                    counts[if masked == 2 { out } else { out / features }] = T::count(valid);
                    count = T::count(valid.max(1));
                }
                let values = rows.iter().skip(feature).step_by(features).copied();
                let values = || values.clone().enumerate();
                let mean = sum_in_runs(values().map(|(row, v)| if is_counted(row) { v } else { T::zero() })) / count;
                let deviations = || values().map(|(row, v)| if is_counted(row) { v - mean } else { T::zero() });
                let deviation = sum_in_runs(deviations());
                let squares = sum_in_runs(deviations().map(|d| d * d));
                let shift = deviation / count;
                means[out] = mean + shift;
                let m2 = squares - deviation * shift;
                m2s[out] = if self.divide != 0 { m2 / count } else { m2 };
            }
        }
    }
}
