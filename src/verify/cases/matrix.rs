//! Products of matrices and sums of their columns.

use super::super::case::{At, Builder};
use super::super::draw::{LENGTHS, Numbers, ROWS};
use crate::kernels::half::PARTS;
use crate::kernels::{ColumnSum, ColumnSumSlots, Largest, Matmul, MatmulSlots, Options};
use crate::plan::Slot;

/// Around the tiles of 4 x 4 elements and the workgroups of 32 x 32.
const SIDES: [usize; 13] = [1, 2, 3, 4, 5, 7, 15, 16, 17, 31, 32, 33, 65];

pub(super) fn matmul(b: &mut Builder, options: &Options) {
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
    let half = options.get("HALF") == 1;
    let (a, a_largest) = operand(b, "a", m * k, Numbers::Logits, (all_in_vec4s, half));
    let (right, b_largest) = operand(b, "b", k * n, Numbers::Unit, (in_vec4s, half));
    let bias = if b.draw.one_in(2) { Some(b.input("bias", n, Numbers::Shifted)) } else { None };
    let c = b.output("c", m * n, accumulate, if in_vec4s { At::Aligned } else { At::Anywhere });
    let (a_row, a_col) = if turned_a { (1, m) } else { (k, 1) };
    let (b_row, b_col) = if turned_b { (1, k) } else { (n, 1) };
    let [a_row, a_col, b_row, b_col] = [a_row, a_col, b_row, b_col].map(|stride| stride as u32);
    let product = Matmul { a_row, a_col, b_row, b_col, accumulate: accumulate.into(), ..Matmul::new([m, n, k]) };
    let largest = a_largest.zip(b_largest).map(|(a, b)| [a, b]);
    product.record_of(largest, &mut b.plan, MatmulSlots { a, b: right, bias, c });
}

/// A or B. Of half precision with its largest magnitude, and in other units: then it is scaled by it.
fn operand(
    b: &mut Builder,
    name: &str,
    len: usize,
    kind: Numbers,
    (aligned, half): (bool, bool),
) -> (Slot, Option<Slot>) {
    let mut values = b.draw.numbers(len, kind);
    let mut largest = None;
    if half {
        let unit = [1.0, 3e-15, 7e9][b.draw.below(3)];
        values.iter_mut().for_each(|value| *value *= unit);
        let mut parts = vec![0; PARTS];
        let part = b.draw.below(PARTS);
        let finite = values.iter().filter(|value| value.is_finite());
        parts[part] = finite.map(|value| value.abs().to_bits()).max().unwrap_or(0);
        largest = Some(b.integers(&format!("{name}_largest"), parts));
    }
    (b.holding(name, values, if aligned { At::Aligned } else { At::Anywhere }), largest)
}

pub(super) fn largest(b: &mut Builder, _: &Options) {
    let len = b.draw.size(&LENGTHS, 1 << 20);
    let x = b.input_anywhere("x", len, Numbers::Shifted);
    Largest::of(&mut b.plan, &x);
}

/// In one run, or in as many as tiny bindings need.
pub(super) fn column_sum(b: &mut Builder, _: &Options) {
    let tiny = b.perhaps_tiny_bindings();
    let rows = b.draw.size(&ROWS, 1 << 13);
    // Wider rows do not fit the tiny binding with a block of them.
    let cols = if tiny { 1 + b.draw.below(15) } else { b.draw.width(64) };
    let accumulate = b.draw.one_in(2);
    let x = match tiny {
        true => b.input("x", rows * cols, Numbers::Shifted),
        false => b.input_anywhere("x", rows * cols, Numbers::Shifted),
    };
    let out = b.output("out", cols, accumulate, At::Anywhere);
    ColumnSum::record([rows, cols], accumulate, &mut b.plan, ColumnSumSlots { x, out });
}
