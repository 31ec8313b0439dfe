//! Matrix products by the `gemm` crate.

use super::Workers;
use super::rows::cut_rows;
use crate::kernels::Matmul;
use crate::kernels::half::two_to;
use crate::kernels::matmul::MatmulArgs;

/// Rows of C that a thread's part is a multiple of where a bias is added.
const GRAIN: usize = 16;

/// [`Matmul`]. The crate itself hands parts of a product to the threads: it decides how to compute it from the sizes of the whole, so that
/// sums are the same on any number of threads, which they are not where parts are given to it one by one.
pub(in crate::kernels) fn matmul(p: &Matmul, args: MatmulArgs<'_, f32>, workers: &Workers) {
    let MatmulArgs { a, b, bias, c, power_back } = args;
    let [m, n, k] = [p.m, p.n, p.k].map(|size| size as usize);
    let [a, b] = [&a[p.a_at as usize..], &b[p.b_at as usize..]];
    let c = &mut c[p.c_at as usize..][..m * n];
    let covers = |values: &[f32], [rows, cols]: [usize; 2], [row, col]: [u32; 2]| {
        rows * cols == 0 || values.len() > (rows - 1) * row as usize + (cols - 1) * col as usize
    };
    assert!(
        covers(a, [m, k], [p.a_row, p.a_col]) && covers(b, [k, n], [p.b_row, p.b_col]),
        "A and B lie in their slices"
    );
    if p.has_bias != 0 {
        add_bias(&bias[..n], p.accumulate != 0, c, workers);
    }
    let parallelism = match workers.parts(2 * m * n * k) {
        1 => gemm::Parallelism::None,
        parts => gemm::Parallelism::Rayon(parts),
    };
    let [[a_row, a_col], [b_row, b_col]] = [[p.a_row, p.a_col], [p.b_row, p.b_col]].map(|s| s.map(|s| s as isize));
    // SAFETY: `gemm` reads m x k of A and k x n of B by these strides, and reads and writes m x n of C: all lie in the slices.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            n as isize,
            p.accumulate != 0 || p.has_bias != 0,
            a.as_ptr(),
            a_col,
            a_row,
            b.as_ptr(),
            b_col,
            b_row,
            1.0,
            two_to(power_back),
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// C = bias, or C += bias, in every row.
fn add_bias(bias: &[f32], accumulate: bool, c: &mut [f32], workers: &Workers) {
    let n = bias.len();
    let parts = workers.cut(c.len() / n, c.len(), GRAIN);
    workers.each(cut_rows(c, n, &parts), |c| {
        for row in c.chunks_exact_mut(n) {
            match accumulate {
                true => row.iter_mut().zip(bias).for_each(|(c, b)| *c += b),
                false => row.copy_from_slice(bias),
            }
        }
    });
}
