//! What the gradient of layer normalisation needs of a row.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Override, RUN, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// Sums over a row's features of g = gamma dy and of g x̂.
    pub struct LayerNormGradRows {
        /// Rows of this run.
        pub rows: u32,
        /// F.
        pub features: u32,
        /// The first row of mean, variance and sums.
        pub row_at: u32,
        /// Added to the variance.
        pub epsilon: f32,
        /// Where x begins in its binding; set by `record`, as for dy.
        pub x_at: u32,
        /// Where dy begins.
        pub dy_at: u32,
    }
}

/// Slots of [`LayerNormGradRows`].
pub struct LayerNormGradRowsSlots {
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
    /// `[all rows, 2]`
    pub sums: Slot,
}

impl LayerNormGradRows {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: LayerNormGradRowsSlots) {
        let options = Options::one("SCALE", slots.gamma.is_some().into());
        let gamma = slots.gamma.unwrap_or_else(|| plan.nothing());
        let ((x, x_at), (dy, dy_at)) = (slots.x.aligned(), slots.dy.aligned());
        let run = LayerNormGradRows { x_at, dy_at, ..self };
        run.push(plan, options, &[&x, &dy, &slots.mean, &slots.variance, &gamma, &slots.sums]);
    }
}

impl Kernel for LayerNormGradRows {
    const INFO: &'static KernelInfo = info!(
        LayerNormGradRows,
        "layer_norm_grad_rows",
        &[
            Binding::read("x"),
            Binding::read("dy"),
            Binding::read("mean"),
            Binding::read("variance"),
            Binding::read("gamma"),
            Binding::read_write("sums"),
        ],
        &[Override { name: "SCALE", values: &[0, 1] }]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.rows)
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (x, dy, mean, variance) = (args.read(), args.read(), args.read(), args.read());
        let (gamma, sums) = (args.read(), args.write());
        let scale = options.get("SCALE") != 0;
        let features = self.features as usize;
        let epsilon = T::decimal(self.epsilon);
        let (x, dy) = (&x[self.x_at as usize..], &dy[self.dy_at as usize..]);
        for row in 0..self.rows as usize {
            let s = self.row_at as usize + row;
            let deviation = (variance[s] + epsilon).sqrt();
            let (mut sum, mut dot) = (T::zero(), T::zero());
            for run in (0..features).step_by(RUN) {
                let (mut run_sum, mut run_dot) = (T::zero(), T::zero());
                let elements = row * features + run..row * features + features.min(run + RUN);
                for (i, feature) in elements.zip(run..) {
                    let g = if scale { dy[i] * gamma[feature] } else { dy[i] };
                    run_sum = run_sum + g;
                    run_dot = run_dot + g * ((x[i] - mean[s]) / deviation);
                }
                sum = sum + run_sum;
                dot = dot + run_dot;
            }
            sums[2 * s] = sum;
            sums[2 * s + 1] = dot;
        }
    }
}
