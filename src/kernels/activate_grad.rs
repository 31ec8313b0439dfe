//! Gradients of activation functions.

use super::activate::{ACTIVATION, activation};
use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// dx = dy activation'(x), from the activated y.
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
    pub y: Slot,
    /// `[n]`
    pub dy: Slot,
    /// `[n]`
    pub dx: Slot,
}

impl ActivateGrad {
    /// Appends this run.
    pub fn record(self, kind: u32, plan: &mut Plan, slots: ActivateGradSlots) {
        self.push(plan, Options::one("ACTIVATION", kind), &[&slots.y, &slots.dy, &slots.dx]);
    }
}

impl Kernel for ActivateGrad {
    const INFO: &'static KernelInfo = info!(
        ActivateGrad,
        "activate_grad",
        &[Binding::read("y"), Binding::read("dy"), Binding::read_write("dx")],
        &[ACTIVATION]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.n)
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (y, dy, dx) = (args.read(), args.read(), args.write());
        let one = T::one();
        for i in 0..self.n as usize {
            let slope = match options.get("ACTIVATION") {
                activation::SIGMOID => y[i] * (one - y[i]),
                activation::TANH => one - y[i] * y[i],
                activation::RELU if y[i] > T::zero() => one,
                activation::RELU => T::zero(),
                _ => one,
            };
            let value = dy[i] * slope;
            dx[i] = if self.accumulate != 0 { value + dx[i] } else { value };
        }
    }
}
