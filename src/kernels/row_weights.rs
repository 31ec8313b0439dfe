//! What every row of a batch counts for in losses and metrics.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// `weights[row]` = `sample_weights[row, or row mod N]` · `mask[row]`.
    pub struct RowWeights {
        /// Rows of this run.
        pub rows: u32,
        /// Where this run begins.
        pub row_first: u32,
        /// N.
        pub samples: u32,
        /// 1: there is a weight for each row, else one for each sample.
        pub per_step: u32,
        /// Set by `record`.
        pub masked: u32,
    }
}

/// Slots of [`RowWeights`].
pub struct RowWeightsSlots {
    /// `[rows]` or `[N]`
    pub sample_weights: Slot,
    /// `[rows]`, 0 or 1, where there is a mask
    pub mask: Option<Slot>,
    /// `[rows]`
    pub weights: Slot,
}

impl RowWeights {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: RowWeightsSlots) {
        let masked = slots.mask.is_some().into();
        let mask = slots.mask.unwrap_or_else(|| plan.nothing());
        let bound = [&slots.sample_weights, &mask, &slots.weights];
        RowWeights { masked, ..self }.push(plan, Options::none(), &bound);
    }
}

impl Kernel for RowWeights {
    const INFO: &'static KernelInfo = info!(
        RowWeights,
        "row_weights",
        &[Binding::read("sample_weights"), Binding::read("mask"), Binding::read_write("weights")],
        &[]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.rows)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (sample_weights, mask, weights) = (args.read(), args.read(), args.write());
        for row in 0..self.rows as usize {
            let sample = (self.row_first as usize + row) % self.samples as usize;
            let weight = sample_weights[if self.per_step != 0 { row } else { sample }];
            weights[row] = if self.masked != 0 { weight * mask[row] } else { weight };
        }
    }
}
