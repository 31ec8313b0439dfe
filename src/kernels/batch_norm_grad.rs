//! The gradient of batch normalisation's input.

use super::batch_norm_combine::MASKED_EPSILON;
use super::batch_norm_partial::BatchNormMask;
use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Override, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// dx = gamma / sqrt(variance + epsilon) (dy - dbeta / M - x̂ dgamma / M) (Ioffe & Szegedy 2015, section 3), less what
    /// rounding of the means leaves of its own mean; or the first term alone where the statistics do not depend on the row.
    pub struct BatchNormGrad {
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
        /// M, all rows of a group.
        pub total_rows: u32,
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

/// Whose mean and variance normalised the rows.
#[derive(Clone, Debug)]
pub enum Statistics {
    /// The batch's; with `[3, F]`, the sums of dy and dy x̂ over all rows, and that of batch_norm_grad_rest.
    OfBatch(Slot),
    /// Those of groups of the batch's rows; with the sums of dy and dy x̂ over a group's rows, `[groups, 2, F]`.
    OfGroups(Slot),
    /// With `[2, F]` sums over all rows: those of the batch's rows, or elements, whose mask is 1; the mean slot holds their number
    /// behind the means.
    OfMasked(Slot, BatchNormMask),
    /// Others, which do not depend on the batch.
    Fixed,
}

impl Statistics {
    /// The same for some of the rows.
    pub fn of_rows(&self, rows: std::ops::Range<usize>, features: usize) -> Self {
        match self {
            Statistics::OfMasked(sums, mask) => Statistics::OfMasked(sums.clone(), mask.rows(rows, features)),
            other => other.clone(),
        }
    }
}

/// Slots of [`BatchNormGrad`].
pub struct BatchNormGradSlots {
    /// `[rows, F]`
    pub x: Slot,
    /// `[rows, F]`
    pub dy: Slot,
    /// `[groups, F]`, or masked `[F + 1]` or `[2, F]`
    pub mean: Slot,
    /// `[groups, F]`
    pub variance: Slot,
    /// `[F]`, if scaled
    pub gamma: Option<Slot>,
    /// Whose mean and variance these are
    pub statistics: Statistics,
    /// `[rows, F]`
    pub dx: Slot,
}

impl BatchNormGrad {
    /// Rows `rows` of `total_rows` that have one mean and one variance.
    pub fn of_rows(rows: std::ops::Range<usize>, total_rows: usize, features: usize, epsilon: f32) -> Self {
        BatchNormGrad {
            rows: rows.len() as u32,
            features: features as u32,
            group_rows: u32::MAX,
            row_at: rows.start as u32,
            last_group: 0,
            total_rows: total_rows as u32,
            epsilon,
            accumulate: 0,
            x_at: 0,
            dy_at: 0,
            dx_at: 0,
        }
    }

    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: BatchNormGradSlots) {
        let (statistics, sums, mask) = match slots.statistics {
            Statistics::OfBatch(sums) => (0, sums, plan.nothing()),
            Statistics::OfMasked(sums, BatchNormMask::OfRows(mask)) => (1, sums, mask),
            Statistics::OfMasked(sums, BatchNormMask::OfElements(mask)) => (4, sums, mask),
            Statistics::Fixed => (2, plan.nothing(), plan.nothing()),
            Statistics::OfGroups(sums) => (3, sums, plan.nothing()),
        };
        let options = Options(vec![("SCALE", slots.gamma.is_some().into()), ("STATISTICS", statistics)]);
        let gamma = slots.gamma.unwrap_or_else(|| plan.nothing());
        let ((x, x_at), (dy, dy_at), (dx, dx_at)) = (slots.x.aligned(), slots.dy.aligned(), slots.dx.aligned());
        let bound = [&x, &mask, &dy, &slots.mean, &slots.variance, &gamma, &sums, &dx];
        BatchNormGrad { x_at, dy_at, dx_at, ..self }.push(plan, options, &bound);
    }
}

impl Kernel for BatchNormGrad {
    const INFO: &'static KernelInfo = info!(
        BatchNormGrad,
        "batch_norm_grad",
        &[
            Binding::read("x"),
            Binding::read("mask"),
            Binding::read("dy"),
            Binding::read("mean"),
            Binding::read("variance"),
            Binding::read("gamma"),
            Binding::read("sums"),
            Binding::read_write("dx"),
        ],
        &[Override { name: "SCALE", values: &[0, 1] }, Override { name: "STATISTICS", values: &[0, 1, 2, 3, 4] }]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.rows * self.features)
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (x, mask, dy, mean, variance) = (args.read(), args.read(), args.read(), args.read(), args.read());
        let (gamma, sums, dx) = (args.read(), args.read(), args.write());
        let (scale, statistics) = (options.get("SCALE") != 0, options.get("STATISTICS"));
        let features = self.features as usize;
        let epsilon = T::decimal(self.epsilon);
        let few = T::decimal(MASKED_EPSILON);
        let masked = statistics == 1 || statistics == 4;
        let (x, dy, dx) = (&x[self.x_at as usize..], &dy[self.dy_at as usize..], &mut dx[self.dx_at as usize..]);
        for i in 0..self.rows as usize * features {
            let (row, feature) = (i / features, i % features);
            let group = ((self.row_at + row as u32) / self.group_rows).min(self.last_group) as usize;
            let s = group * features + feature;
            let deviation = (variance[s] + epsilon).sqrt();
            let mut value = dy[i];
            if statistics != 2 && (!masked || mask[if statistics == 4 { i } else { row }] != T::zero()) {
                let at = 2 * group * features + feature;
                let mut x_hat = (x[i] - mean[s]) / deviation;
                let mut m = T::count(self.total_rows);
                if masked {
                    m = mean[features + if statistics == 4 { feature } else { 0 }] + few;
                    x_hat = x_hat - mean[s] * (few / m) / deviation;
                }
                let mut of_scale = x_hat * (sums[at + features] / m);
                // The rest joins the smaller term: taken from the difference it would be rounded away.
                if statistics == 0 {
                    of_scale = of_scale + sums[at + 2 * features] / m;
                }
                value = value - sums[at] / m - of_scale;
            }
            value = value / deviation;
            if scale {
                value = value * gamma[feature];
            }
            dx[i] = if self.accumulate != 0 { value + dx[i] } else { value };
        }
    }
}
