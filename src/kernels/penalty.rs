//! What regularizers add to the loss.

use super::info::{info, params};
use super::{
    Args, BLOCK_ROWS, Binding, ColumnSum, ColumnSumSlots, Kernel, KernelInfo, Options, Real, grid_1d, sum_in_runs,
};
use crate::plan::{Plan, Slot};

params! {
    /// `out[block]` = (l1 Σ|x| + l2 Σx²) / divisor over a block of elements.
    pub struct Penalty {
        /// Elements.
        pub n: u32,
        /// Elements of a block.
        pub block: u32,
        /// Where out begins in its binding; set by `record`.
        pub out_at: u32,
        /// The samples of the batch for outputs, else 1.
        pub divisor: u32,
        /// Factor of the magnitudes.
        pub l1: f32,
        /// Factor of the squares.
        pub l2: f32,
    }
}

/// Slots of [`Penalty`].
pub struct PenaltySlots {
    /// `[n]`
    pub x: Slot,
    /// `[blocks]`
    pub out: Slot,
}

impl Penalty {
    /// One level: the sums of blocks of `block` elements.
    pub fn record(self, plan: &mut Plan, slots: PenaltySlots) {
        let (out, out_at) = slots.out.aligned();
        Penalty { out_at, ..self }.push(plan, Options::none(), &[&slots.x, &out]);
    }

    /// All levels: the penalty of the whole of `x` into `out` `[1]`, through scratch buffers.
    pub fn record_whole([l1, l2]: [f32; 2], divisor: usize, plan: &mut Plan, PenaltySlots { x, out }: PenaltySlots) {
        let block = BLOCK_ROWS as usize;
        let blocks = x.len.div_ceil(block);
        let sums = plan.scratch("penalties", &[blocks]);
        for range in plan.row_chunks(x.len, &[1]) {
            let out = sums.range(range.start / block..range.end.div_ceil(block));
            let penalty =
                Penalty { n: range.len() as u32, block: BLOCK_ROWS, out_at: 0, divisor: divisor as u32, l1, l2 };
            penalty.record(plan, PenaltySlots { x: x.range(range), out });
        }
        ColumnSum::record([blocks, 1], false, plan, ColumnSumSlots { x: sums, out });
    }
}

impl Kernel for Penalty {
    const INFO: &'static KernelInfo = info!(Penalty, "penalty", &[Binding::read("x"), Binding::read_write("out")], &[]);

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.n.div_ceil(self.block))
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (x, out) = (args.read(), args.write());
        let (l1, l2, divisor) = (T::decimal(self.l1), T::decimal(self.l2), T::count(self.divisor));
        let blocks = x[..self.n as usize].chunks(self.block as usize);
        for (x, out) in blocks.zip(&mut out[self.out_at as usize..]) {
            let magnitudes = sum_in_runs(x.iter().map(|x| x.abs()));
            let squares = sum_in_runs(x.iter().map(|&x| x * x));
            *out = (l1 * magnitudes + l2 * squares) / divisor;
        }
    }
}
