//! The optimiser RMSprop.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Override, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// One step of RMSprop (Hinton 2012, as Keras computes it) over a whole arena.
    pub struct Rmsprop {
        /// Elements.
        pub n: u32,
        /// How much of the mean square stays.
        pub rho: f32,
        /// 1 - rho, rounded once.
        pub one_minus_rho: f32,
        /// Added under the root.
        pub epsilon: f32,
        /// How much of the last change stays.
        pub momentum: f32,
    }
}

/// Slots of [`Rmsprop`].
pub struct RmspropSlots {
    /// `[n]`
    pub grads: Slot,
    /// `[2]`, integers
    pub health: Slot,
    /// `[n]`
    pub params: Slot,
    /// `[n]` mean square
    pub v: Slot,
    /// `[n]` last change, with momentum
    pub m: Option<Slot>,
    /// `[n]` mean gradient, where it is centered
    pub average: Option<Slot>,
}

impl Rmsprop {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: RmspropSlots) {
        let options =
            Options(vec![("CENTERED", slots.average.is_some().into()), ("MOMENTUM", slots.m.is_some().into())]);
        // Both may be missing, and what is written may be bound only once.
        let m = slots.m.unwrap_or_else(|| plan.unused());
        let average = slots.average.unwrap_or_else(|| plan.unused_too());
        self.push(plan, options, &[&slots.grads, &slots.health, &slots.params, &slots.v, &m, &average]);
    }
}

impl Kernel for Rmsprop {
    const INFO: &'static KernelInfo = info!(
        Rmsprop,
        "rmsprop",
        &[
            Binding::read("grads"),
            Binding::read("health").u32(),
            Binding::read_write("params"),
            Binding::read_write("v"),
            Binding::read_write("m"),
            Binding::read_write("average"),
        ],
        &[Override { name: "CENTERED", values: &[0, 1] }, Override { name: "MOMENTUM", values: &[0, 1] }]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.n)
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let learning_rate = T::from_f64(args.scalars.learning_rate);
        let (grads, health) = (args.read(), args.read_u32());
        let (params, v, m, average) = (args.write(), args.write(), args.write(), args.write());
        if health[0] != 0 {
            return;
        }
        let (rho, rest) = (T::decimal(self.rho), T::decimal(self.one_minus_rho));
        let (epsilon, momentum) = (T::decimal(self.epsilon), T::decimal(self.momentum));
        for i in 0..self.n as usize {
            let g = grads[i];
            v[i] = rho * v[i] + rest * (g * g);
            let mut variance = v[i];
            if options.get("CENTERED") != 0 {
                average[i] = rho * average[i] + rest * g;
                variance = (v[i] - average[i] * average[i]).larger(T::zero());
            }
            let mut change = learning_rate * g / (variance + epsilon).sqrt();
            if options.get("MOMENTUM") != 0 {
                change = momentum * m[i] + change;
                m[i] = change;
            }
            params[i] = params[i] - change;
        }
    }
}
