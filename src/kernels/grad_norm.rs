//! The global gradient norm and the training's health.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real};
use crate::plan::{Plan, Slot};

params! {
    /// Joins the blocks of `grad_norm_partial`.
    pub struct GradNorm {
        /// Blocks.
        pub blocks: u32,
    }
}

/// Slots of [`GradNorm`].
pub struct GradNormSlots {
    /// `[blocks]`
    pub squares: Slot,
    /// `[blocks]`, integers
    pub bad: Slot,
    /// `[1]`
    pub norm: Slot,
    /// `[2]`, integers: the first step with a gradient that is not finite (0: none yet), and the element's index
    pub health: Slot,
}

impl GradNorm {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: GradNormSlots) {
        self.push(plan, Options::none(), &[&slots.squares, &slots.bad, &slots.norm, &slots.health]);
    }
}

impl Kernel for GradNorm {
    const INFO: &'static KernelInfo = info!(
        GradNorm,
        "grad_norm",
        &[
            Binding::read("squares"),
            Binding::read("bad").u32(),
            Binding::write("norm"),
            Binding::read_write("health").u32(),
        ],
        &[]
    );

    fn grid(&self) -> [u32; 3] {
        [1, 1, 1]
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let step = args.scalars.step;
        let (squares, bad, norm, health) = (args.read(), args.read_u32(), args.write(), args.write_u32());
        let blocks = self.blocks as usize;
        norm[0] = squares[..blocks].iter().fold(T::zero(), |sum, &s| sum + s).sqrt();
        let worst = bad[..blocks].iter().copied().min().unwrap_or(u32::MAX);
        if worst != u32::MAX && health[0] == 0 {
            health[0] = step;
            health[1] = worst;
        }
    }
}
