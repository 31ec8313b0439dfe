//! Which steps of a sequence count.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// mask = 1 for rows with a feature other than `value`, else 0. What is not a number differs from every value.
    pub struct StepMask {
        /// Rows.
        pub rows: u32,
        /// F.
        pub features: u32,
        /// What all features of a masked row are.
        pub value: f32,
    }
}

/// Slots of [`StepMask`].
pub struct StepMaskSlots {
    /// `[rows, F]`
    pub x: Slot,
    /// `[rows]`
    pub mask: Slot,
}

impl StepMask {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: StepMaskSlots) {
        self.push(plan, Options::none(), &[&slots.x, &slots.mask]);
    }
}

impl Kernel for StepMask {
    const INFO: &'static KernelInfo = info!(StepMask, "step_mask", &[Binding::read("x"), Binding::write("mask")], &[]);

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.rows)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (x, mask) = (args.read(), args.write());
        let value = T::of(self.value);
        for (mask, row) in mask.iter_mut().zip(x.chunks(self.features as usize)).take(self.rows as usize) {
            *mask = if row.iter().any(|&x| x != value) { T::one() } else { T::zero() };
        }
    }
}
