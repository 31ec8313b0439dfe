//! Gradients of what regularizers add to the loss.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// dx (+)= (l1 sign(x) + 2 l2 x) / divisor.
    pub struct PenaltyGrad {
        /// Elements.
        pub n: u32,
        /// 1: add to what is there.
        pub accumulate: u32,
        /// The samples of the batch for outputs, else 1.
        pub divisor: u32,
        /// Factor of the magnitudes.
        pub l1: f32,
        /// Factor of the squares.
        pub l2: f32,
    }
}

/// Slots of [`PenaltyGrad`].
pub struct PenaltyGradSlots {
    /// `[n]`
    pub x: Slot,
    /// `[n]`
    pub dx: Slot,
}

impl PenaltyGrad {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: PenaltyGradSlots) {
        self.push(plan, Options::none(), &[&slots.x, &slots.dx]);
    }
}

impl Kernel for PenaltyGrad {
    const INFO: &'static KernelInfo =
        info!(PenaltyGrad, "penalty_grad", &[Binding::read("x"), Binding::read_write("dx")], &[]);

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.n)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (x, dx) = (args.read(), args.write());
        let (l1, l2, divisor) = (T::decimal(self.l1), T::decimal(self.l2), T::count(self.divisor));
        for i in 0..self.n as usize {
            let value = (l1 * x[i].sign() + T::count(2) * l2 * x[i]) / divisor;
            dx[i] = if self.accumulate != 0 { value + dx[i] } else { value };
        }
    }
}
