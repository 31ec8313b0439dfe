//! The gradient of one of two tensors that were made one.

use super::info::{info, params};
use super::merge::{MASK_A, MASK_B, OP, counts, merge_op};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// da = dy times what a counts for in a OP b / divisor (+ da); masks as in [`Merge`](super::Merge). Of equal operands of a
    /// maximum or minimum each gets half.
    pub struct MergeGrad {
        /// Rows.
        pub rows: u32,
        /// F.
        pub features: u32,
        /// What the result was divided by; of a difference's second operand its negative.
        pub divisor: f32,
        /// 1: a is the first operand.
        pub first: u32,
        /// 1: add to what is there.
        pub accumulate: u32,
    }
}

/// Slots of [`MergeGrad`].
pub struct MergeGradSlots {
    /// `[rows, F]`, the operand whose gradient it is
    pub a: Slot,
    /// `[rows, F]`, the other
    pub b: Slot,
    /// `[rows]`, 0 or 1; without one all rows count
    pub mask_a: Option<Slot>,
    /// The same for b
    pub mask_b: Option<Slot>,
    /// `[rows, F]`
    pub dy: Slot,
    /// `[rows, F]`
    pub da: Slot,
}

impl MergeGrad {
    /// Records as many runs as bindings need, for whole slots.
    pub fn record_whole(self, op: u32, plan: &mut Plan, slots: &MergeGradSlots) {
        let features = self.features as usize;
        let masked = |mask: &Option<Slot>| mask.is_some().into();
        let options = Options(vec![("OP", op), ("MASK_A", masked(&slots.mask_a)), ("MASK_B", masked(&slots.mask_b))]);
        for part in plan.row_chunks(self.rows as usize, &[features]) {
            let rows = |slot: &Slot| slot.rows(part.clone(), features);
            let mut mask =
                |mask: &Option<Slot>| mask.as_ref().map_or_else(|| plan.nothing(), |mask| mask.range(part.clone()));
            let (mask_a, mask_b) = (mask(&slots.mask_a), mask(&slots.mask_b));
            let [a, b, dy, da] = [&slots.a, &slots.b, &slots.dy, &slots.da].map(rows);
            let run = MergeGrad { rows: part.len() as u32, ..self };
            run.push(plan, options.clone(), &[&a, &b, &mask_a, &mask_b, &dy, &da]);
        }
    }
}

impl Kernel for MergeGrad {
    const INFO: &'static KernelInfo = info!(
        MergeGrad,
        "merge_grad",
        &[
            Binding::read("a"),
            Binding::read("b"),
            Binding::read("mask_a"),
            Binding::read("mask_b"),
            Binding::read("dy"),
            Binding::read_write("da"),
        ],
        &[OP, MASK_A, MASK_B]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.rows * self.features)
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (a, b, mask_a, mask_b) = (args.read(), args.read(), args.read(), args.read());
        let (dy, da) = (args.read(), args.write());
        let [op, masked_a, masked_b] = ["OP", "MASK_A", "MASK_B"].map(|name| options.get(name));
        let (features, divisor) = (self.features as usize, T::of(self.divisor));
        for i in 0..self.rows as usize * features {
            let row = i / features;
            let (a_counts, b_counts) = (counts(masked_a, mask_a, row), counts(masked_b, mask_b, row));
            let whole = dy[i] / divisor;
            let value = match op {
                merge_op::ADD | merge_op::SUBTRACT => whole,
                merge_op::MULTIPLY if !a_counts => T::zero(),
                merge_op::MULTIPLY if !b_counts => whole,
                merge_op::MULTIPLY => dy[i] * b[i] / divisor,
                _ if !b_counts && (a_counts || self.first != 0) => whole,
                _ if !b_counts || !a_counts => T::zero(),
                _ if a[i].is_nan() || b[i].is_nan() => a[i] + b[i],
                _ if a[i] == b[i] => T::from_f64(0.5) * dy[i] / divisor,
                _ if (a[i] > b[i]) == (op == merge_op::MAXIMUM) => whole,
                _ => T::zero(),
            };
            da[i] = if self.accumulate != 0 { value + da[i] } else { value };
        }
    }
}
