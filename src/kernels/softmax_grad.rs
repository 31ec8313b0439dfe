//! The gradient of the softmax.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// dx = y (dy - Σ dy y) over the features of a row.
    pub struct SoftmaxGrad {
        /// Rows of this run.
        pub rows: u32,
        /// F.
        pub features: u32,
        /// 1: add to what is there.
        pub accumulate: u32,
    }
}

/// Slots of [`SoftmaxGrad`].
pub struct SoftmaxGradSlots {
    /// `[rows, F]`
    pub y: Slot,
    /// `[rows, F]`
    pub dy: Slot,
    /// `[rows, F]`
    pub dx: Slot,
}

impl SoftmaxGrad {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: SoftmaxGradSlots) {
        self.push(plan, Options::none(), &[&slots.y, &slots.dy, &slots.dx]);
    }
}

impl Kernel for SoftmaxGrad {
    const INFO: &'static KernelInfo =
        info!(SoftmaxGrad, "softmax_grad", &[Binding::read("y"), Binding::read("dy"), Binding::read_write("dx")], &[]);

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.rows)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (y, dy, dx) = (args.read(), args.read(), args.write());
        let features = self.features as usize;
        for first in (0..self.rows as usize * features).step_by(features) {
            let row = first..first + features;
            let sum = row.clone().fold(T::zero(), |sum, i| sum + dy[i] * y[i]);
            for i in row {
                let slope = y[i] * (dy[i] - sum);
                dx[i] = if self.accumulate != 0 { slope + dx[i] } else { slope };
            }
        }
    }
}
