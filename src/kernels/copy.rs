//! Copies, or adds, one slot to another.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// out = x (+ out), for slots that begin anywhere.
    pub struct Copy {
        /// Elements.
        pub n: u32,
        /// Where x begins in its binding; set by `record`.
        pub x_at: u32,
        /// Where out begins in its binding; set by `record`.
        pub out_at: u32,
        /// 1: add to what is there.
        pub accumulate: u32,
    }
}

/// Slots of `Copy`, of equal length.
pub struct CopySlots {
    /// `[n]`
    pub x: Slot,
    /// `[n]`
    pub out: Slot,
}

impl Copy {
    /// Copies `x` to `out`, or adds it there.
    pub fn record(accumulate: bool, plan: &mut Plan, slots: CopySlots) {
        let ((x, x_at), (out, out_at)) = (slots.x.aligned(), slots.out.aligned());
        Copy { n: slots.out.len as u32, x_at, out_at, accumulate: accumulate.into() }.push(
            plan,
            Options::none(),
            &[&x, &out],
        );
    }
}

impl Kernel for Copy {
    const INFO: &'static KernelInfo = info!(Copy, "copy", &[Binding::read("x"), Binding::read_write("out")], &[]);

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.n)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (x, out) = (args.read(), args.write());
        for i in 0..self.n as usize {
            let (value, at) = (x[self.x_at as usize + i], self.out_at as usize + i);
            out[at] = if self.accumulate != 0 { value + out[at] } else { value };
        }
    }
}
