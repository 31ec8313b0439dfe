//! The correction of batch renormalisation.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// r = sqrt(variance + epsilon) / s and d = (mean - renorm_mean) / s, clipped, s = max(renorm_stddev, sqrt(epsilon)) (Ioffe
    /// 2017, algorithm 1).
    pub struct RenormCorrection {
        /// F.
        pub features: u32,
        /// Added to the variance.
        pub epsilon: f32,
        /// The least r.
        pub r_min: f32,
        /// The largest r.
        pub r_max: f32,
        /// The largest magnitude of d.
        pub d_max: f32,
    }
}

/// Slots of [`RenormCorrection`].
pub struct RenormCorrectionSlots {
    /// `[F]`
    pub mean: Slot,
    /// `[F]`
    pub variance: Slot,
    /// `[F]`
    pub renorm_mean: Slot,
    /// `[F]`
    pub renorm_stddev: Slot,
    /// `[2, F]` r, d
    pub correction: Slot,
}

impl RenormCorrection {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: RenormCorrectionSlots) {
        let RenormCorrectionSlots { mean, variance, renorm_mean, renorm_stddev, correction } = slots;
        self.push(plan, Options::none(), &[&mean, &variance, &renorm_mean, &renorm_stddev, &correction]);
    }
}

impl Kernel for RenormCorrection {
    const INFO: &'static KernelInfo = info!(
        RenormCorrection,
        "renorm_correction",
        &[
            Binding::read("mean"),
            Binding::read("variance"),
            Binding::read("renorm_mean"),
            Binding::read("renorm_stddev"),
            Binding::write("correction"),
        ],
        &[]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.features)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (mean, variance) = (args.read(), args.read());
        let (renorm_mean, renorm_stddev, correction) = (args.read(), args.read(), args.write());
        let [epsilon, r_min, r_max, d_max] = [self.epsilon, self.r_min, self.r_max, self.d_max].map(T::decimal);
        let features = self.features as usize;
        for i in 0..features {
            let deviation = renorm_stddev[i].larger(epsilon.sqrt());
            let r = (variance[i] + epsilon).sqrt() / deviation;
            let d = (mean[i] - renorm_mean[i]) / deviation;
            correction[i] = r.larger(r_min).smaller(r_max);
            correction[features + i] = d.larger(-d_max).smaller(d_max);
        }
    }
}
