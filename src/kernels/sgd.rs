//! Stochastic gradient descent.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Override, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// One step of gradient descent, with Keras's momentum, over a whole arena.
    pub struct Sgd {
        /// Elements.
        pub n: u32,
        /// How much of the velocity stays.
        pub momentum: f32,
    }
}

/// Slots of [`Sgd`].
pub struct SgdSlots {
    /// `[n]`
    pub grads: Slot,
    /// `[2]`, integers
    pub health: Slot,
    /// `[n]`
    pub params: Slot,
    /// `[n]` velocity, with momentum
    pub m: Option<Slot>,
}

impl Sgd {
    /// Appends this run.
    pub fn record(self, nesterov: bool, plan: &mut Plan, slots: SgdSlots) {
        let options = Options(vec![("MOMENTUM", slots.m.is_some().into()), ("NESTEROV", nesterov.into())]);
        let m = slots.m.unwrap_or_else(|| plan.unused());
        self.push(plan, options, &[&slots.grads, &slots.health, &slots.params, &m]);
    }
}

impl Kernel for Sgd {
    const INFO: &'static KernelInfo = info!(
        Sgd,
        "sgd",
        &[
            Binding::read("grads"),
            Binding::read("health").u32(),
            Binding::read_write("params"),
            Binding::read_write("m"),
        ],
        &[Override { name: "MOMENTUM", values: &[0, 1] }, Override { name: "NESTEROV", values: &[0, 1] }]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.n)
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let learning_rate = T::from_f64(args.scalars.learning_rate);
        let (grads, health, params, m) = (args.read(), args.read_u32(), args.write(), args.write());
        if health[0] != 0 {
            return;
        }
        let momentum = T::decimal(self.momentum);
        for i in 0..self.n as usize {
            let step = learning_rate * grads[i];
            if options.get("MOMENTUM") == 0 {
                params[i] = params[i] - step;
                continue;
            }
            m[i] = momentum * m[i] - step;
            let change = if options.get("NESTEROV") != 0 { momentum * m[i] - step } else { m[i] };
            params[i] = params[i] + change;
        }
    }
}
