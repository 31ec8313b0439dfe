//! Sums of columns, in a fixed order.

use super::info::{info, params};
use super::{Args, BLOCK_ROWS, Binding, Kernel, KernelInfo, Options, Real, grid_1d, sum_in_runs};
use crate::plan::{Plan, Slot};

params! {
    /// out[block, col] = sum over the block's rows of x[row, col] (+ out).
    pub struct ColumnSum {
        /// Rows of x.
        pub rows: u32,
        /// Columns of x.
        pub cols: u32,
        /// Rows of one block.
        pub block_rows: u32,
        /// Where x begins in its binding; set by `record`.
        pub x_at: u32,
        /// Where out begins in its binding; set by `record`.
        pub out_at: u32,
        /// 1: add to what is there.
        pub accumulate: u32,
    }
}

/// Slots of [`ColumnSum`].
pub struct ColumnSumSlots {
    /// `[rows, cols]`
    pub x: Slot,
    /// `[blocks, cols]`
    pub out: Slot,
}

impl ColumnSum {
    /// One level: sums of blocks of `block_rows` rows.
    pub fn record([rows, cols, block_rows]: [usize; 3], accumulate: bool, plan: &mut Plan, slots: ColumnSumSlots) {
        let ((x, x_at), (out, out_at)) = (slots.x.aligned(), slots.out.aligned());
        ColumnSum {
            rows: rows as u32,
            cols: cols as u32,
            block_rows: block_rows as u32,
            x_at,
            out_at,
            accumulate: accumulate.into(),
        }
        .push(plan, Options::none(), &[&x, &out]);
    }

    /// All levels: the sum of every column of `x` `[rows, cols]` into `out` `[cols]`, through scratch buffers.
    pub fn record_whole(
        [rows, cols]: [usize; 2],
        accumulate: bool,
        plan: &mut Plan,
        ColumnSumSlots { x, out }: ColumnSumSlots,
    ) {
        let block = BLOCK_ROWS as usize;
        if rows <= block {
            return Self::record([rows, cols, rows], accumulate, plan, ColumnSumSlots { x, out });
        }
        let blocks = rows.div_ceil(block);
        let sums = plan.scratch("sums", &[blocks, cols]);
        for range in plan.row_chunks(rows, &[cols]) {
            let out = sums.rows(range.start / block..range.end.div_ceil(block), cols);
            let x = x.rows(range.clone(), cols);
            Self::record([range.len(), cols, block], false, plan, ColumnSumSlots { x, out });
        }
        Self::record_whole([blocks, cols], accumulate, plan, ColumnSumSlots { x: sums, out });
    }
}

impl Kernel for ColumnSum {
    const INFO: &'static KernelInfo =
        info!(ColumnSum, "column_sum", &[Binding::read("x"), Binding::read_write("out")], &[]);

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.rows.div_ceil(self.block_rows) * self.cols)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (x, out) = (args.read(), args.write());
        let (rows, cols, block) = (self.rows as usize, self.cols as usize, self.block_rows as usize);
        let x = &x[self.x_at as usize..][..rows * cols];
        let out = &mut out[self.out_at as usize..][..rows.div_ceil(block) * cols];
        for (block_rows, sums) in x.chunks(block * cols).zip(out.chunks_mut(cols)) {
            for (col, sum) in sums.iter_mut().enumerate() {
                let total = sum_in_runs(block_rows.iter().skip(col).step_by(cols).copied());
                *sum = if self.accumulate != 0 { total + *sum } else { total };
            }
        }
    }
}
