//! What rounding leaves of the mean of the gradient of batch normalisation's input.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, RUN, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// Sums over blocks of rows of dy - dbeta / M - x̂ dgamma / M, which only rounding keeps from 0 over all rows.
    pub struct BatchNormGradRest {
        /// Rows of this run.
        pub rows: u32,
        /// F.
        pub features: u32,
        /// Rows of one block.
        pub block_rows: u32,
        /// The first block of this run.
        pub block_at: u32,
        /// M, all rows.
        pub total_rows: u32,
        /// Added to the variance.
        pub epsilon: f32,
    }
}

/// Slots of [`BatchNormGradRest`].
pub struct BatchNormGradRestSlots {
    /// `[rows, F]`
    pub x: Slot,
    /// `[rows, F]`
    pub dy: Slot,
    /// `[F]`
    pub mean: Slot,
    /// `[F]`
    pub variance: Slot,
    /// `[2, F]` dbeta, dgamma over all rows
    pub sums: Slot,
    /// `[blocks, F]`
    pub rest: Slot,
}

impl BatchNormGradRest {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: BatchNormGradRestSlots) {
        let bound = [&slots.x, &slots.dy, &slots.mean, &slots.variance, &slots.sums, &slots.rest];
        self.push(plan, Options::none(), &bound);
    }
}

impl Kernel for BatchNormGradRest {
    const INFO: &'static KernelInfo = info!(
        BatchNormGradRest,
        "batch_norm_grad_rest",
        &[
            Binding::read("x"),
            Binding::read("dy"),
            Binding::read("mean"),
            Binding::read("variance"),
            Binding::read("sums"),
            Binding::read_write("rest"),
        ],
        &[]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.rows.div_ceil(self.block_rows) * self.features)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (x, dy, mean, variance) = (args.read(), args.read(), args.read(), args.read());
        let (sums, rest) = (args.read(), args.write());
        let (rows, features, block_rows) = (self.rows as usize, self.features as usize, self.block_rows as usize);
        let (epsilon, m) = (T::decimal(self.epsilon), T::count(self.total_rows));
        for block in 0..rows.div_ceil(block_rows) {
            let last = rows.min((block + 1) * block_rows);
            for feature in 0..features {
                let deviation = (variance[feature] + epsilon).sqrt();
                let (of_bias, of_scale) = (sums[feature] / m, sums[features + feature] / m);
                let term = |row: usize| {
                    let at = row * features + feature;
                    dy[at] - of_bias - (x[at] - mean[feature]) / deviation * of_scale
                };
                let mut total = T::zero();
                for run in (block * block_rows..last).step_by(RUN) {
                    total = total + (run..last.min(run + RUN)).fold(T::zero(), |sum, row| sum + term(row));
                }
                rest[(self.block_at as usize + block) * features + feature] = total;
            }
        }
    }
}
