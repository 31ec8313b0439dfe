//! Matrix products by the `gemm` crate.

use super::Workers;
use crate::kernels::{Args, Matmul};

/// A matrix in a slice.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub values: &'a [f32],
    /// Distances of rows and of columns.
    pub strides: [usize; 2],
}

impl<'a> View<'a> {
    /// Rows of `width`, one behind the other.
    pub fn rows(values: &'a [f32], width: usize) -> Self {
        View { values, strides: [width, 1] }
    }

    fn covers(&self, [rows, cols]: [usize; 2]) -> bool {
        rows == 0 || cols == 0 || (rows - 1) * self.strides[0] + (cols - 1) * self.strides[1] < self.values.len()
    }
}

/// C = A·B, or C += A·B; C is `[M, N]`, its rows one behind the other.
pub(super) fn product([m, n, k]: [usize; 3], accumulate: bool, a: View<'_>, b: View<'_>, c: &mut [f32]) {
    assert!(a.covers([m, k]) && b.covers([k, n]) && c.len() >= m * n, "matrices lie in their slices");
    let [[a_row, a_col], [b_row, b_col]] = [a.strides, b.strides].map(|s| s.map(|s| s as isize));
    // SAFETY: `gemm` reads m x k of A, k x n of B and reads and writes m x n of C by these strides, which lie in the slices.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            n as isize,
            accumulate,
            a.values.as_ptr(),
            a_col,
            a_row,
            b.values.as_ptr(),
            b_col,
            b_row,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// Rows of C that a thread's part is a multiple of.
const GRAIN: usize = 16;

/// [`Matmul`], rows of C in parallel.
pub(in crate::kernels) fn matmul(p: &Matmul, mut args: Args<'_, f32>, workers: &Workers) {
    let (a, b, bias, c) = (args.read(), args.read(), args.read(), args.write());
    let [m, n, k] = [p.m, p.n, p.k].map(|size| size as usize);
    let [a_row, a_col] = [p.a_row, p.a_col].map(|stride| stride as usize);
    let b = View { values: &b[p.b_at as usize..], strides: [p.b_row, p.b_col].map(|stride| stride as usize) };
    let parts = workers.cut(m, 2 * m * n * k, GRAIN);
    let mut rest = &mut c[p.c_at as usize..][..m * n];
    let mut work = Vec::with_capacity(parts.len());
    for rows in parts {
        let (mine, others) = std::mem::take(&mut rest).split_at_mut(rows.len() * n);
        work.push((rows, mine));
        rest = others;
    }
    workers.each(work, |(rows, c)| {
        let a = View { values: &a[p.a_at as usize + rows.start * a_row..], strides: [a_row, a_col] };
        let mut accumulate = p.accumulate != 0;
        if p.has_bias != 0 {
            for row in c.chunks_exact_mut(n) {
                match accumulate {
                    true => row.iter_mut().zip(bias).for_each(|(c, b)| *c += b),
                    false => row.copy_from_slice(&bias[..n]),
                }
            }
            accumulate = true;
        }
        product([rows.len(), n, k], accumulate, a, b, c);
    });
}
