//! The gradients of layer normalisation's variables over blocks of rows.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, RUN, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// Sums over a block of rows of dy (dbeta) and of dy x̂ (dgamma), x̂ by each row's mean and variance.
    pub struct LayerNormGradSums {
        /// Rows of this run.
        pub rows: u32,
        /// F.
        pub features: u32,
        /// Rows of one block.
        pub block_rows: u32,
        /// The first block of this run.
        pub block_at: u32,
        /// The first row of mean and variance.
        pub row_at: u32,
        /// Added to the variance.
        pub epsilon: f32,
        /// Where x begins in its binding; set by `record`, as for dy.
        pub x_at: u32,
        /// Where dy begins.
        pub dy_at: u32,
    }
}

/// Slots of [`LayerNormGradSums`].
pub struct LayerNormGradSumsSlots {
    /// `[rows, F]`, may begin anywhere
    pub x: Slot,
    /// `[rows, F]`, may begin anywhere
    pub dy: Slot,
    /// `[all rows]`
    pub mean: Slot,
    /// `[all rows]`
    pub variance: Slot,
    /// `[blocks, 2, F]` dbeta, dgamma
    pub sums: Slot,
}

impl LayerNormGradSums {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: LayerNormGradSumsSlots) {
        let ((x, x_at), (dy, dy_at)) = (slots.x.aligned(), slots.dy.aligned());
        let run = LayerNormGradSums { x_at, dy_at, ..self };
        run.push(plan, Options::none(), &[&x, &dy, &slots.mean, &slots.variance, &slots.sums]);
    }
}

impl Kernel for LayerNormGradSums {
    const INFO: &'static KernelInfo = info!(
        LayerNormGradSums,
        "layer_norm_grad_sums",
        &[
            Binding::read("x"),
            Binding::read("dy"),
            Binding::read("mean"),
            Binding::read("variance"),
            Binding::read_write("sums"),
        ],
        &[]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.rows.div_ceil(self.block_rows) * self.features)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (x, dy, mean, variance, sums) = (args.read(), args.read(), args.read(), args.read(), args.write());
        let (rows, features, block_rows) = (self.rows as usize, self.features as usize, self.block_rows as usize);
        let epsilon = T::decimal(self.epsilon);
        let (x, dy) = (&x[self.x_at as usize..], &dy[self.dy_at as usize..]);
        for block in 0..rows.div_ceil(block_rows) {
            for feature in 0..features {
                let (mut dbeta, mut dgamma) = (T::zero(), T::zero());
                let last = rows.min((block + 1) * block_rows);
                for run in (block * block_rows..last).step_by(RUN) {
                    let (mut run_dbeta, mut run_dgamma) = (T::zero(), T::zero());
                    for row in run..last.min(run + RUN) {
                        let (at, s) = (row * features + feature, self.row_at as usize + row);
                        run_dbeta = run_dbeta + dy[at];
                        run_dgamma = run_dgamma + dy[at] * ((x[at] - mean[s]) / (variance[s] + epsilon).sqrt());
                    }
                    dbeta = dbeta + run_dbeta;
                    dgamma = dgamma + run_dgamma;
                }
                let out = (self.block_at as usize + block) * 2 * features + feature;
                sums[out] = dbeta;
                sums[out + features] = dgamma;
            }
        }
    }
}
