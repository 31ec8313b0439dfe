//! The gradient of layer normalisation's input.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Override, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// dx (+)= (g - Σg / F - x̂ Σ(g x̂) / F) / sqrt(variance + epsilon), g = gamma dy (Ba et al. 2016).
    pub struct LayerNormGrad {
        /// Rows of this run.
        pub rows: u32,
        /// F.
        pub features: u32,
        /// The first row of mean, variance and sums.
        pub row_at: u32,
        /// Added to the variance.
        pub epsilon: f32,
        /// 1: add to what is there.
        pub accumulate: u32,
        /// Where x begins in its binding; set by `record`, as for dy and dx.
        pub x_at: u32,
        /// Where dy begins.
        pub dy_at: u32,
        /// Where dx begins.
        pub dx_at: u32,
    }
}

/// Slots of [`LayerNormGrad`].
pub struct LayerNormGradSlots {
    /// `[rows, F]`, may begin anywhere
    pub x: Slot,
    /// `[rows, F]`, may begin anywhere
    pub dy: Slot,
    /// `[all rows]`
    pub mean: Slot,
    /// `[all rows]`
    pub variance: Slot,
    /// `[F]`, if scaled
    pub gamma: Option<Slot>,
    /// `[all rows, 2]` of `LayerNormGradRows`
    pub sums: Slot,
    /// `[rows, F]`, may begin anywhere
    pub dx: Slot,
}

impl LayerNormGrad {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: LayerNormGradSlots) {
        let options = Options::one("SCALE", slots.gamma.is_some().into());
        let gamma = slots.gamma.unwrap_or_else(|| plan.nothing());
        let ((x, x_at), (dy, dy_at), (dx, dx_at)) = (slots.x.aligned(), slots.dy.aligned(), slots.dx.aligned());
        let bound = [&x, &dy, &slots.mean, &slots.variance, &gamma, &slots.sums, &dx];
        LayerNormGrad { x_at, dy_at, dx_at, ..self }.push(plan, options, &bound);
    }
}

impl Kernel for LayerNormGrad {
    const INFO: &'static KernelInfo = info!(
        LayerNormGrad,
        "layer_norm_grad",
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
        let scale = options.get("SCALE") != 0;
        let features = self.features as usize;
        let (epsilon, count) = (T::decimal(self.epsilon), T::count(self.features));
        let (x, dy, dx) = (&x[self.x_at as usize..], &dy[self.dy_at as usize..], &mut dx[self.dx_at as usize..]);
        for i in 0..self.rows as usize * features {
            let s = self.row_at as usize + i / features;
            let deviation = (variance[s] + epsilon).sqrt();
            let x_hat = (x[i] - mean[s]) / deviation;
            let g = if scale { dy[i] * gamma[i % features] } else { dy[i] };
            let value = (g - sums[2 * s] / count - x_hat * (sums[2 * s + 1] / count)) / deviation;
            dx[i] = if self.accumulate != 0 { value + dx[i] } else { value };
        }
    }
}
