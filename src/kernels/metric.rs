//! Metrics that are means over rows.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Override, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// A row's metric, the mean over its outputs.
    pub struct Metric {
        /// Rows of this run.
        pub rows: u32,
        /// O.
        pub outputs: u32,
        /// Columns of `values`.
        pub columns: u32,
        /// The column to write.
        pub column: u32,
    }
}

/// Slots of [`Metric`].
pub struct MetricSlots {
    /// `[rows, O]`
    pub prediction: Slot,
    /// `[rows, O]`
    pub truth: Slot,
    /// `[rows, columns]`
    pub values: Slot,
}

/// Values of the override `METRIC`, as in metric.wgsl.
pub(crate) mod kind {
    pub const BINARY_ACCURACY: u32 = 0;
    pub const MEAN_ABSOLUTE_ERROR: u32 = 1;
    pub const MEAN_SQUARED_ERROR: u32 = 2;
}

impl Metric {
    /// Appends this run.
    pub fn record(self, kind: u32, plan: &mut Plan, slots: MetricSlots) {
        self.push(plan, Options::one("METRIC", kind), &[&slots.prediction, &slots.truth, &slots.values]);
    }
}

impl Kernel for Metric {
    const INFO: &'static KernelInfo = info!(
        Metric,
        "metric",
        &[Binding::read("prediction"), Binding::read("truth"), Binding::read_write("values")],
        &[Override { name: "METRIC", values: &[0, 1, 2] }]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.rows)
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (prediction, truth, values) = (args.read(), args.read(), args.write());
        let outputs = self.outputs as usize;
        for row in 0..self.rows as usize {
            let pairs = (row * outputs..(row + 1) * outputs).map(|i| (prediction[i], truth[i]));
            let sum = pairs.fold(T::zero(), |sum, (q, y)| {
                sum + match options.get("METRIC") {
                    kind::BINARY_ACCURACY => {
                        let class = T::count((q > T::from_f64(0.5)).into());
                        T::count((class == y).into())
                    }
                    kind::MEAN_ABSOLUTE_ERROR => (q - y).abs(),
                    _ => (q - y) * (q - y),
                }
            });
            values[row * self.columns as usize + self.column as usize] = sum / T::count(self.outputs);
        }
    }
}
