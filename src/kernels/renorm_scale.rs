//! What batch renormalisation makes of gamma and beta.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Override, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// (x̂ r + d) gamma + beta = x̂ scale + offset (Ioffe 2017, algorithm 1).
    pub struct RenormScale {
        /// F.
        pub features: u32,
    }
}

/// Slots of [`RenormScale`].
pub struct RenormScaleSlots {
    /// `[2, F]` r, d
    pub correction: Slot,
    /// `[F]`, if scaled
    pub gamma: Option<Slot>,
    /// `[F]`, if shifted
    pub beta: Option<Slot>,
    /// `[F]`
    pub scale: Slot,
    /// `[F]`
    pub offset: Slot,
}

impl RenormScale {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: RenormScaleSlots) {
        let options = Options(vec![("SCALE", slots.gamma.is_some().into()), ("CENTER", slots.beta.is_some().into())]);
        let gamma = slots.gamma.unwrap_or_else(|| plan.nothing());
        let beta = slots.beta.unwrap_or_else(|| plan.nothing());
        self.push(plan, options, &[&slots.correction, &gamma, &beta, &slots.scale, &slots.offset]);
    }
}

impl Kernel for RenormScale {
    const INFO: &'static KernelInfo = info!(
        RenormScale,
        "renorm_scale",
        &[
            Binding::read("correction"),
            Binding::read("gamma"),
            Binding::read("beta"),
            Binding::write("scale"),
            Binding::write("offset"),
        ],
        &[Override { name: "SCALE", values: &[0, 1] }, Override { name: "CENTER", values: &[0, 1] }]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.features)
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (correction, gamma, beta) = (args.read(), args.read(), args.read());
        let (scale, offset) = (args.write(), args.write());
        let features = self.features as usize;
        for i in 0..features {
            let (mut r, mut d) = (correction[i], correction[features + i]);
            if options.get("SCALE") != 0 {
                (r, d) = (r * gamma[i], d * gamma[i]);
            }
            if options.get("CENTER") != 0 {
                d = d + beta[i];
            }
            (scale[i], offset[i]) = (r, d);
        }
    }
}
