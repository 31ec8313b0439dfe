//! Moving statistics.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// moving = moving momentum + batch (1 - momentum), unless a gradient was not finite.
    pub struct BatchNormMoving {
        /// Numbers.
        pub n: u32,
        /// How much of the old value stays.
        pub momentum: f32,
        /// 1 - momentum, rounded once.
        pub one_minus_momentum: f32,
    }
}

/// Slots of [`BatchNormMoving`].
pub struct BatchNormMovingSlots {
    /// `[n]`: means, variances, or those of several layers that lie behind each other
    pub batch: Slot,
    /// `[2]`, integers
    pub health: Slot,
    /// `[n]`
    pub moving: Slot,
}

impl BatchNormMoving {
    /// Appends this run for statistics that follow with a momentum.
    pub fn record(momentum: f64, plan: &mut Plan, slots: BatchNormMovingSlots) {
        let BatchNormMovingSlots { batch, health, moving } = slots;
        let (n, one_minus_momentum) = (batch.len as u32, (1.0 - momentum) as f32);
        let kernel = BatchNormMoving { n, momentum: momentum as f32, one_minus_momentum };
        kernel.push(plan, Options::none(), &[&batch, &health, &moving]);
    }
}

impl Kernel for BatchNormMoving {
    const INFO: &'static KernelInfo = info!(
        BatchNormMoving,
        "batch_norm_moving",
        &[Binding::read("batch"), Binding::read("health").u32(), Binding::read_write("moving")],
        &[]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.n)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (batch, health, moving) = (args.read(), args.read_u32(), args.write());
        if health[0] != 0 {
            return;
        }
        let (momentum, rest) = (T::decimal(self.momentum), T::decimal(self.one_minus_momentum));
        for (moving, &batch) in moving.iter_mut().zip(batch).take(self.n as usize) {
            *moving = *moving * momentum + batch * rest;
        }
    }
}
