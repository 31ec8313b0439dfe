//! The gradient of batch renormalisation's gamma.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// dgamma (+)= the sum over all rows of dy (x̂ r + d), r and d constants (Ioffe 2017, section 3).
    pub struct RenormGrad {
        /// F.
        pub features: u32,
        /// 1: add to what is there.
        pub accumulate: u32,
    }
}

/// Slots of [`RenormGrad`].
pub struct RenormGradSlots {
    /// `[2, F]` r, d
    pub correction: Slot,
    /// `[2, F]` the sums of dy and of dy x̂
    pub sums: Slot,
    /// `[F]`
    pub dgamma: Slot,
}

impl RenormGrad {
    /// Appends this run.
    pub fn record(accumulate: bool, plan: &mut Plan, slots: RenormGradSlots) {
        let run = RenormGrad { features: slots.dgamma.len as u32, accumulate: accumulate.into() };
        run.push(plan, Options::none(), &[&slots.correction, &slots.sums, &slots.dgamma]);
    }
}

impl Kernel for RenormGrad {
    const INFO: &'static KernelInfo = info!(
        RenormGrad,
        "renorm_grad",
        &[Binding::read("correction"), Binding::read("sums"), Binding::read_write("dgamma")],
        &[]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.features)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (correction, sums, dgamma) = (args.read(), args.read(), args.write());
        let features = self.features as usize;
        for i in 0..features {
            let value = correction[i] * sums[features + i] + correction[features + i] * sums[i];
            dgamma[i] = if self.accumulate != 0 { value + dgamma[i] } else { value };
        }
    }
}
