//! Batch normalisation and its gradient, row by row: all features of a row are neighbours.

use super::Workers;
use super::rows::cut_rows;
use super::sums::sum_rows;
use super::vectorised::vectorised;
use crate::kernels::{Args, BatchNorm, BatchNormApply, BatchNormGrad, Kernel, Options};

/// [`BatchNorm`] over all rows as one group; masks, groups and runs in several parts are left to the reference.
pub(in crate::kernels) fn batch_norm(p: &BatchNorm, options: &Options, mut args: Args<'_, f32>, workers: &Workers) {
    let whole = p.rows <= p.group_rows && p.group_at == 0 && p.before == 0 && p.finish != 0;
    if options.get("MASKED") != 0 || !whole {
        return p.reference(options, args);
    }
    let (x, _, gamma, beta) = (args.read(), args.read(), args.read(), args.read());
    let (mean, variance, y) = (args.write(), args.write(), args.write());
    let (rows, features) = (p.rows as usize, p.features as usize);
    let x = &x[p.x_at as usize..][..rows * features];
    if p.task != 2 {
        let (means, variances) = moments(x, [rows, features], p.block_rows as usize, workers);
        mean[..features].copy_from_slice(&means);
        variance[..features].copy_from_slice(&variances);
    }
    if p.task == 1 {
        return;
    }
    let affine = Affine::new(options, features, [mean, variance, gamma, beta], p.epsilon);
    affine.apply(workers, x, &mut y[p.y_at as usize..][..rows * features], p.accumulate != 0);
}

/// [`BatchNormApply`] with one mean and one variance; groups are left to the reference.
pub(in crate::kernels) fn batch_norm_apply(
    p: &BatchNormApply,
    options: &Options,
    mut args: Args<'_, f32>,
    workers: &Workers,
) {
    if p.last_group != 0 {
        return p.reference(options, args);
    }
    let (x, mean, variance) = (args.read(), args.read(), args.read());
    let (gamma, beta, y) = (args.read(), args.read(), args.write());
    let len = (p.rows * p.features) as usize;
    let affine = Affine::new(options, p.features as usize, [mean, variance, gamma, beta], p.epsilon);
    affine.apply(workers, &x[p.x_at as usize..][..len], &mut y[p.y_at as usize..][..len], p.accumulate != 0);
}

/// What becomes of every row: (x - mean) / deviation · gamma + beta.
struct Affine<'a> {
    mean: &'a [f32],
    deviation: Vec<f32>,
    gamma: Vec<f32>,
    beta: Vec<f32>,
}

impl<'a> Affine<'a> {
    fn new(
        options: &Options,
        features: usize,
        [mean, variance, gamma, beta]: [&'a [f32]; 4],
        epsilon: f32,
    ) -> Affine<'a> {
        let of = |on: &str, values: &[f32], other: f32| match options.get(on) {
            0 => vec![other; features],
            _ => values[..features].to_vec(),
        };
        Affine {
            mean: &mean[..features],
            deviation: variance[..features].iter().map(|v| (v + epsilon).sqrt()).collect(),
            gamma: of("SCALE", gamma, 1.0),
            beta: of("CENTER", beta, 0.0),
        }
    }

    /// Writes, or adds to, y `[rows, F]`.
    fn apply(&self, workers: &Workers, x: &[f32], y: &mut [f32], accumulate: bool) {
        let features = self.mean.len();
        let (mean, deviation) = (self.mean, &self.deviation[..features]);
        let (gamma, beta) = (&self.gamma[..features], &self.beta[..features]);
        let rows = y.len() / features;
        for_rows(
            workers,
            y,
            [rows, features],
            #[inline(always)]
            |row, y| {
                let (x, y) = (&x[row * features..][..features], &mut y[..features]);
                let [mean, deviation, gamma, beta] = of_all([mean, deviation, gamma, beta], y.len());
                for f in 0..y.len() {
                    let value = (x[f] - mean[f]) / deviation[f] * gamma[f] + beta[f];
                    y[f] = if accumulate { value + y[f] } else { value };
                }
            },
        );
    }
}

/// Means and biased variances of the columns: a rough mean first, then the deviations from it, which correct it.
fn moments(x: &[f32], [rows, features]: [usize; 2], block: usize, workers: &Workers) -> (Vec<f32>, Vec<f32>) {
    let n = rows as f32;
    let row_of = |row: usize| &x[row * features..][..features];
    let mut rough = sum_rows(
        workers,
        [rows, features],
        block,
        #[inline(always)]
        |row, sums| super::sums::add_to(sums, row_of(row)),
    );
    rough.iter_mut().for_each(|sum| *sum /= n);
    let both = sum_rows(
        workers,
        [rows, 2 * features],
        block,
        #[inline(always)]
        |row, sums| {
            let (x, (first, second)) = (row_of(row), sums.split_at_mut(features));
            let n = first.len();
            let ([x, rough], second) = (of_all([x, &rough], n), &mut second[..n]);
            for f in 0..n {
                let deviation = x[f] - rough[f];
                first[f] += deviation;
                second[f] += deviation * deviation;
            }
        },
    );
    let (first, second) = both.split_at(features);
    let shifts = first.iter().map(|sum| sum / n);
    let means = rough.iter().zip(shifts.clone()).map(|(rough, shift)| rough + shift).collect();
    let variances = second.iter().zip(first.iter().zip(shifts)).map(|(m2, (sum, shift))| (m2 - sum * shift) / n);
    (means, variances.collect())
}

