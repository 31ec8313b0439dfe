//! The optimiser Adagrad.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// One step of Adagrad (Duchi et al. 2011, as Keras computes it) over a whole arena.
    pub struct Adagrad {
        /// Elements.
        pub n: u32,
        /// Added under the root.
        pub epsilon: f32,
    }
}

/// Slots of [`Adagrad`].
pub struct AdagradSlots {
    /// `[n]`
    pub grads: Slot,
    /// `[2]`, integers
    pub health: Slot,
    /// `[n]`
    pub params: Slot,
    /// `[n]` sum of squares
    pub accumulator: Slot,
}

impl Adagrad {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: AdagradSlots) {
        self.push(plan, Options::none(), &[&slots.grads, &slots.health, &slots.params, &slots.accumulator]);
    }
}

impl Kernel for Adagrad {
    const INFO: &'static KernelInfo = info!(
        Adagrad,
        "adagrad",
        &[
            Binding::read("grads"),
            Binding::read("health").u32(),
            Binding::read_write("params"),
            Binding::read_write("accumulator"),
        ],
        &[]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.n)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let learning_rate = T::from_f64(args.scalars.learning_rate);
        let (grads, health, params, accumulator) = (args.read(), args.read_u32(), args.write(), args.write());
        if health[0] != 0 {
            return;
        }
        let epsilon = T::decimal(self.epsilon);
        for i in 0..self.n as usize {
            let g = grads[i];
            accumulator[i] = accumulator[i] + g * g;
            params[i] = params[i] - learning_rate * g / (accumulator[i] + epsilon).sqrt();
        }
    }
}
