//! Clipping of gradients.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Override, Real, grid_1d};
use crate::plan::{ALIGNMENT, Plan, Slot};

params! {
    /// Clips a gradient arena in place, by value or by norm.
    pub struct Clip {
        /// Elements.
        pub n: u32,
        /// The largest magnitude or norm.
        pub limit: f32,
    }
}

/// What is held to the limit.
pub enum ClipBy {
    /// Every element.
    Value,
    /// The norm of all gradients together, `[1]`.
    GlobalNorm(Slot),
    /// The norm of each variable.
    Norms {
        /// `[variables]` sums of squares
        squares: Slot,
        /// `[n / 64]`, integers: the variable of every 64 elements
        owners: Slot,
    },
}

impl Clip {
    /// Appends this run over the gradients `grads`, `[n]`.
    pub fn record(self, by: ClipBy, plan: &mut Plan, grads: &Slot) {
        let (kind, norms, owners) = match by {
            ClipBy::Value => (0, plan.nothing(), None),
            ClipBy::GlobalNorm(norm) => (1, norm, None),
            ClipBy::Norms { squares, owners } => (2, squares, Some(owners)),
        };
        let owners = owners.unwrap_or_else(|| plan.nothing_u32());
        self.push(plan, Options::one("CLIP", kind), &[&norms, &owners, grads]);
    }
}

impl Kernel for Clip {
    const INFO: &'static KernelInfo = info!(
        Clip,
        "clip",
        &[Binding::read("norms"), Binding::read("owners").u32(), Binding::read_write("grads")],
        &[Override { name: "CLIP", values: &[0, 1, 2] }]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.n)
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (norms, owners, grads) = (args.read(), args.read_u32(), args.write());
        let limit = T::decimal(self.limit);
        for (i, g) in grads.iter_mut().enumerate().take(self.n as usize) {
            let norm = match options.get("CLIP") {
                0 => {
                    *g = g.larger(-limit).smaller(limit);
                    continue;
                }
                1 => norms[0],
                _ => norms[owners[i / ALIGNMENT] as usize].sqrt(),
            };
            if norm > limit {
                *g = *g * (limit / norm);
            }
        }
    }
}
