//! Normalises rows, scales and shifts.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Override, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// y (+)= gamma (x - mean) / sqrt(variance + epsilon) + beta, mean and variance of the row (Ba et al. 2016).
    pub struct LayerNormApply {
        /// Rows of this run.
        pub rows: u32,
        /// F.
        pub features: u32,
        /// The first row of mean and variance.
        pub row_at: u32,
        /// Added to the variance.
        pub epsilon: f32,
        /// 1: add to what is there.
        pub accumulate: u32,
        /// Where x begins in its binding; set by `record`, as for y.
        pub x_at: u32,
        /// Where y begins.
        pub y_at: u32,
    }
}

/// Slots of [`LayerNormApply`].
pub struct LayerNormApplySlots {
    /// `[rows, F]`, may begin anywhere
    pub x: Slot,
    /// `[all rows]`
    pub mean: Slot,
    /// `[all rows]`
    pub variance: Slot,
    /// `[F]`, if scaled
    pub gamma: Option<Slot>,
    /// `[F]`, if shifted
    pub beta: Option<Slot>,
    /// `[rows, F]`, may begin anywhere
    pub y: Slot,
}

impl LayerNormApply {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: LayerNormApplySlots) {
        let options = Options(vec![("SCALE", slots.gamma.is_some().into()), ("CENTER", slots.beta.is_some().into())]);
        let gamma = slots.gamma.unwrap_or_else(|| plan.nothing());
        let beta = slots.beta.unwrap_or_else(|| plan.nothing());
        let ((x, x_at), (y, y_at)) = (slots.x.aligned(), slots.y.aligned());
        let run = LayerNormApply { x_at, y_at, ..self };
        run.push(plan, options, &[&x, &slots.mean, &slots.variance, &gamma, &beta, &y]);
    }
}

impl Kernel for LayerNormApply {
    const INFO: &'static KernelInfo = info!(
        LayerNormApply,
        "layer_norm_apply",
        &[
            Binding::read("x"),
            Binding::read("mean"),
            Binding::read("variance"),
            Binding::read("gamma"),
            Binding::read("beta"),
            Binding::read_write("y"),
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
        let (x, y) = (&x[self.x_at as usize..], &mut y[self.y_at as usize..]);
        for i in 0..self.rows as usize * features {
            let (row, feature) = (self.row_at as usize + i / features, i % features);
            let mut value = (x[i] - mean[row]) / (variance[row] + epsilon).sqrt();
            if scale {
                value = value * gamma[feature];
            }
            if center {
                value = value + beta[feature];
            }
            y[i] = if self.accumulate != 0 { value + y[i] } else { value };
        }
    }
}
