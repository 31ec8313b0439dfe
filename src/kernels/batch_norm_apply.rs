//! Normalises, scales and shifts.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Override, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// y = gamma (x - mean) / sqrt(variance + epsilon) + beta (Ioffe & Szegedy 2015, algorithm 1).
    pub struct BatchNormApply {
        /// Rows of this run.
        pub rows: u32,
        /// F.
        pub features: u32,
        /// Added to the variance.
        pub epsilon: f32,
    }
}

/// Slots of [`BatchNormApply`].
pub struct BatchNormApplySlots {
    /// `[rows, F]`
    pub x: Slot,
    /// `[F]`
    pub mean: Slot,
    /// `[F]`
    pub variance: Slot,
    /// `[F]`, if scaled
    pub gamma: Option<Slot>,
    /// `[F]`, if shifted
    pub beta: Option<Slot>,
    /// `[rows, F]`
    pub y: Slot,
}

impl BatchNormApply {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: BatchNormApplySlots) {
        let options = Options(vec![("SCALE", slots.gamma.is_some().into()), ("CENTER", slots.beta.is_some().into())]);
        let gamma = slots.gamma.unwrap_or_else(|| plan.nothing());
        let beta = slots.beta.unwrap_or_else(|| plan.nothing());
        self.push(plan, options, &[&slots.x, &slots.mean, &slots.variance, &gamma, &beta, &slots.y]);
    }
}

impl Kernel for BatchNormApply {
    const INFO: &'static KernelInfo = info!(
        BatchNormApply,
        "batch_norm_apply",
        &[
            Binding::read("x"),
            Binding::read("mean"),
            Binding::read("variance"),
            Binding::read("gamma"),
            Binding::read("beta"),
            Binding::write("y"),
        ],
        &[Override { name: "SCALE", values: &[0, 1] }, Override { name: "CENTER", values: &[0, 1] }]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.rows * self.features)
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (x, mean, variance) = (args.read(), args.read(), args.read());
        let (gamma, beta, y) = (args.read(), args.read(), args.write());
        let (scale, center) = (options.get("SCALE") != 0, options.get("CENTER") != 0);
        let features = self.features as usize;
        let epsilon = T::decimal(self.epsilon);
        for i in 0..self.rows as usize * features {
            let feature = i % features;
            let mut value = (x[i] - mean[feature]) / (variance[feature] + epsilon).sqrt();
            if scale {
                value = value * gamma[feature];
            }
            if center {
                value = value + beta[feature];
            }
            y[i] = value;
        }
    }
}
