//! Mean and variance of every feature from its blocks.

use super::batch_norm_partial::BatchNormMask;
use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Override, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// Count-weighted join of the blocks, in order (Chan, Golub & LeVeque 1983); biased variance.
    pub struct BatchNormCombine {
        /// All rows.
        pub rows: u32,
        /// F.
        pub features: u32,
        /// Rows of one block.
        pub block_rows: u32,
    }
}

/// Slots of [`BatchNormCombine`].
pub struct BatchNormCombineSlots {
    /// `[blocks, F]`
    pub means: Slot,
    /// `[blocks, F]`
    pub m2s: Slot,
    /// `[blocks]` or `[blocks, F]`, if only some rows or elements count
    pub counts: Option<BatchNormMask>,
    /// `[F]`, or with counts `[F + 1]` or `[2, F]`, the number of rows that count behind the means
    pub mean: Slot,
    /// `[F]`
    pub variance: Slot,
}

impl BatchNormCombine {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: BatchNormCombineSlots) {
        let (masked, counts) = BatchNormMask::option(slots.counts, plan);
        self.push(
            plan,
            Options::one("MASKED", masked),
            &[&slots.means, &slots.m2s, &counts, &slots.mean, &slots.variance],
        );
    }
}

/// What Keras adds to the number of rows that count before it divides by it.
pub(super) const MASKED_EPSILON: f32 = 1e-7;

impl Kernel for BatchNormCombine {
    const INFO: &'static KernelInfo = info!(
        BatchNormCombine,
        "batch_norm_combine",
        &[
            Binding::read("means"),
            Binding::read("m2s"),
            Binding::read("counts"),
            Binding::write("mean"),
            Binding::write("variance"),
        ],
        &[Override { name: "MASKED", values: &[0, 1, 2] }]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.features)
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (means, m2s, counts, mean, variance) = (args.read(), args.read(), args.read(), args.write(), args.write());
        let masked = options.get("MASKED");
        let features = self.features as usize;
        let block_count = |block: u32, feature: usize| match masked {
            0 => self.rows.min((block + 1) * self.block_rows) - block * self.block_rows,
            // A whole number.
            1 => counts[block as usize].to_f64() as u32,
            _ => counts[block as usize * features + feature].to_f64() as u32,
        };
        for feature in 0..features {
            let mut total_mean = means[feature];
            let mut total_m2 = m2s[feature];
            let mut count = block_count(0, feature);
            for block in 1..self.rows.div_ceil(self.block_rows) {
                let n = block_count(block, feature);
                if n == 0 {
                    continue;
                }
                let at = block as usize * features + feature;
                let delta = means[at] - total_mean;
                let share = T::count(n) / T::count(count + n);
                total_mean = total_mean + delta * share;
                total_m2 = total_m2 + (m2s[at] + delta * delta * T::count(count) * share);
                count += n;
            }
            let n = T::count(count);
            (mean[feature], variance[feature]) = match masked {
                0 => (total_mean, total_m2 / n),
                _ => shrunk(total_mean, total_m2, n),
            };
            if masked == 2 || (masked == 1 && feature == 0) {
                mean[features + feature] = n;
            }
        }
    }
}

/// Mean and variance with Keras's divisor n + 1e-7 instead of n, squared deviations from that mean.
fn shrunk<T: Real>(mean: T, m2: T, n: T) -> (T, T) {
    let epsilon = T::decimal(MASKED_EPSILON);
    let divisor = n + epsilon;
    let shift = mean * (epsilon / divisor);
    (mean * (n / divisor), (m2 + n * shift * shift) / divisor)
}
