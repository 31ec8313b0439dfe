//! Batch normalisation, in one run or in as many as tiny bindings need.

use super::super::case::{At, Builder};
use super::super::draw::{FEATURES, Numbers, ROWS};
use crate::kernels::{
    BLOCK_ROWS, BatchNormApply, BatchNormApplySlots, BatchNormCombine, BatchNormCombineSlots, BatchNormGrad,
    BatchNormGradRest, BatchNormGradRestSlots, BatchNormGradSlots, BatchNormGradSums, BatchNormGradSumsSlots,
    BatchNormMoving, BatchNormMovingSlots, BatchNormPartial, BatchNormPartialSlots, Options,
};
use crate::plan::Slot;

const EPSILON: f32 = 1e-3;
const BLOCK: usize = BLOCK_ROWS as usize;

/// Rows and features; a tiny binding shows no block of more than 15 features.
fn shape(b: &mut Builder) -> (usize, usize) {
    let tiny = b.perhaps_tiny_bindings();
    let rows = b.draw.size(&ROWS, 1 << 12);
    let features = if tiny { b.draw.size(&[1, 2, 3, 5, 7, 8, 15], 64) } else { b.draw.size(&FEATURES, 64) };
    (rows, features)
}

/// Mean and variance of every feature.
fn statistics(b: &mut Builder, features: usize) -> (Slot, Slot) {
    (b.input("mean", features, Numbers::Unit), b.input("variance", features, Numbers::Positive))
}

pub(super) fn partial(b: &mut Builder, _: &Options) {
    let (rows, features) = shape(b);
    let blocks = rows.div_ceil(BLOCK);
    let x = b.input("x", rows * features, Numbers::Shifted);
    let means = b.output("means", blocks * features, false, At::Aligned);
    let m2s = b.output("m2s", blocks * features, false, At::Aligned);
    for part in b.plan.row_chunks(rows, &[features]) {
        let step = BatchNormPartial {
            rows: part.len() as u32,
            features: features as u32,
            block_rows: BLOCK_ROWS,
            block_at: (part.start / BLOCK) as u32,
        };
        let (x, means, m2s) = (x.rows(part, features), means.clone(), m2s.clone());
        step.record(&mut b.plan, BatchNormPartialSlots { x, means, m2s });
    }
}

pub(super) fn combine(b: &mut Builder, _: &Options) {
    let rows = b.draw.size(&ROWS, 1 << 13);
    let features = b.draw.size(&FEATURES, 64);
    let blocks = rows.div_ceil(BLOCK);
    let means = b.input("means", blocks * features, Numbers::Shifted);
    let m2s = b.input("m2s", blocks * features, Numbers::Positive);
    let mean = b.output("mean", features, false, At::Aligned);
    let variance = b.output("variance", features, false, At::Aligned);
    let step = BatchNormCombine { rows: rows as u32, features: features as u32, block_rows: BLOCK_ROWS };
    step.record(&mut b.plan, BatchNormCombineSlots { means, m2s, mean, variance });
}

pub(super) fn moving(b: &mut Builder, _: &Options) {
    let features = b.draw.size(&[1, 2, 63, 64, 65, 127, 300], 1 << 12);
    let health = b.health();
    let (mean, variance) = statistics(b, features);
    let moving_mean = b.input("moving_mean", features, Numbers::Shifted);
    let moving_variance = b.input("moving_variance", features, Numbers::Positive);
    let step = BatchNormMoving { features: features as u32, momentum: 0.99, one_minus_momentum: 0.01 };
    let slots = BatchNormMovingSlots { mean, variance, health, moving_mean, moving_variance };
    step.record(&mut b.plan, slots);
}

