//! Normalises, scales and shifts.

use super::fast::{self, Workers};
use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Override, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// y (+)= gamma (x - mean) / sqrt(variance + epsilon) + beta (Ioffe & Szegedy 2015, algorithm 1).
    pub struct BatchNormApply {
        /// Rows of this run.
        pub rows: u32,
        /// F.
        pub features: u32,
        /// Rows of a group that has a mean and a variance of its own.
        pub group_rows: u32,
        /// The first row of this run.
        pub row_at: u32,
        /// The last group; rows behind it use its statistics.
        pub last_group: u32,
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

/// Slots of [`BatchNormApply`].
pub struct BatchNormApplySlots {
    /// `[rows, F]`
    pub x: Slot,
    /// `[groups, F]`
    pub mean: Slot,
    /// `[groups, F]`
    pub variance: Slot,
    /// `[F]`, if scaled
    pub gamma: Option<Slot>,
    /// `[F]`, if shifted
    pub beta: Option<Slot>,
    /// `[rows, F]`
    pub y: Slot,
}

impl BatchNormApply {
    /// Rows `rows` of a whole that has one mean and one variance.
    pub fn of_rows(rows: std::ops::Range<usize>, features: usize, epsilon: f32) -> Self {
        BatchNormApply {
            rows: rows.len() as u32,
            features: features as u32,
            group_rows: u32::MAX,
            row_at: rows.start as u32,
            last_group: 0,
            epsilon,
            accumulate: 0,
            x_at: 0,
            y_at: 0,
        }
    }

    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: BatchNormApplySlots) {
        let options = Options(vec![("SCALE", slots.gamma.is_some().into()), ("CENTER", slots.beta.is_some().into())]);
        let gamma = slots.gamma.unwrap_or_else(|| plan.nothing());
        let beta = slots.beta.unwrap_or_else(|| plan.nothing());
        let ((x, x_at), (y, y_at)) = (slots.x.aligned(), slots.y.aligned());
        let run = BatchNormApply { x_at, y_at, ..self };
        run.push(plan, options, &[&x, &slots.mean, &slots.variance, &gamma, &beta, &y]);
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
            Binding::read_write("y"),
        ],
        &[Override { name: "SCALE", values: &[0, 1] }, Override { name: "CENTER", values: &[0, 1] }]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.rows * self.features)
    }

    fn fast_f32(&self, options: &Options, args: Args<'_, f32>, workers: &Workers) {
        fast::batch_norm_apply(self, options, args, workers);
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (x, mean, variance) = (args.read(), args.read(), args.read());
        let (gamma, beta, y) = (args.read(), args.read(), args.write());
        let (scale, center) = (options.get("SCALE") != 0, options.get("CENTER") != 0);
        let features = self.features as usize;
        let epsilon = T::decimal(self.epsilon);
        let (x, y) = (&x[self.x_at as usize..], &mut y[self.y_at as usize..]);
        for row in 0..self.rows as usize {
            let group = ((self.row_at + row as u32) / self.group_rows).min(self.last_group) as usize;
            for feature in 0..features {
                let (i, s) = (row * features + feature, group * features + feature);
                let mut value = (x[i] - mean[s]) / (variance[s] + epsilon).sqrt();
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
}
