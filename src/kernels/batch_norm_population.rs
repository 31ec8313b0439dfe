//! Statistics of a whole data set.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Override, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// Joins a batch's mean and biased variance to those of all rows before it (Chan, Golub & LeVeque 1983).
    pub struct BatchNormPopulation {
        /// F.
        pub features: u32,
        /// Rows of the batch.
        pub rows: u32,
    }
}

/// Slots of [`BatchNormPopulation`].
pub struct BatchNormPopulationSlots {
    /// `[F]`, or masked `[2, F]`, with the number of rows that count
    pub mean: Slot,
    /// `[F]`
    pub variance: Slot,
    /// `[F]` rows so far; 0 before the first batch
    pub counts: Slot,
    /// `[F]`
    pub total_mean: Slot,
    /// `[F]`
    pub total_variance: Slot,
}

impl BatchNormPopulation {
    /// Appends this run; `masked` says that the number of rows stands behind each of the means.
    pub fn record(self, masked: bool, plan: &mut Plan, slots: BatchNormPopulationSlots) {
        let BatchNormPopulationSlots { mean, variance, counts, total_mean, total_variance } = slots;
        let options = Options::one("MASKED", masked.into());
        self.push(plan, options, &[&mean, &variance, &counts, &total_mean, &total_variance]);
    }
}

impl Kernel for BatchNormPopulation {
    const INFO: &'static KernelInfo = info!(
        BatchNormPopulation,
        "batch_norm_population",
        &[
            Binding::read("mean"),
            Binding::read("variance"),
            Binding::read_write("counts"),
            Binding::read_write("total_mean"),
            Binding::read_write("total_variance"),
        ],
        &[Override { name: "MASKED", values: &[0, 1] }]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.features)
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (mean, variance, counts) = (args.read(), args.read(), args.write());
        let (total_mean, total_variance) = (args.write(), args.write());
        let features = self.features as usize;
        for i in 0..features {
            let n = match options.get("MASKED") {
                0 => T::count(self.rows),
                _ => mean[features + i],
            };
            if n == T::zero() {
                continue;
            }
            let count = counts[i] + n;
            let (share, rest) = (n / count, counts[i] / count);
            let before = counts[i] > T::zero();
            let (old_mean, old_variance) =
                if before { (total_mean[i], total_variance[i]) } else { (T::zero(), T::zero()) };
            let delta = mean[i] - old_mean;
            total_mean[i] = old_mean + delta * share;
            total_variance[i] = old_variance * rest + variance[i] * share + delta * delta * (share * rest);
            counts[i] = count;
        }
    }
}
