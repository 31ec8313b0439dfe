//! Sums over rows, and of squares.

use super::Workers;
use super::vectorised::vectorised;
use crate::kernels::{Args, ColumnSum, GradNorm};

/// The sum over `rows` of what `add` adds for a row, `[width]`. Blocks of rows are added up on their own, whoever does it.
pub(super) fn sum_rows(
    workers: &Workers,
    [rows, width]: [usize; 2],
    block: usize,
    add: impl Fn(usize, &mut [f32]) + Sync + Send,
) -> Vec<f32> {
    let mut sums = vec![0.0f32; rows.div_ceil(block) * width];
    let parts = workers.cut(rows, 4 * rows * width, block);
    let mut rest = &mut sums[..];
    let mut work = Vec::with_capacity(parts.len());
    for part in parts {
        let (mine, others) = std::mem::take(&mut rest).split_at_mut(part.len().div_ceil(block) * width);
        work.push((part, mine));
        rest = others;
    }
    workers.each(work, |(part, sums)| {
        vectorised(
            #[inline(always)]
            |_| {
                for (first, sums) in part.clone().step_by(block).zip(sums.chunks_exact_mut(width)) {
                    for row in first..part.end.min(first + block) {
                        add(row, sums);
                    }
                }
            },
        );
    });
    let (total, others) = sums.split_at_mut(width);
    others.chunks_exact(width).for_each(|block| add_to(total, block));
    sums.truncate(width);
    sums
}

/// sum += terms.
#[inline(always)]
pub(super) fn add_to(sum: &mut [f32], terms: &[f32]) {
    for (sum, term) in sum.iter_mut().zip(terms) {
        *sum += term;
    }
}

/// [`ColumnSum`].
pub(in crate::kernels) fn column_sum(p: &ColumnSum, mut args: Args<'_, f32>, workers: &Workers) {
    let (x, out) = (args.read(), args.write());
    let (rows, cols) = (p.rows as usize, p.cols as usize);
    let x = &x[p.x_at as usize..];
    let add = |row: usize, sums: &mut [f32]| add_to(sums, &x[row * cols..(row + 1) * cols]);
    let sums = sum_rows(workers, [rows, cols], p.block_rows as usize, add);
    let out = &mut out[p.out_at as usize..][..cols];
    match p.accumulate {
        0 => out.copy_from_slice(&sums),
        _ => add_to(out, &sums),
    }
}

/// Sums that a block keeps side by side.
const LANES: usize = 32;

/// [`GradNorm`].
pub(in crate::kernels) fn grad_norm(p: &GradNorm, mut args: Args<'_, f32>, workers: &Workers) {
    let step = args.scalars.step;
    let (grads, norm, health) = (args.read(), args.write(), args.write_u32());
    let grads = &grads[..p.n as usize];
    let (lanes, tail) = grads.as_chunks::<LANES>();
    let add = |row: usize, sums: &mut [f32]| {
        for (sum, g) in sums.iter_mut().zip(&lanes[row]) {
            *sum += g * g;
        }
    };
    let sums = match lanes.len() {
        0 => vec![0.0; LANES],
        rows => sum_rows(workers, [rows, LANES], (p.block as usize / LANES).max(1), add),
    };
    let square: f32 = sums.iter().sum::<f32>() + tail.iter().map(|g| g * g).sum::<f32>();
    norm[0] = square.sqrt();
    if square.is_finite() || health[0] != 0 {
        return;
    }
    if let Some(index) = grads.iter().position(|g| !g.is_finite()) {
        health[0] = step;
        health[1] = index as u32;
    }
}
