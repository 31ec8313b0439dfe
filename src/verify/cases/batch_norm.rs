//! Batch normalisation, in one run or in as many as tiny bindings need.

use super::super::case::{At, Builder};
use super::super::draw::{FEATURES, Numbers, ROWS};
use crate::kernels::{
    BLOCK_ROWS, BatchNormApply, BatchNormApplySlots, BatchNormCombine, BatchNormCombineSlots, BatchNormGrad,
    BatchNormGradRest, BatchNormGradRestSlots, BatchNormGradSlots, BatchNormGradSums, BatchNormGradSumsSlots,
    BatchNormMask, BatchNormMoving, BatchNormMovingSlots, BatchNormPartial, BatchNormPartialSlots, BatchNormPopulation,
    BatchNormPopulationSlots, Options, Statistics,
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

/// Groups of rows, as the time steps of a recurrent layer: rows of a group, groups, features, and the group that begins a run in
/// the middle, where bindings may not begin.
fn grouped(b: &mut Builder) -> [usize; 4] {
    let rows = b.draw.size(&[1, 2, 3, 5, 8, 31, 33], 64);
    let groups = b.draw.size(&[1, 2, 3, 7, 9], 64);
    let features = b.draw.size(&FEATURES, 256);
    [rows, groups, features, b.draw.below(groups)]
}

/// Which rows, or elements, count: sometimes none, or no row of a whole block.
fn mask(b: &mut Builder, rows: usize, features: usize, of_elements: bool) -> BatchNormMask {
    let (none, from) = (b.draw.one_in(4), b.draw.below(rows + 1));
    let width = if of_elements { features } else { 1 };
    let values = (0..rows * width).map(|i| f32::from(!none && i / width >= from / 2 && b.draw.one_in(2))).collect();
    let slot = b.holding("mask", values, At::Aligned);
    if of_elements { BatchNormMask::OfElements(slot) } else { BatchNormMask::OfRows(slot) }
}

pub(super) fn partial(b: &mut Builder, options: &Options) {
    if options.get("MASKED") == 0 && b.draw.one_in(3) {
        let [rows, groups, features, first] = grouped(b);
        let x = b.input_anywhere("x", groups * rows * features, Numbers::Shifted);
        let means = b.output("means", groups * features, true, At::Aligned);
        let m2s = b.output("m2s", groups * features, true, At::Aligned);
        let step = BatchNormPartial {
            rows: ((groups - first) * rows) as u32,
            features: features as u32,
            block_rows: rows as u32,
            block_at: first as u32,
            x_at: 0,
            divide: 1,
        };
        let x = x.rows(first * rows..groups * rows, features);
        return step.record(&mut b.plan, BatchNormPartialSlots { x, mask: None, means, m2s });
    }
    let (rows, features) = shape(b);
    let blocks = rows.div_ceil(BLOCK);
    let x = b.input("x", rows * features, Numbers::Shifted);
    let means = b.output("means", blocks * features, false, At::Aligned);
    let m2s = b.output("m2s", blocks * features, false, At::Aligned);
    let masked = options.get("MASKED");
    let mask = (masked != 0).then(|| mask(b, rows, features, masked == 2));
    let mask = mask.map(|mask| {
        let counts = b.output("counts", blocks * mask.width(features), false, At::Aligned);
        (mask, counts)
    });
    for part in b.plan.row_chunks(rows, &[features]) {
        let step = BatchNormPartial {
            rows: part.len() as u32,
            features: features as u32,
            block_rows: BLOCK_ROWS,
            block_at: (part.start / BLOCK) as u32,
            x_at: 0,
            divide: 0,
        };
        let mask = mask.clone().map(|(mask, counts)| (mask.rows(part.clone(), features), counts));
        let (x, means, m2s) = (x.rows(part, features), means.clone(), m2s.clone());
        step.record(&mut b.plan, BatchNormPartialSlots { x, mask, means, m2s });
    }
}

pub(super) fn combine(b: &mut Builder, options: &Options) {
    let rows = b.draw.size(&ROWS, 1 << 13);
    let features = b.draw.size(&FEATURES, 64);
    let blocks = rows.div_ceil(BLOCK);
    let mut means = b.draw.numbers(blocks * features, Numbers::Shifted);
    let mut m2s = b.draw.numbers(blocks * features, Numbers::Positive);
    let masked = options.get("MASKED");
    let width = if masked == 2 { features } else { 1 };
    let counts: Vec<f32> =
        (0..blocks * width).map(|_| if b.draw.one_in(3) { 0.0 } else { b.draw.below(65) as f32 }).collect();
    // Blocks without rows that count have no mean.
    for i in (0..blocks * features).filter(|i| masked != 0 && counts[i * width / features] == 0.0) {
        (means[i], m2s[i]) = (0.0, 0.0);
    }
    let (means, m2s) = (b.holding("means", means, At::Aligned), b.holding("m2s", m2s, At::Aligned));
    let counts = match masked {
        0 => None,
        1 => Some(BatchNormMask::OfRows(b.holding("counts", counts, At::Aligned))),
        _ => Some(BatchNormMask::OfElements(b.holding("counts", counts, At::Aligned))),
    };
    let behind = if masked == 0 { 0 } else { width };
    let mean = b.output("mean", features + behind, false, At::Aligned);
    let variance = b.output("variance", features, false, At::Aligned);
    let step = BatchNormCombine { rows: rows as u32, features: features as u32, block_rows: BLOCK_ROWS };
    step.record(&mut b.plan, BatchNormCombineSlots { means, m2s, counts, mean, variance });
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

pub(super) fn population(b: &mut Builder, options: &Options) {
    let features = b.draw.size(&[1, 2, 63, 64, 65, 127, 300], 1 << 12);
    let behind = [0, 1, features][options.get("MASKED") as usize];
    let rows = b.draw.below(1000) + 1;
    let mut mean = b.draw.numbers(features, Numbers::Shifted);
    mean.extend((0..behind).map(|_| if b.draw.one_in(4) { 0.0 } else { b.draw.below(1000) as f32 }));
    let mean = b.holding("mean", mean, At::Aligned);
    let variance = b.input("variance", features, Numbers::Positive);
    let before = if b.draw.one_in(3) { 0.0 } else { b.draw.below(10_000) as f32 };
    let counts = b.holding("counts", vec![before; features], At::Aligned);
    let total_mean = b.output("total_mean", features, before > 0.0, At::Aligned);
    let total_variance = b.output("total_variance", features, before > 0.0, At::Aligned);
    let step = BatchNormPopulation { features: features as u32, rows: rows as u32 };
    let slots = BatchNormPopulationSlots { mean, variance, counts, total_mean, total_variance };
    step.record(options.get("MASKED"), &mut b.plan, slots);
}

/// Gamma or beta, where an option wants it.
fn vector(b: &mut Builder, options: &Options, option: &str, name: &str, features: usize) -> Option<Slot> {
    (options.get(option) != 0).then(|| b.input(name, features, Numbers::Logits))
}

pub(super) fn apply(b: &mut Builder, options: &Options) {
    if b.draw.one_in(3) {
        let [rows, groups, features, first] = grouped(b);
        let known = 1 + b.draw.below(groups);
        let x = b.input_anywhere("x", groups * rows * features, Numbers::Shifted);
        let (mean, variance) = statistics(b, known * features);
        let gamma = vector(b, options, "SCALE", "gamma", features);
        let beta = vector(b, options, "CENTER", "beta", features);
        let y = b.output("y", groups * rows * features, true, At::Anywhere);
        let part = first * rows..groups * rows;
        let step = BatchNormApply {
            group_rows: rows as u32,
            last_group: known as u32 - 1,
            accumulate: b.draw.one_in(2).into(),
            ..BatchNormApply::of_rows(part.clone(), features, EPSILON)
        };
        let (x, y) = (x.rows(part.clone(), features), y.rows(part, features));
        return step.record(&mut b.plan, BatchNormApplySlots { x, mean, variance, gamma, beta, y });
    }
    let (rows, features) = shape(b);
    let x = b.input("x", rows * features, Numbers::Shifted);
    let (mean, variance) = statistics(b, features);
    let gamma = vector(b, options, "SCALE", "gamma", features);
    let beta = vector(b, options, "CENTER", "beta", features);
    let y = b.output("y", rows * features, false, At::Aligned);
    for part in b.plan.row_chunks(rows, &[features]) {
        let step = BatchNormApply::of_rows(part.clone(), features, EPSILON);
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
    let is_grouped = b.draw.one_in(3);
    let [rows, groups, features, first] = if is_grouped { grouped(b) } else { [0; 4] };
    let (rows, features) = if is_grouped { (rows * groups, features) } else { shape(b) };
    let block = if is_grouped { rows / groups } else { BLOCK };
    let x = b.input_anywhere("x", rows * features, Numbers::Shifted);
    let dy = b.input_anywhere("dy", rows * features, Numbers::Unit);
    let (mean, variance) = statistics(b, if is_grouped { groups * features } else { features });
    let sums = b.output("sums", rows.div_ceil(block) * 2 * features, true, At::Aligned);
    let part = first * block..rows;
    let parts = if is_grouped { Vec::from([part]) } else { b.plan.row_chunks(rows, &[features]) };
    for part in parts {
        let step = BatchNormGradSums {
            rows: part.len() as u32,
            features: features as u32,
            block_rows: block as u32,
            block_at: (part.start / block) as u32,
            grouped: is_grouped.into(),
            epsilon: EPSILON,
            x_at: 0,
            dy_at: 0,
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
    let masked = [1, 4].contains(&options.get("STATISTICS"));
    let is_grouped = options.get("STATISTICS") == 3 || (options.get("STATISTICS") == 2 && b.draw.one_in(3));
    let [group_rows, groups, features, first] = if is_grouped { grouped(b) } else { [0; 4] };
    let (rows, features) = if is_grouped { (group_rows * groups, features) } else { shape(b) };
    let accumulate = b.draw.one_in(2);
    let x = b.input_anywhere("x", rows * features, Numbers::Shifted);
    let dy = b.input_anywhere("dy", rows * features, Numbers::Unit);
    let known = if is_grouped { groups } else { 1 };
    let mut mean = b.draw.numbers(known * features, Numbers::Unit);
    if masked {
        let counts = if options.get("STATISTICS") == 4 { features } else { 1 };
        mean.extend((0..counts).map(|_| b.draw.below(rows + 1) as f32));
    }
    let mean = b.holding("mean", mean, At::Aligned);
    let variance = b.input("variance", known * features, Numbers::Positive);
    let gamma = vector(b, options, "SCALE", "gamma", features);
    let sums = b.input("sums", (known * 2).max(3) * features, Numbers::Logits);
    let statistics = match options.get("STATISTICS") {
        0 => Statistics::OfBatch(sums),
        statistics @ (1 | 4) => Statistics::OfMasked(sums, mask(b, rows, features, statistics == 4)),
        2 => Statistics::Fixed,
        _ => Statistics::OfGroups(sums),
    };
    let dx = b.output("dx", rows * features, true, At::Anywhere);
    let part = first * group_rows..rows;
    let parts = if is_grouped { Vec::from([part]) } else { b.plan.row_chunks(rows, &[features]) };
    for part in parts {
        let mut step = BatchNormGrad::of_rows(part.clone(), rows, features, EPSILON);
        step.accumulate = accumulate.into();
        if is_grouped {
            (step.group_rows, step.total_rows) = (group_rows as u32, group_rows as u32);
            step.last_group = groups as u32 - 1;
        }
        let slots = BatchNormGradSlots {
            x: x.rows(part.clone(), features),
            dy: dy.rows(part.clone(), features),
            mean: mean.clone(),
            variance: variance.clone(),
            gamma: gamma.clone(),
            statistics: statistics.of_rows(part.clone(), features),
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
