//! One scale and one offset for all elements.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// y = scale · x + offset (+ y).
    pub struct Rescale {
        /// Elements.
        pub n: u32,
        /// The factor.
        pub scale: f32,
        /// The summand; 0 in a gradient.
        pub offset: f32,
        /// 1: add to what is there.
        pub accumulate: u32,
    }
}

/// Slots of [`Rescale`].
pub struct RescaleSlots {
    /// `[n]`
    pub x: Slot,
    /// `[n]`
    pub y: Slot,
}

impl Rescale {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: RescaleSlots) {
        self.push(plan, Options::none(), &[&slots.x, &slots.y]);
    }
}

impl Kernel for Rescale {
    const INFO: &'static KernelInfo = info!(Rescale, "rescale", &[Binding::read("x"), Binding::read_write("y")], &[]);

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.n)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (x, y) = (args.read(), args.write());
        let (scale, offset) = (T::of(self.scale), T::of(self.offset));
        for (y, &x) in y.iter_mut().zip(x).take(self.n as usize) {
            let value = x * scale + offset;
            *y = if self.accumulate != 0 { value + *y } else { value };
        }
    }
}
