//! Batch normalisation, in one run or in as many as tiny bindings need.

use super::super::case::{At, Builder};
use super::super::draw::{FEATURES, Numbers, ROWS};
use crate::kernels::{
    BatchNorm, BatchNormApply, BatchNormApplySlots, BatchNormGrad, BatchNormGradSlots, BatchNormMask, BatchNormMoving,
    BatchNormMovingSlots, BatchNormOutput, BatchNormPopulation, BatchNormPopulationSlots, BatchNormSlots,
    BatchNormTask, OfVariables, Options, Statistics,
};
use crate::plan::{ALIGNMENT, Slot};
use std::ops::Range;

const EPSILON: f32 = 1e-3;

/// Rows and features; a tiny binding shows no block of more than 15 features.
fn shape(b: &mut Builder) -> (usize, usize) {
    let tiny = b.perhaps_tiny_bindings();
    let rows = b.draw.size(&ROWS, 1 << 12);
    let features = if tiny { b.draw.size(&[1, 2, 3, 5, 7, 8, 15], 64) } else { b.draw.width(64) };
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

pub(super) fn train(b: &mut Builder, options: &Options) {
    let masked = options.get("MASKED");
    let is_grouped = masked == 0 && b.draw.one_in(3);
    let [group_rows, groups, features, first] = if is_grouped { grouped(b) } else { [0; 4] };
    let (rows, features) = if is_grouped { (group_rows * groups, features) } else { shape(b) };
    let x = b.input_anywhere("x", rows * features, Numbers::Shifted);
    let means = if masked == 0 { groups.max(1) } else { 2 } * features;
    let mean = b.output("mean", means, is_grouped, At::Aligned);
    let variance = b.output("variance", groups.max(1) * features, is_grouped, At::Aligned);
    let mask = (masked != 0).then(|| mask(b, rows, features, masked == 2));
    let gamma = vector(b, options, "SCALE", "gamma", features);
    let beta = vector(b, options, "CENTER", "beta", features);
    let apply = gamma.is_some() || beta.is_some() || b.draw.one_in(2);
    let y = apply.then(|| b.output("y", rows * features, true, At::Anywhere));
    let record = |b: &mut Builder, part: Range<usize>, step: BatchNorm, y: Option<&Slot>| {
        let output = y.map(|y| y.rows(part.clone(), features));
        let slots = BatchNormSlots {
            x: x.rows(part.clone(), features),
            mask: mask.as_ref().map(|mask| mask.rows(part.clone(), features)),
            mean: mean.clone(),
            variance: variance.clone(),
            output: output.map(|y| BatchNormOutput { gamma: gamma.clone(), beta: beta.clone(), y }),
        };
        step.record(&mut b.plan, slots);
    };
    if is_grouped {
        let part = first * group_rows..rows;
        let step = BatchNorm {
            group_rows: group_rows as u32,
            group_at: first as u32,
            accumulate: b.draw.one_in(2).into(),
            ..BatchNorm::of_rows(part.len(), features, EPSILON)
        };
        return record(b, part, step, y.as_ref());
    }
    for part in b.plan.row_chunks(rows, &[features]) {
        let last = part.end == rows;
        let step = BatchNorm {
            before: part.start as u32,
            finish: last.into(),
            ..BatchNorm::of_rows(part.len(), features, EPSILON)
        };
        record(b, part, step, y.as_ref().filter(|_| last));
    }
}

pub(super) fn moving(b: &mut Builder, _: &Options) {
    let n = b.draw.size(&[1, 2, 63, 64, 65, 127, 300], 1 << 12);
    let health = b.health();
    let (batch, moving) = (b.input("batch", n, Numbers::Unit), b.input("moving", n, Numbers::Shifted));
    BatchNormMoving::record(0.99, &mut b.plan, BatchNormMovingSlots { batch, health, moving });
}

pub(super) fn population(b: &mut Builder, options: &Options) {
    let features = b.draw.size(&[1, 2, 63, 64, 65, 127, 300], 1 << 12);
    let masked = options.get("MASKED") != 0;
    let behind = if masked { features } else { 0 };
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
    step.record(masked, &mut b.plan, slots);
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

pub(super) fn grad(b: &mut Builder, options: &Options) {
    let kind = options.get("STATISTICS");
    let masked = [1, 4].contains(&kind);
    let is_grouped = kind == 3 || (kind == 2 && b.draw.one_in(3));
    let [group_rows, groups, features, first] = if is_grouped { grouped(b) } else { [0; 4] };
    let (rows, features) = if is_grouped { (group_rows * groups, features) } else { shape(b) };
    let x = b.input_anywhere("x", rows * features, Numbers::Shifted);
    let dy = b.input_anywhere("dy", rows * features, Numbers::Unit);
    let known = if is_grouped { groups } else { 1 };
    let mut both = b.draw.numbers(known * features, Numbers::Unit);
    if masked {
        let count = b.draw.below(rows + 1) as f32;
        both.extend((0..features).map(|_| if kind == 4 { b.draw.below(rows + 1) as f32 } else { count }));
    }
    let means = both.len();
    let at = means.next_multiple_of(ALIGNMENT);
    both.resize(at, 0.0);
    both.extend(b.draw.numbers(known * features, Numbers::Positive));
    let both = b.holding("statistics", both, At::Aligned);
    let (mean, variance) = (both.range(0..means), both.range(at..at + known * features));
    let gamma = vector(b, options, "SCALE", "gamma", features);
    let sums = b.output("sums", (known * 2).max(3) * features, true, At::Aligned);
    let statistics = match kind {
        0 => Statistics::OfBatch(sums),
        1 | 4 => Statistics::OfMasked(sums, mask(b, rows, features, kind == 4)),
        2 => Statistics::Fixed,
        _ => Statistics::OfGroups(sums),
    };
    let variables = of_variables(b, features);
    let dx = b.output("dx", rows * features, true, At::Anywhere);
    let accumulate = b.draw.one_in(2);
    let record = |b: &mut Builder, part: Range<usize>, task: BatchNormTask| {
        let mut step = BatchNormGrad {
            before: (part.start > 0 && !is_grouped).into(),
            finish: (part.end == rows).into(),
            accumulate: accumulate.into(),
            ..BatchNormGrad::of_rows(part.clone(), rows, features, EPSILON)
        };
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
            statistics: statistics.of_rows(part, features),
            task,
        };
        step.record(&mut b.plan, slots);
    };
    let of_dx = |part: &Range<usize>| dx.rows(part.clone(), features);
    if is_grouped {
        let part = first * group_rows..rows;
        let dx = of_dx(&part);
        let task = if kind == 2 { BatchNormTask::Input(dx) } else { BatchNormTask::All(OfVariables::default(), dx) };
        return record(b, part, task);
    }
    let parts = b.plan.row_chunks(rows, &[features]);
    if let ([all], true) = (&parts[..], kind != 2) {
        return record(b, all.clone(), BatchNormTask::All(variables, of_dx(all)));
    }
    if kind != 2 {
        parts.iter().for_each(|part| record(b, part.clone(), BatchNormTask::Sums(variables.clone())));
    }
    if kind == 0 {
        parts.iter().for_each(|part| record(b, part.clone(), BatchNormTask::Rest));
    }
    parts.iter().for_each(|part| record(b, part.clone(), BatchNormTask::Input(of_dx(part))));
}

/// Where the gradients of gamma and beta go: both, one or none of them wanted.
fn of_variables(b: &mut Builder, features: usize) -> OfVariables {
    let at = features.next_multiple_of(ALIGNMENT);
    let both = b.output("of_variables", at + features, true, At::Aligned);
    let mut wanted = |at: usize| (!b.draw.one_in(4)).then(|| (both.range(at..at + features), b.draw.one_in(2)));
    OfVariables { gamma: wanted(0), beta: wanted(at) }
}
