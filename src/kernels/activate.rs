//! Activation functions.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Override, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// y = activation(x).
    pub struct Activate {
        /// Elements.
        pub n: u32,
    }
}

/// Slots of [`Activate`].
pub struct ActivateSlots {
    /// `[n]`
    pub x: Slot,
    /// `[n]`
    pub y: Slot,
}

/// Values of the override `ACTIVATION`, as in common.wgsl.
pub(crate) mod activation {
    pub const LINEAR: u32 = 0;
    pub const SIGMOID: u32 = 1;
    pub const TANH: u32 = 2;
    pub const RELU: u32 = 3;
}

/// The override and every value that it takes.
pub(super) const ACTIVATION: Override = Override {
    name: "ACTIVATION",
    values: &[activation::LINEAR, activation::SIGMOID, activation::TANH, activation::RELU],
};

impl Activate {
    /// Appends this run.
    pub fn record(self, kind: u32, plan: &mut Plan, slots: ActivateSlots) {
        self.push(plan, Options::one("ACTIVATION", kind), &[&slots.x, &slots.y]);
    }
}

impl Kernel for Activate {
    const INFO: &'static KernelInfo =
        info!(Activate, "activate", &[Binding::read("x"), Binding::write("y")], &[ACTIVATION]);

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.n)
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (x, y) = (args.read(), args.write());
        let kind = options.get("ACTIVATION");
        for (y, &x) in y.iter_mut().zip(x).take(self.n as usize) {
            *y = match kind {
                activation::SIGMOID => x.sigmoid(),
                activation::TANH => x.tanh(),
                // A number that is not one stays so, as in Keras.
                activation::RELU if x < T::zero() => T::zero(),
                _ => x,
            };
        }
    }
}
