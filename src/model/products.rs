//! The three matrix products of a layer with a kernel, cut to what a device can bind.

use crate::kernels::{ColumnSum, ColumnSumSlots, Matmul, MatmulSlots};
use crate::plan::{Plan, Slot};

/// `y[rows, n] = x[rows, k]·w[k, n] + bias`.
pub(super) fn project(plan: &mut Plan, [rows, k, n]: [usize; 3], x: &Slot, w: &Slot, bias: Option<&Slot>, y: &Slot) {
    for range in plan.row_chunks(rows, &[k, n]) {
        let matmul = Matmul::new([range.len(), n, k]);
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
        let turned = Matmul { b_row: 1, b_col: n as u32, ..Matmul::new([range.len(), k, n]) };
        let matmul = Matmul { accumulate: accumulate.into(), ..turned };
        let slots = MatmulSlots { a: dy.rows(range.clone(), n), b: w.clone(), bias: None, c: dx.rows(range, k) };
        matmul.record(plan, slots);
    }
}

/// `dw[k, n] (+)= x[rows, k]ᵀ·dy[rows, n]`: few results with many terms each.
pub(super) fn weight_gradient(
    plan: &mut Plan,
    [rows, k, n]: [usize; 3],
    x: &Slot,
    dy: &Slot,
    (dw, accumulate): (&Slot, bool),
) {
    for range in plan.row_chunks(rows, &[k, n]) {
        let accumulate = (accumulate || range.start > 0).into();
        let matmul = Matmul { a_row: 1, a_col: k as u32, accumulate, ..Matmul::new([k, n, range.len()]) };
        let slots = MatmulSlots { a: x.rows(range.clone(), k), b: dy.rows(range, n), bias: None, c: dw.clone() };
        matmul.record(plan, slots);
    }
}

/// `db[n] (+)= sum over rows of dy[rows, n]`.
pub(super) fn bias_gradient(plan: &mut Plan, [rows, n]: [usize; 2], dy: &Slot, (db, accumulate): (&Slot, bool)) {
    ColumnSum::record([rows, n], accumulate, plan, ColumnSumSlots { x: dy.clone(), out: db.clone() });
}
