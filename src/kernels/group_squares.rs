//! Sums of squares of groups of weights, for constraints of their norms.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d, sum_in_runs};
use crate::plan::{Plan, Slot};

params! {
    /// `squares[part, group]` = sum of squares over a part of a group of a variable `[outer, reduced, inner]`, a group being the
    /// elements that differ in `reduced` alone; a column sum joins the parts.
    pub struct GroupSquares {
        /// Elements of the axes before the reduced ones.
        pub outer: u32,
        /// Elements of the axes that are reduced.
        pub reduced: u32,
        /// Elements of the axes behind them.
        pub inner: u32,
        /// Parts that each group is cut into.
        pub parts: u32,
    }
}

/// Slots of [`GroupSquares`].
pub struct GroupSquaresSlots {
    /// `[outer, reduced, inner]`
    pub w: Slot,
    /// `[parts, outer, inner]`
    pub squares: Slot,
}

impl GroupSquares {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: GroupSquaresSlots) {
        self.push(plan, Options::none(), &[&slots.w, &slots.squares]);
    }
}

impl Kernel for GroupSquares {
    const INFO: &'static KernelInfo =
        info!(GroupSquares, "group_squares", &[Binding::read("w"), Binding::write("squares")], &[]);

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.outer * self.inner * self.parts)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (w, squares) = (args.read(), args.write());
        let [outer, reduced, inner, parts] = [self.outer, self.reduced, self.inner, self.parts].map(|n| n as usize);
        let part_len = reduced.div_ceil(parts);
        for part in 0..parts {
            let first = reduced.min(part * part_len);
            let last = reduced.min(first + part_len);
            for group in 0..outer * inner {
                let of_group = |at| w[((group / inner) * reduced + at) * inner + group % inner];
                let terms = (first..last).map(|at| of_group(at) * of_group(at));
                squares[part * outer * inner + group] = sum_in_runs(terms);
            }
        }
    }
}
