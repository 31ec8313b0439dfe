//! Mean and variance of rows.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d, sum_in_runs};
use crate::plan::{Plan, Slot};

params! {
    /// Corrected two-pass mean and biased variance of every row (Chan, Golub & LeVeque 1983).
    pub struct LayerNormStatistics {
        /// Rows of this run.
        pub rows: u32,
        /// F.
        pub features: u32,
        /// Where x begins in its binding; set by `record`.
        pub x_at: u32,
        /// The first row of mean and variance.
        pub row_at: u32,
    }
}

/// Slots of [`LayerNormStatistics`].
pub struct LayerNormStatisticsSlots {
    /// `[rows, F]`, may begin anywhere
    pub x: Slot,
    /// `[all rows]`
    pub mean: Slot,
    /// `[all rows]`
    pub variance: Slot,
}

impl LayerNormStatistics {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: LayerNormStatisticsSlots) {
        let (x, x_at) = slots.x.aligned();
        LayerNormStatistics { x_at, ..self }.push(plan, Options::none(), &[&x, &slots.mean, &slots.variance]);
    }
}

impl Kernel for LayerNormStatistics {
    const INFO: &'static KernelInfo = info!(
        LayerNormStatistics,
        "layer_norm_statistics",
        &[Binding::read("x"), Binding::read_write("mean"), Binding::read_write("variance")],
        &[]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.rows)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (x, mean, variance) = (args.read(), args.write(), args.write());
        let features = self.features as usize;
        let count = T::count(self.features);
        let rows = x[self.x_at as usize..].chunks(features).take(self.rows as usize);
        for (row, values) in rows.enumerate() {
            let m = sum_in_runs(values.iter().copied()) / count;
            let deviation = sum_in_runs(values.iter().map(|&v| v - m));
            let squares = sum_in_runs(values.iter().map(|&v| (v - m) * (v - m)));
            let shift = deviation / count;
            mean[self.row_at as usize + row] = m + shift;
            variance[self.row_at as usize + row] = (squares - deviation * shift) / count;
        }
    }
}
