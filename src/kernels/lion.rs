//! The optimiser Lion.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// One step of Lion (Chen et al. 2023) over a whole arena.
    pub struct Lion {
        /// Elements.
        pub n: u32,
        /// How much of the momentum counts for the step.
        pub beta_1: f32,
        /// 1 - beta_1, rounded once.
        pub one_minus_beta_1: f32,
        /// How much of the momentum stays.
        pub beta_2: f32,
        /// 1 - beta_2, rounded once.
        pub one_minus_beta_2: f32,
    }
}

/// Slots of [`Lion`].
pub struct LionSlots {
    /// `[n]`
    pub grads: Slot,
    /// `[2]`, integers
    pub health: Slot,
    /// `[n]`
    pub params: Slot,
    /// `[n]` momentum
    pub m: Slot,
}

impl Lion {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: LionSlots) {
        self.push(plan, Options::none(), &[&slots.grads, &slots.health, &slots.params, &slots.m]);
    }
}

impl Kernel for Lion {
    const INFO: &'static KernelInfo = info!(
        Lion,
        "lion",
        &[
            Binding::read("grads"),
            Binding::read("health").u32(),
            Binding::read_write("params"),
            Binding::read_write("m"),
        ],
        &[]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.n)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let learning_rate = T::from_f64(args.scalars.learning_rate);
        let (grads, health, params, m) = (args.read(), args.read_u32(), args.write(), args.write());
        if health[0] != 0 {
            return;
        }
        let [beta_1, rest_1, beta_2, rest_2] =
            [self.beta_1, self.one_minus_beta_1, self.beta_2, self.one_minus_beta_2].map(T::decimal);
        for i in 0..self.n as usize {
            let g = grads[i];
            params[i] = params[i] - learning_rate * (beta_1 * m[i] + rest_1 * g).sign();
            m[i] = beta_2 * m[i] + rest_2 * g;
        }
    }
}
