//! Gradients of activation functions.

use super::activation::{ACTIVATION, activation_saves_input, activation_slope};
use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// dx = dy activation'(x), from y or x, whichever the activation's slope is computed from.
    pub struct ActivateGrad {
        /// Elements.
        pub n: u32,
        /// 1: add to what is there.
        pub accumulate: u32,
    }
}

/// Slots of [`ActivateGrad`].
pub struct ActivateGradSlots {
    /// `[n]`
    pub x: Slot,
    /// `[n]`
    pub y: Slot,
    /// `[n]`
    pub dy: Slot,
    /// `[n]`
    pub dx: Slot,
}

impl ActivateGrad {
    /// Appends this run.
    pub fn record(self, kind: u32, plan: &mut Plan, slots: ActivateGradSlots) {
        let saved = if activation_saves_input(kind) { &slots.x } else { &slots.y };
        self.push(plan, Options::one("ACTIVATION", kind), &[saved, &slots.dy, &slots.dx]);
    }
}

impl Kernel for ActivateGrad {
    const INFO: &'static KernelInfo = info!(
        ActivateGrad,
        "activate_grad",
        &[Binding::read("saved"), Binding::read("dy"), Binding::read_write("dx")],
        &[ACTIVATION]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.n)
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (saved, dy, dx) = (args.read(), args.read(), args.write());
        let kind = options.get("ACTIVATION");
        for i in 0..self.n as usize {
            let value = dy[i] * activation_slope(kind, saved[i]);
            dx[i] = if self.accumulate != 0 { value + dx[i] } else { value };
        }
    }
}
