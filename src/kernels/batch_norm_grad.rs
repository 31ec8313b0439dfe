//! The gradient of batch normalisation's input.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Override, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// dx = gamma / sqrt(variance + epsilon) (dy - dbeta / M - x̂ dgamma / M) (Ioffe & Szegedy 2015, section 3), less what
    /// rounding of the means leaves of its own mean.
    pub struct BatchNormGrad {
        /// Rows of this run.
        pub rows: u32,
        /// F.
        pub features: u32,
        /// M, all rows.
        pub total_rows: u32,
        /// Added to the variance.
        pub epsilon: f32,
        /// 1: add to what is there.
        pub accumulate: u32,
    }
}

/// Slots of [`BatchNormGrad`].
pub struct BatchNormGradSlots {
    /// `[rows, F]`
    pub x: Slot,
    /// `[rows, F]`
    pub dy: Slot,
    /// `[F]`
    pub mean: Slot,
    /// `[F]`
    pub variance: Slot,
    /// `[F]`, if scaled
    pub gamma: Option<Slot>,
    /// `[3, F]` over all rows: dbeta, dgamma, and batch_norm_grad_rest's sum
    pub sums: Slot,
    /// `[rows, F]`
    pub dx: Slot,
}

impl BatchNormGrad {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: BatchNormGradSlots) {
        let options = Options::one("SCALE", slots.gamma.is_some().into());
        let gamma = slots.gamma.unwrap_or_else(|| plan.nothing());
        let bound = [&slots.x, &slots.dy, &slots.mean, &slots.variance, &gamma, &slots.sums, &slots.dx];
        self.push(plan, options, &bound);
    }
}

impl Kernel for BatchNormGrad {
    const INFO: &'static KernelInfo = info!(
        BatchNormGrad,
        "batch_norm_grad",
        &[
            Binding::read("x"),
            Binding::read("dy"),
            Binding::read("mean"),
            Binding::read("variance"),
            Binding::read("gamma"),
            Binding::read("sums"),
            Binding::read_write("dx"),
        ],
        &[Override { name: "SCALE", values: &[0, 1] }]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.rows * self.features)
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (x, dy, mean, variance) = (args.read(), args.read(), args.read(), args.read());
        let (gamma, sums, dx) = (args.read(), args.read(), args.write());
        let features = self.features as usize;
        let epsilon = T::decimal(self.epsilon);
        let m = T::count(self.total_rows);
        for i in 0..self.rows as usize * features {
            let feature = i % features;
            let deviation = (variance[feature] + epsilon).sqrt();
            let x_hat = (x[i] - mean[feature]) / deviation;
            // The rest joins the smaller term: taken from the difference it would be rounded away.
            let of_scale = x_hat * (sums[features + feature] / m) + sums[2 * features + feature] / m;
            let mut value = (dy[i] - sums[feature] / m - of_scale) / deviation;
            if options.get("SCALE") != 0 {
                value = value * gamma[feature];
            }
            dx[i] = if self.accumulate != 0 { value + dx[i] } else { value };
        }
    }
}