/// The first `len` of each: one check for a whole loop, which vectorises only without one for each element.
#[inline(always)]
fn of_all<const N: usize>(slices: [&[f32]; N], len: usize) -> [&[f32]; N] {
    slices.map(|slice| &slice[..len])
}

/// Does every row of `[rows, width]`.
fn for_rows(
    workers: &Workers,
    values: &mut [f32],
    [rows, width]: [usize; 2],
    of_row: impl Fn(usize, &mut [f32]) + Sync + Send,
) {
    let parts = workers.cut(rows, 10 * rows * width, 1);
    let rows = cut_rows(values, width, &parts);
    let work = parts.iter().map(|part| part.start).zip(rows).collect();
    workers.each(work, |(first, values): (usize, &mut [f32])| {
        vectorised(
            #[inline(always)]
            |_| {
                for (row, values) in (first..).zip(values.chunks_exact_mut(width)) {
                    of_row(row, values);
                }
            },
        );
    });
}

/// [`BatchNormGrad`] with the statistics of all rows, or with fixed ones; all else is left to the reference.
pub(in crate::kernels) fn batch_norm_grad(
    p: &BatchNormGrad,
    options: &Options,
    mut args: Args<'_, f32>,
    workers: &Workers,
) {
    let kind = options.get("STATISTICS");
    if kind != 0 || p.task != 0 || p.before != 0 || p.rows > p.group_rows || p.row_at != 0 {
        return p.reference(options, args);
    }
    let (x, _, dy, statistics, gamma) = (args.read(), args.read(), args.read(), args.read(), args.read());
    let (sums, of_variables, dx) = (args.write(), args.write(), args.write());
    let (rows, features, block) = (p.rows as usize, p.features as usize, p.block_rows as usize);
    let mean = &statistics[p.mean_at as usize..][..features];
    let deviation = statistics[p.variance_at as usize..][..features].iter().map(|v| (v + p.epsilon).sqrt());
    let deviation: Vec<f32> = deviation.collect();
    let (x, dy) = (&x[p.x_at as usize..][..rows * features], &dy[p.dy_at as usize..][..rows * features]);
    let m = p.total_rows as f32;
    let of_row = |row: usize| (&x[row * features..][..features], &dy[row * features..][..features]);

    let both = sum_rows(
        workers,
        [rows, 2 * features],
        block,
        #[inline(always)]
        |row, sums| {
            let ((x, dy), (bias, scale)) = (of_row(row), sums.split_at_mut(features));
            let n = bias.len();
            let ([x, dy, mean, deviation], scale) = (of_all([x, dy, mean, &deviation], n), &mut scale[..n]);
            for f in 0..n {
                bias[f] += dy[f];
                scale[f] += dy[f] * ((x[f] - mean[f]) / deviation[f]);
            }
        },
    );
    sums[..2 * features].copy_from_slice(&both);
    let (of_bias, of_scale) = both.split_at(features);
    for (how, at, sum) in [(p.of_beta, p.beta_at, of_bias), (p.of_gamma, p.gamma_at, of_scale)] {
        let range = at as usize..at as usize + features;
        match how * p.finish {
            0 => {}
            1 => of_variables[range].copy_from_slice(sum),
            _ => super::sums::add_to(&mut of_variables[range], sum),
        }
    }
    let (of_bias, of_scale): (Vec<f32>, Vec<f32>) =
        (of_bias.iter().map(|s| s / m).collect(), of_scale.iter().map(|s| s / m).collect());
    let rest = sum_rows(
        workers,
        [rows, features],
        block,
        #[inline(always)]
        |row, sums| {
            let (x, dy) = of_row(row);
            let n = sums.len();
            let [x, dy, mean, deviation, of_bias, of_scale] = of_all([x, dy, mean, &deviation, &of_bias, &of_scale], n);
            for f in 0..n {
                sums[f] += dy[f] - of_bias[f] - (x[f] - mean[f]) / deviation[f] * of_scale[f];
            }
        },
    );
    sums[2 * features..3 * features].copy_from_slice(&rest);
    let rest: Vec<f32> = rest.iter().map(|rest| rest / m).collect();
    let gamma = if options.get("SCALE") != 0 { gamma[..features].to_vec() } else { vec![1.0; features] };
    let dx = &mut dx[p.dx_at as usize..][..rows * features];
    for_rows(
        workers,
        dx,
        [rows, features],
        #[inline(always)]
        |row, dx| {
            let (x, dy) = of_row(row);
            let n = dx.len();
            let [x, dy, mean, deviation] = of_all([x, dy, mean, &deviation], n);
            let [of_bias, of_scale, rest, gamma] = of_all([&of_bias, &of_scale, &rest, &gamma], n);
            for f in 0..n {
                // The rest joins the smaller term: taken from the difference it would be rounded away.
                let through_scale = (x[f] - mean[f]) / deviation[f] * of_scale[f] + rest[f];
                let value = (dy[f] - of_bias[f] - through_scale) / deviation[f] * gamma[f];
                dx[f] = if p.accumulate != 0 { value + dx[f] } else { value };
            }
        },
    );
}
