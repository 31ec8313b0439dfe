//! Two tensors of one shape made one.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Override, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// y = a OP b / divisor, masked as Keras masks it: multiplied, what is masked counts as 1, and 0 comes out where all is; of
    /// a maximum or minimum the other operand comes out (a, if both are masked). Sums and differences take no notice of masks.
    pub struct Merge {
        /// Rows.
        pub rows: u32,
        /// F.
        pub features: u32,
        /// What the result is divided by.
        pub divisor: f32,
    }
}

/// Slots of [`Merge`].
pub struct MergeSlots {
    /// `[rows, F]`
    pub a: Slot,
    /// `[rows, F]`
    pub b: Slot,
    /// `[rows]`, 0 or 1; without one all rows count
    pub mask_a: Option<Slot>,
    /// The same for b
    pub mask_b: Option<Slot>,
    /// `[rows, F]`
    pub y: Slot,
}

/// Values of the override `OP`.
pub(crate) mod merge_op {
    pub const ADD: u32 = 0;
    pub const SUBTRACT: u32 = 1;
    pub const MULTIPLY: u32 = 2;
    pub const MAXIMUM: u32 = 3;
    pub const MINIMUM: u32 = 4;
}

/// The override and every value that it takes.
pub(super) const OP: Override = Override {
    name: "OP",
    values: &[merge_op::ADD, merge_op::SUBTRACT, merge_op::MULTIPLY, merge_op::MAXIMUM, merge_op::MINIMUM],
};
pub(super) const MASK_A: Override = Override { name: "MASK_A", values: &[0, 1] };
pub(super) const MASK_B: Override = Override { name: "MASK_B", values: &[0, 1] };

/// Whether a row counts.
pub(super) fn counts<T: Real>(masked: u32, mask: &[T], row: usize) -> bool {
    masked == 0 || mask[row] != T::zero()
}

impl Merge {
    /// Records as many runs as bindings need, for whole slots.
    pub fn record_whole(self, op: u32, plan: &mut Plan, slots: &MergeSlots) {
        let features = self.features as usize;
        let masked = |mask: &Option<Slot>| mask.is_some().into();
        let options = Options(vec![("OP", op), ("MASK_A", masked(&slots.mask_a)), ("MASK_B", masked(&slots.mask_b))]);
        for part in plan.row_chunks(self.rows as usize, &[features]) {
            let rows = |slot: &Slot| slot.rows(part.clone(), features);
            let mut mask =
                |mask: &Option<Slot>| mask.as_ref().map_or_else(|| plan.nothing(), |mask| mask.range(part.clone()));
            let (mask_a, mask_b) = (mask(&slots.mask_a), mask(&slots.mask_b));
            let (a, b, y) = (rows(&slots.a), rows(&slots.b), rows(&slots.y));
            let run = Merge { rows: part.len() as u32, ..self };
            run.push(plan, options.clone(), &[&a, &b, &mask_a, &mask_b, &y]);
        }
    }
}

impl Kernel for Merge {
    const INFO: &'static KernelInfo = info!(
        Merge,
        "merge",
        &[
            Binding::read("a"),
            Binding::read("b"),
            Binding::read("mask_a"),
            Binding::read("mask_b"),
            Binding::write("y"),
        ],
        &[OP, MASK_A, MASK_B]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.rows * self.features)
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (a, b, mask_a, mask_b, y) = (args.read(), args.read(), args.read(), args.read(), args.write());
        let [op, masked_a, masked_b] = ["OP", "MASK_A", "MASK_B"].map(|name| options.get(name));
        let (features, divisor) = (self.features as usize, T::of(self.divisor));
        for i in 0..self.rows as usize * features {
            let row = i / features;
            let (a_counts, b_counts) = (counts(masked_a, mask_a, row), counts(masked_b, mask_b, row));
            let value = match op {
                merge_op::ADD => a[i] + b[i],
                merge_op::SUBTRACT => a[i] - b[i],
                merge_op::MULTIPLY => match (a_counts, b_counts) {
                    (true, true) => a[i] * b[i],
                    (true, false) => a[i],
                    (false, true) => b[i],
                    (false, false) => T::zero(),
                },
                _ if !b_counts => a[i],
                _ if !a_counts => b[i],
                merge_op::MAXIMUM => a[i].larger(b[i]),
                _ => a[i].smaller(b[i]),
            };
            y[i] = value / divisor;
        }
    }
}
