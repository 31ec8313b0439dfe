//! Activation functions.

use super::activation::{ACTIVATION, activation_value};
use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
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
            *y = activation_value(kind, x);
        }
    }
}
