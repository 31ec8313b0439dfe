//! Squares and health of blocks of the gradient arena.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// A block's sum of squares, and the first index in it whose gradient is not finite.
    pub struct GradNormPartial {
        /// Elements of the arena.
        pub n: u32,
        /// Elements of one block.
        pub block: u32,
    }
}

/// Slots of [`GradNormPartial`].
pub struct GradNormPartialSlots {
    /// `[n]`
    pub grads: Slot,
    /// `[blocks]`
    pub squares: Slot,
    /// `[blocks]`, integers: `u32::MAX` where all are finite
    pub bad: Slot,
}

impl GradNormPartial {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: GradNormPartialSlots) {
        self.push(plan, Options::none(), &[&slots.grads, &slots.squares, &slots.bad]);
    }
}

impl Kernel for GradNormPartial {
    const INFO: &'static KernelInfo = info!(
        GradNormPartial,
        "grad_norm_partial",
        &[Binding::read("grads"), Binding::write("squares"), Binding::write("bad").u32()],
        &[]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.n.div_ceil(self.block))
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (grads, squares, bad) = (args.read(), args.write(), args.write_u32());
        let block_len = self.block as usize;
        for (block, grads) in grads[..self.n as usize].chunks(block_len).enumerate() {
            squares[block] = grads.iter().fold(T::zero(), |sum, &g| sum + g * g);
            let first_bad = grads.iter().position(|g| !g.to_f64().is_finite());
            bad[block] = first_bad.map_or(u32::MAX, |i| (block * block_len + i) as u32);
        }
    }
}