pub(super) fn apply(b: &mut Builder, options: &Options) {
    let (rows, features) = shape(b);
    let x = b.input("x", rows * features, Numbers::Shifted);
    let (mean, variance) = statistics(b, features);
    let gamma = if options.get("SCALE") != 0 { Some(b.input("gamma", features, Numbers::Logits)) } else { None };
    let beta = if options.get("CENTER") != 0 { Some(b.input("beta", features, Numbers::Unit)) } else { None };
    let y = b.output("y", rows * features, false, At::Aligned);
    for part in b.plan.row_chunks(rows, &[features]) {
        let step = BatchNormApply { rows: part.len() as u32, features: features as u32, epsilon: EPSILON };
        let slots = BatchNormApplySlots {
            x: x.rows(part.clone(), features),
            mean: mean.clone(),
            variance: variance.clone(),
            gamma: gamma.clone(),
            beta: beta.clone(),
            y: y.rows(part, features),
        };
        step.record(&mut b.plan, slots);
    }
}

pub(super) fn grad_sums(b: &mut Builder, _: &Options) {
    let (rows, features) = shape(b);
    let x = b.input("x", rows * features, Numbers::Shifted);
    let dy = b.input("dy", rows * features, Numbers::Unit);
    let (mean, variance) = statistics(b, features);
    let sums = b.output("sums", rows.div_ceil(BLOCK) * 2 * features, false, At::Aligned);
    for part in b.plan.row_chunks(rows, &[features]) {
        let step = BatchNormGradSums {
            rows: part.len() as u32,
            features: features as u32,
            block_rows: BLOCK_ROWS,
            block_at: (part.start / BLOCK) as u32,
            epsilon: EPSILON,
        };
        let slots = BatchNormGradSumsSlots {
            x: x.rows(part.clone(), features),
            dy: dy.rows(part, features),
            mean: mean.clone(),
            variance: variance.clone(),
            sums: sums.clone(),
        };
        step.record(&mut b.plan, slots);
    }
}

pub(super) fn grad(b: &mut Builder, options: &Options) {
    let (rows, features) = shape(b);
    let accumulate = b.draw.one_in(2);
    let x = b.input("x", rows * features, Numbers::Shifted);
    let dy = b.input("dy", rows * features, Numbers::Unit);
    let (mean, variance) = statistics(b, features);
    let gamma = if options.get("SCALE") != 0 { Some(b.input("gamma", features, Numbers::Logits)) } else { None };
    let sums = b.input("sums", 3 * features, Numbers::Logits);
    let dx = b.output("dx", rows * features, accumulate, At::Aligned);
    for part in b.plan.row_chunks(rows, &[features]) {
        let step = BatchNormGrad {
            rows: part.len() as u32,
            features: features as u32,
            total_rows: rows as u32,
            epsilon: EPSILON,
            accumulate: accumulate.into(),
        };
        let slots = BatchNormGradSlots {
            x: x.rows(part.clone(), features),
            dy: dy.rows(part.clone(), features),
            mean: mean.clone(),
            variance: variance.clone(),
            gamma: gamma.clone(),
            sums: sums.clone(),
            dx: dx.rows(part, features),
        };
        step.record(&mut b.plan, slots);
    }
}

pub(super) fn grad_rest(b: &mut Builder, _: &Options) {
    let (rows, features) = shape(b);
    let x = b.input("x", rows * features, Numbers::Shifted);
    let dy = b.input("dy", rows * features, Numbers::Unit);
    let (mean, variance) = statistics(b, features);
    let sums = b.input("sums", 2 * features, Numbers::Logits);
    let rest = b.output("rest", rows.div_ceil(BLOCK) * features, false, At::Aligned);
    for part in b.plan.row_chunks(rows, &[features]) {
        let step = BatchNormGradRest {
            rows: part.len() as u32,
            features: features as u32,
            block_rows: BLOCK_ROWS,
            block_at: (part.start / BLOCK) as u32,
            total_rows: rows as u32,
            epsilon: EPSILON,
        };
        let slots = BatchNormGradRestSlots {
            x: x.rows(part.clone(), features),
            dy: dy.rows(part, features),
            mean: mean.clone(),
            variance: variance.clone(),
            sums: sums.clone(),
            rest: rest.clone(),
        };
        step.record(&mut b.plan, slots);
    }
}
