//! Columns copied from one matrix to another.

use super::super::case::{At, Builder};
use super::super::draw::{FEATURES, Numbers};
use crate::kernels::{Columns, CopyColumns, CopyHow, Multiply, Options};

/// Samples of a time step.
const SAMPLES: [usize; 7] = [1, 2, 3, 7, 16, 31, 64];

pub(super) fn copy_columns(b: &mut Builder, options: &Options) {
    let tiny = b.perhaps_tiny_bindings();
    let samples = b.draw.size(&SAMPLES, 64);
    // A tiny binding shows no block of 64 rows with more columns.
    let cols = if tiny { 1 + b.draw.below(2) } else { b.draw.size(&FEATURES, 256) };
    let rows = samples * if b.draw.timing { 64 } else { 1 + b.draw.below(5) };
    let columns = |b: &mut Builder, name: &str, accumulate: Option<bool>| {
        let stride = [1, 4][b.draw.below(2)];
        let (at, behind) = (b.draw.below(3), b.draw.below(3));
        let width = at + (cols - 1) * stride + 1 + behind;
        // What lies between the columns of an output must survive.
        let kept = accumulate.unwrap_or(true) || width > cols;
        let slot = match accumulate {
            None => b.input_anywhere(name, rows * width, Numbers::Unit),
            Some(_) => b.output(name, rows * width, kept, At::Anywhere),
        };
        Columns { slot, width, at, stride }
    };
    let accumulate = b.draw.one_in(2);
    let (x, out) = (columns(b, "x", None), columns(b, "out", Some(accumulate)));
    let multiply = match options.get("MULTIPLY") {
        0 => None,
        1 => {
            let stride = [1, 4][b.draw.below(2)];
            let m_rows = [samples, rows][b.draw.below(2)];
            let slot = b.input("m", m_rows * cols * stride, Numbers::Positive);
            Some(Multiply::Columns(Columns { slot, width: cols * stride, at: b.draw.below(stride), stride }))
        }
        _ => Some(Multiply::Rows(b.input("m", rows, Numbers::Classes))),
    };
    let flip = (multiply.is_none() && b.draw.one_in(2)).then_some(samples);
    let scale = if b.draw.one_in(2) { 1.0 } else { 0.5 };
    CopyColumns::record([rows, cols], &mut b.plan, &x, &out, CopyHow { scale, multiply, accumulate, flip });
}
