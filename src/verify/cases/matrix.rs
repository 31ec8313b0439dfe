//! Products of matrices and sums of their columns.

use super::super::case::{At, Builder};
use super::super::draw::{FEATURES, Numbers, ROWS};
use crate::kernels::{ColumnSum, ColumnSumSlots, Matmul, MatmulSlots, Options};

/// Around the tiles of 4 x 4 elements and the workgroups of 32 x 32.
const SIDES: [usize; 13] = [1, 2, 3, 4, 5, 7, 15, 16, 17, 31, 32, 33, 65];

pub(super) fn matmul(b: &mut Builder, _: &Options) {
    let m = b.draw.size(&SIDES, 256);
    let n = b.draw.size(&SIDES, 256);
    let k = b.draw.size(&[1, 2, 7, 64, 65, 257, 1032], 256);
    // Variants that load vec4s of B, or of A too, and store some of C, take no others.
    let in_vec4s = b.draw.one_in(2);
    let all_in_vec4s = in_vec4s && b.draw.one_in(2);
    let whole = |size: usize, whole: bool| if whole { size.next_multiple_of(4) } else { size };
    let [m, n, k] = [whole(m, all_in_vec4s), whole(n, in_vec4s), whole(k, in_vec4s && b.draw.one_in(2))];
    let accumulate = b.draw.one_in(3);
    let [turned_a, turned_b] = [b.draw.one_in(2), b.draw.one_in(2)];
    let a = match all_in_vec4s {
        true => b.input("a", m * k, Numbers::Logits),
        false => b.input_anywhere("a", m * k, Numbers::Logits),
    };
    let right = match in_vec4s {
        true => b.input("b", k * n, Numbers::Unit),
        false => b.input_anywhere("b", k * n, Numbers::Unit),
    };
    let bias = if b.draw.one_in(2) { Some(b.input("bias", n, Numbers::Shifted)) } else { None };
    let c = b.output("c", m * n, accumulate, if in_vec4s { At::Aligned } else { At::Anywhere });
    let (a_row, a_col) = if turned_a { (1, m) } else { (k, 1) };
    let (b_row, b_col) = if turned_b { (1, k) } else { (n, 1) };
    let [a_row, a_col, b_row, b_col] = [a_row, a_col, b_row, b_col].map(|stride| stride as u32);
    let product = Matmul { a_row, a_col, b_row, b_col, accumulate: accumulate.into(), ..Matmul::new([m, n, k]) };
    product.record(&mut b.plan, MatmulSlots { a, b: right, bias, c });
}

/// In one run, or in as many as tiny bindings need.
pub(super) fn column_sum(b: &mut Builder, _: &Options) {
    let tiny = b.perhaps_tiny_bindings();
    let rows = b.draw.size(&ROWS, 1 << 13);
    // Wider rows do not fit the tiny binding with a block of them.
    let cols = if tiny { 1 + b.draw.below(15) } else { b.draw.size(&FEATURES, 64) };
    let accumulate = b.draw.one_in(2);
    let x = match tiny {
        true => b.input("x", rows * cols, Numbers::Shifted),
        false => b.input_anywhere("x", rows * cols, Numbers::Shifted),
    };
    let out = b.output("out", cols, accumulate, At::Anywhere);
    ColumnSum::record([rows, cols], accumulate, &mut b.plan, ColumnSumSlots { x, out });
}
