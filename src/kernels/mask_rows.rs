//! Leaves masked rows out.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// y = x in rows whose mask is 1, else 0 (+ y); what is masked is left out even where it is no number.
    pub struct MaskRows {
        /// Rows.
        pub rows: u32,
        /// F.
        pub features: u32,
        /// 1: add to what is there.
        pub accumulate: u32,
    }
}

/// Slots of [`MaskRows`].
pub struct MaskRowsSlots {
    /// `[rows, F]`
    pub x: Slot,
    /// `[rows]`, 0 or 1
    pub mask: Slot,
    /// `[rows, F]`
    pub y: Slot,
}

impl MaskRows {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: MaskRowsSlots) {
        self.push(plan, Options::none(), &[&slots.x, &slots.mask, &slots.y]);
    }

    /// Records as many runs as bindings need, for whole slots; `accumulate` adds to what is there.
    pub fn record_whole([rows, features]: [usize; 2], accumulate: bool, plan: &mut Plan, slots: MaskRowsSlots) {
        for part in plan.row_chunks(rows, &[features]) {
            let run = MaskRows { rows: part.len() as u32, features: features as u32, accumulate: accumulate.into() };
            let x = slots.x.rows(part.clone(), features);
            let mask = slots.mask.range(part.clone());
            run.record(plan, MaskRowsSlots { x, mask, y: slots.y.rows(part, features) });
        }
    }
}

impl Kernel for MaskRows {
    const INFO: &'static KernelInfo =
        info!(MaskRows, "mask_rows", &[Binding::read("x"), Binding::read("mask"), Binding::read_write("y")], &[]);

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.rows * self.features)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (x, mask, y) = (args.read(), args.read(), args.write());
        let features = self.features as usize;
        for i in 0..self.rows as usize * features {
            let value = if mask[i / features] != T::zero() { x[i] } else { T::zero() };
            y[i] = if self.accumulate != 0 { value + y[i] } else { value };
        }
    }
}
