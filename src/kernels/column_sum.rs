//! Sums of columns, in a fixed order.

use super::batch_norm::{COLUMNS, fits, preferred, variants};
use super::fast::{self, Workers};
use super::info::{info, params};
use super::variant::in_vec4s;
use super::{
    Args, Binding, Dispatch, Kernel, KernelInfo, MAX_GROUPS, Options, Real, Traits, Variant, balanced_block, grid_1d,
    sum_in_blocks,
};
use crate::plan::{Plan, Slot};

params! {
    /// `out[col]` = sum over the rows of `x[row, col]` (+ out).
    pub struct ColumnSum {
        /// Rows of x.
        pub rows: u32,
        /// Columns of x.
        pub cols: u32,
        /// Rows that are added up on their own.
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
    /// `[cols]`
    pub out: Slot,
}

/// Fewest rows for which several threads add up one column.
const SEVERAL_ROWS: u32 = 32;

impl ColumnSum {
    /// Whether `quads` can compute this.
    fn in_quads(&self) -> bool {
        in_vec4s(&[self.cols, self.x_at, self.out_at])
    }

    /// The sum of every column of `x` `[rows, cols]` into `out` `[cols]`, in as many runs as bindings need.
    pub fn record([rows, cols]: [usize; 2], accumulate: bool, plan: &mut Plan, slots: ColumnSumSlots) {
        let chunks = match plan.holds_rows(rows, &slots.x) {
            true => std::iter::once(0..rows).collect(),
            false => plan.row_chunks(rows, &[cols]),
        };
        for range in chunks {
            let ((x, x_at), (out, out_at)) = (slots.x.rows(range.clone(), cols).aligned(), slots.out.aligned());
            ColumnSum {
                rows: range.len() as u32,
                cols: cols as u32,
                block_rows: balanced_block(rows),
                x_at,
                out_at,
                accumulate: (accumulate || range.start > 0).into(),
            }
            .push(plan, Options::none(), &[&x, &out]);
        }
    }
}

impl Kernel for ColumnSum {
    const INFO: &'static KernelInfo =
        info!(ColumnSum, "column_sum", &[Binding::read("x"), Binding::read_write("out")], &[]);
    const VARIANTS: &'static [Variant] =
        &variants(&["columns"], &["tree"], include_str!("../../shaders/column_sum_quads.wgsl"));

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.cols)
    }

    fn dispatches(&self, _: &Options, variant: usize) -> Vec<Dispatch<Self>> {
        let groups = self.cols.div_ceil(COLUMNS[variant]);
        let of_groups = [groups.min(MAX_GROUPS), groups.div_ceil(MAX_GROUPS), 1];
        let grid = if variant == 0 { self.grid() } else { of_groups };
        vec![Dispatch { entry: Self::VARIANTS[variant].entries[0], params: *self, grid }]
    }

    fn fits(&self, _: &Options, variant: usize, traits: &Traits) -> bool {
        fits(variant, traits, self.in_quads())
    }

    fn preferred(&self, _: &Options, traits: &Traits) -> usize {
        if self.rows >= SEVERAL_ROWS { preferred(self.rows, traits, self.in_quads()) } else { 0 }
    }

    fn fast_f32(&self, _: &Options, args: Args<'_, f32>, workers: &Workers) {
        fast::column_sum(self, args, workers);
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (x, out) = (args.read(), args.write());
        let (rows, cols) = (self.rows as usize, self.cols as usize);
        let (x, out) = (&x[self.x_at as usize..], &mut out[self.out_at as usize..]);
        for (col, out) in out[..cols].iter_mut().enumerate() {
            let before = if self.accumulate != 0 { *out } else { T::zero() };
            *out = sum_in_blocks(before, 0..rows, self.block_rows as usize, |row| x[row * cols + col]);
        }
    }
}
