//! Layer normalisation: rows in the middle of a larger slot, where bindings may not begin.

use super::super::case::{At, Builder};
use super::super::draw::{FEATURES, Numbers, ROWS};
use crate::kernels::{
    BLOCK_ROWS, LayerNormApply, LayerNormApplySlots, LayerNormGrad, LayerNormGradRows, LayerNormGradRowsSlots,
    LayerNormGradSlots, LayerNormGradSums, LayerNormGradSumsSlots, LayerNormStatistics, LayerNormStatisticsSlots,
    Options,
};
use crate::plan::Slot;

const EPSILON: f32 = 1e-3;

/// Rows, features, and the first of the rows that are computed.
fn shape(b: &mut Builder) -> [usize; 3] {
    let rows = b.draw.size(&ROWS, 1 << 12);
    let features = b.draw.size(&FEATURES, 256);
    let first = if b.draw.timing { 0 } else { b.draw.below(rows) };
    [rows, features, first]
}

/// Mean and variance of every row.
fn statistics(b: &mut Builder, rows: usize) -> (Slot, Slot) {
    (b.input("mean", rows, Numbers::Unit), b.input("variance", rows, Numbers::Positive))
}

/// Gamma or beta, where an option wants it.
fn vector(b: &mut Builder, options: &Options, option: &str, name: &str, features: usize) -> Option<Slot> {
    (options.get(option) != 0).then(|| b.input(name, features, Numbers::Logits))
}

pub(super) fn statistics_of_rows(b: &mut Builder, _: &Options) {
    let [rows, features, first] = shape(b);
    let x = b.input_anywhere("x", rows * features, Numbers::Shifted).rows(first..rows, features);
    let mean = b.output("mean", rows, true, At::Aligned);
    let variance = b.output("variance", rows, true, At::Aligned);
    let (n, row_at) = ((rows - first) as u32, first as u32);
    let step = LayerNormStatistics { rows: n, features: features as u32, x_at: 0, row_at };
    step.record(&mut b.plan, LayerNormStatisticsSlots { x, mean, variance });
}

pub(super) fn apply(b: &mut Builder, options: &Options) {
    let [rows, features, first] = shape(b);
    let accumulate = b.draw.one_in(2);
    let x = b.input_anywhere("x", rows * features, Numbers::Shifted).rows(first..rows, features);
    let (mean, variance) = statistics(b, rows);
    let gamma = vector(b, options, "SCALE", "gamma", features);
    let beta = vector(b, options, "CENTER", "beta", features);
    let y = b.output("y", rows * features, true, At::Anywhere).rows(first..rows, features);
    let step = LayerNormApply {
        rows: (rows - first) as u32,
        features: features as u32,
        row_at: first as u32,
        epsilon: EPSILON,
        accumulate: accumulate.into(),
        x_at: 0,
        y_at: 0,
    };
    step.record(&mut b.plan, LayerNormApplySlots { x, mean, variance, gamma, beta, y });
}

pub(super) fn grad_rows(b: &mut Builder, options: &Options) {
    let [rows, features, first] = shape(b);
    let x = b.input_anywhere("x", rows * features, Numbers::Shifted).rows(first..rows, features);
    let dy = b.input_anywhere("dy", rows * features, Numbers::Unit).rows(first..rows, features);
    let (mean, variance) = statistics(b, rows);
    let gamma = vector(b, options, "SCALE", "gamma", features);
    let sums = b.output("sums", 2 * rows, true, At::Aligned);
    let (n, row_at) = ((rows - first) as u32, first as u32);
    let step = LayerNormGradRows { rows: n, features: features as u32, row_at, epsilon: EPSILON, x_at: 0, dy_at: 0 };
    step.record(&mut b.plan, LayerNormGradRowsSlots { x, dy, mean, variance, gamma, sums });
}

pub(super) fn grad(b: &mut Builder, options: &Options) {
    let [rows, features, first] = shape(b);
    let accumulate = b.draw.one_in(2);
    let x = b.input_anywhere("x", rows * features, Numbers::Shifted).rows(first..rows, features);
    let dy = b.input_anywhere("dy", rows * features, Numbers::Unit).rows(first..rows, features);
    let (mean, variance) = statistics(b, rows);
    let gamma = vector(b, options, "SCALE", "gamma", features);
    let sums = b.input("sums", 2 * rows, Numbers::Logits);
    let dx = b.output("dx", rows * features, true, At::Anywhere).rows(first..rows, features);
    let step = LayerNormGrad {
        rows: (rows - first) as u32,
        features: features as u32,
        row_at: first as u32,
        epsilon: EPSILON,
        accumulate: accumulate.into(),
        x_at: 0,
        dy_at: 0,
        dx_at: 0,
    };
    step.record(&mut b.plan, LayerNormGradSlots { x, dy, mean, variance, gamma, sums, dx });
}

pub(super) fn grad_sums(b: &mut Builder, _: &Options) {
    let [rows, features, first] = shape(b);
    let first = first - first % BLOCK_ROWS as usize;
    let x = b.input_anywhere("x", rows * features, Numbers::Shifted).rows(first..rows, features);
    let dy = b.input_anywhere("dy", rows * features, Numbers::Unit).rows(first..rows, features);
    let (mean, variance) = statistics(b, rows);
    let sums = b.output("sums", rows.div_ceil(BLOCK_ROWS as usize) * 2 * features, true, At::Aligned);
    let step = LayerNormGradSums {
        rows: (rows - first) as u32,
        features: features as u32,
        block_rows: BLOCK_ROWS,
        block_at: first as u32 / BLOCK_ROWS,
        row_at: first as u32,
        epsilon: EPSILON,
        x_at: 0,
        dy_at: 0,
    };
    step.record(&mut b.plan, LayerNormGradSumsSlots { x, dy, mean, variance, sums });
}
