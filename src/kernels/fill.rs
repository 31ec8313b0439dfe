//! Sets a slot to one value.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// out = value.
    pub struct Fill {
        /// Elements.
        pub n: u32,
        /// Where they begin in the binding; set by `record`.
        pub at: u32,
        /// What they become.
        pub value: f32,
    }
}

/// Slots of [`Fill`].
pub struct FillSlots {
    /// `[n]`
    pub out: Slot,
}

impl Fill {
    /// Fills a slot.
    pub fn record(value: f32, plan: &mut Plan, slots: FillSlots) {
        let (out, at) = slots.out.aligned();
        Fill { n: slots.out.len as u32, at, value }.push(plan, Options::none(), &[&out]);
    }
}

impl Kernel for Fill {
    const INFO: &'static KernelInfo = info!(Fill, "fill", &[Binding::write("out")], &[]);

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.n)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let at = self.at as usize;
        args.write()[at..at + self.n as usize].fill(T::of(self.value));
    }
}
