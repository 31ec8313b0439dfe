//! The three matrix products of a layer with a kernel, cut to what a device can bind.

use crate::kernels::{ColumnSum, ColumnSumSlots, Matmul, MatmulSlots};
use crate::plan::{Plan, Slot};

/// Workgroups below which a product with many terms is split over them.
const ENOUGH_WORKGROUPS: usize = 64;
/// Fewest terms of one part.
const LEAST_TERMS: usize = 64;

/// `y[rows, n] = x[rows, k]·w[k, n] + bias`.
pub(super) fn project(plan: &mut Plan, [rows, k, n]: [usize; 3], x: &Slot, w: &Slot, bias: Option<&Slot>, y: &Slot) {
    for range in plan.row_chunks(rows, &[k, n]) {
        let matmul = Matmul { b_row: n as u32, b_col: 1, ..rows_times(range.len(), k, n) };
        let slots = MatmulSlots { a: x.rows(range.clone(), k), b: w.clone(), bias: bias.cloned(), c: y.rows(range, n) };
        matmul.record(plan, slots);
    }
}

/// `dx[rows, k] (+)= dy[rows, n]·w[k, n]ᵀ`.
pub(super) fn input_gradient(
    plan: &mut Plan,
    [rows, k, n]: [usize; 3],
    dy: &Slot,
    w: &Slot,
    (dx, accumulate): (&Slot, bool),
) {
    for range in plan.row_chunks(rows, &[k, n]) {
        let matmul =
            Matmul { b_row: 1, b_col: n as u32, accumulate: accumulate.into(), ..rows_times(range.len(), n, k) };
        let slots = MatmulSlots { a: dy.rows(range.clone(), n), b: w.clone(), bias: None, c: dx.rows(range, k) };
        matmul.record(plan, slots);
    }
}

fn rows_times(m: usize, k: usize, n: usize) -> Matmul {
    let zero: Matmul = bytemuck::Zeroable::zeroed();
    Matmul { m: m as u32, n: n as u32, k: k as u32, a_row: k as u32, a_col: 1, k_part: k as u32, ..zero }
}

/// `dw[k, n] (+)= x[rows, k]ᵀ·dy[rows, n]`: few results with many terms each, so the terms are split over workgroups and the
/// parts added in order.
pub(super) fn weight_gradient(
    plan: &mut Plan,
    [rows, k, n]: [usize; 3],
    x: &Slot,
    dy: &Slot,
    (dw, accumulate): (&Slot, bool),
) {
    for range in plan.row_chunks(rows, &[k, n]) {
        let accumulate = accumulate || range.start > 0;
        let terms = range.len();
        let tiles = k.div_ceil(32) * n.div_ceil(32);
        let parts = (ENOUGH_WORKGROUPS / tiles).clamp(1, terms.div_ceil(LEAST_TERMS));
        let k_part = terms.div_ceil(parts);
        let parts = terms.div_ceil(k_part);
        let matmul = Matmul {
            a_row: 1,
            a_col: k as u32,
            b_row: n as u32,
            b_col: 1,
            k_part: k_part as u32,
            accumulate: (accumulate && parts == 1).into(),
            ..rows_times(k, terms, n)
        };
        let c = if parts == 1 { dw.clone() } else { plan.scratch("parts", &[parts, k, n]) };
        let slots = MatmulSlots { a: x.rows(range.clone(), k), b: dy.rows(range, n), bias: None, c: c.clone() };
        matmul.record(plan, slots);
        if parts > 1 {
            ColumnSum::record([parts, k * n, parts], accumulate, plan, ColumnSumSlots { x: c, out: dw.clone() });
        }
    }
}

/// `db[n] (+)= sum over rows of dy[rows, n]`.
pub(super) fn bias_gradient(plan: &mut Plan, [rows, n]: [usize; 2], dy: &Slot, (db, accumulate): (&Slot, bool)) {
    ColumnSum::record_whole([rows, n], accumulate, plan, ColumnSumSlots { x: dy.clone(), out: db.clone() });
}
