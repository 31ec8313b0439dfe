//! Moving statistics of batch renormalisation.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// moving = moving momentum + batch (1 - momentum) for means and deviations sqrt(variance + epsilon), with one momentum for the
    /// correction and one for inference, whose variance follows from its deviation; unless a gradient was not finite.
    pub struct RenormMoving {
        /// F.
        pub features: u32,
        /// Added to the variance.
        pub epsilon: f32,
        /// How much of the old value stays.
        pub momentum: f32,
        /// 1 - momentum, rounded once.
        pub one_minus_momentum: f32,
        /// The same for the correction.
        pub renorm_momentum: f32,
        /// 1 - renorm_momentum, rounded once.
        pub one_minus_renorm_momentum: f32,
    }
}

/// Slots of [`RenormMoving`].
pub struct RenormMovingSlots {
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
    /// `[F]`
    pub moving_stddev: Slot,
    /// `[F]`
    pub renorm_mean: Slot,
    /// `[F]`
    pub renorm_stddev: Slot,
}

impl RenormMoving {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: RenormMovingSlots) {
        let RenormMovingSlots { mean, variance, health, moving_mean, moving_variance, .. } = slots;
        let (moving_stddev, renorm_mean, renorm_stddev) = (slots.moving_stddev, slots.renorm_mean, slots.renorm_stddev);
        let moving = [&moving_mean, &moving_variance, &moving_stddev, &renorm_mean, &renorm_stddev];
        let bound = [&[&mean, &variance, &health][..], &moving].concat();
        self.push(plan, Options::none(), &bound);
    }
}

impl Kernel for RenormMoving {
    const INFO: &'static KernelInfo = info!(
        RenormMoving,
        "renorm_moving",
        &[
            Binding::read("mean"),
            Binding::read("variance"),
            Binding::read("health").u32(),
            Binding::read_write("moving_mean"),
            Binding::read_write("moving_variance"),
            Binding::read_write("moving_stddev"),
            Binding::read_write("renorm_mean"),
            Binding::read_write("renorm_stddev"),
        ],
        &[]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.features)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (mean, variance, health) = (args.read(), args.read(), args.read_u32());
        let (moving_mean, moving_variance, moving_stddev) = (args.write(), args.write(), args.write());
        let (renorm_mean, renorm_stddev) = (args.write(), args.write());
        if health[0] != 0 {
            return;
        }
        let epsilon = T::decimal(self.epsilon);
        let [momentum, rest] = [self.momentum, self.one_minus_momentum].map(T::decimal);
        let [renorm_momentum, renorm_rest] = [self.renorm_momentum, self.one_minus_renorm_momentum].map(T::decimal);
        for i in 0..self.features as usize {
            let stddev = (variance[i] + epsilon).sqrt();
            renorm_mean[i] = renorm_mean[i] * renorm_momentum + mean[i] * renorm_rest;
            renorm_stddev[i] = renorm_stddev[i] * renorm_momentum + stddev * renorm_rest;
            moving_mean[i] = moving_mean[i] * momentum + mean[i] * rest;
            moving_stddev[i] = moving_stddev[i] * momentum + stddev * rest;
            moving_variance[i] = (moving_stddev[i] * moving_stddev[i] - epsilon).larger(T::zero());
        }
    }
}
