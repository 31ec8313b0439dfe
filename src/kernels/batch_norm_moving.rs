//! Moving statistics.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// moving = moving momentum + batch (1 - momentum), unless a gradient was not finite.
    pub struct BatchNormMoving {
        /// F.
        pub features: u32,
        /// How much of the old value stays.
        pub momentum: f32,
        /// 1 - momentum, rounded once.
        pub one_minus_momentum: f32,
    }
}

/// Slots of [`BatchNormMoving`].
pub struct BatchNormMovingSlots {
    /// `[F]`
    pub mean: Slot,
    /// `[F]`
    pub variance: Slot,
    /// `[2]`, integers
    pub health: Slot,
    /// `[F]`
    pub moving_mean: Slot,
    /// `[F]`
    pub moving_variance: Slot,
}

impl BatchNormMoving {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: BatchNormMovingSlots) {
        let BatchNormMovingSlots { mean, variance, health, moving_mean, moving_variance } = slots;
        self.push(plan, Options::none(), &[&mean, &variance, &health, &moving_mean, &moving_variance]);
    }
}

impl Kernel for BatchNormMoving {
    const INFO: &'static KernelInfo = info!(
        BatchNormMoving,
        "batch_norm_moving",
        &[
            Binding::read("mean"),
            Binding::read("variance"),
            Binding::read("health").u32(),
            Binding::read_write("moving_mean"),
            Binding::read_write("moving_variance"),
        ],
        &[]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.features)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (mean, variance, health) = (args.read(), args.read(), args.read_u32());
        let (moving_mean, moving_variance) = (args.write(), args.write());
        if health[0] != 0 {
            return;
        }
        let (momentum, rest) = (T::decimal(self.momentum), T::decimal(self.one_minus_momentum));
        for i in 0..self.features as usize {
            moving_mean[i] = moving_mean[i] * momentum + mean[i] * rest;
            moving_variance[i] = moving_variance[i] * momentum + variance[i] * rest;
        }
    }
}
