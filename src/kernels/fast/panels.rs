//! Products of few rows with a matrix that is used again and again, as in every time step of an LSTM: it is packed once.
//!
//! What becomes of a row does not depend on how many there are, so that rows can be cut between threads anywhere.

use pulp::{Arch, Simd, WithSimd};

/// Vectors of a panel.
const WIDE: usize = 2;
/// Rows of C in a tile, where a CPU has the registers.
const TALL: usize = 8;
/// Terms of a sum that are added up on their own.
const DEPTH: usize = 256;

/// B `[K, N]` of A·B.
pub(super) struct Panels {
    k: usize,
    n: usize,
    blocks: Vec<Block>,
}

/// Some rows of B: panels of as many columns as some vectors hold, each `[depth, columns]`, the last filled up with zeros.
struct Block {
    depth: usize,
    values: Vec<f32>,
}

impl Panels {
    /// Packs B, whose rows and columns are `strides` apart.
    pub fn new(b: &[f32], [k, n]: [usize; 2], strides: [usize; 2]) -> Self {
        let block = |first: usize| {
            let depth = DEPTH.min(k - first);
            Block { depth, values: pack(&b[first * strides[0]..], [depth, n], strides) }
        };
        Panels { k, n, blocks: (0..k).step_by(DEPTH).map(block).collect() }
    }

    /// C = A·B, or C += A·B; the rows of A `[M, K]` and of C `[M, N]` lie one behind the other.
    pub fn product(&self, accumulate: bool, a: &[f32], c: &mut [f32]) {
        assert!(a.len() * self.n == c.len() * self.k, "A and C have as many rows");
        for (number, block) in self.blocks.iter().enumerate() {
            let (first, accumulate) = (number * DEPTH, accumulate || number > 0);
            Arch::new().dispatch(Product { panels: self, block, first, accumulate, a, c: &mut *c });
        }
    }
}

fn pack(b: &[f32], [depth, n]: [usize; 2], strides: [usize; 2]) -> Vec<f32> {
    let wide = width();
    let mut packed = vec![0.0; n.div_ceil(wide) * wide * depth];
    for (first, panel) in (0..n).step_by(wide).zip(packed.chunks_exact_mut(wide * depth)) {
        let columns = wide.min(n - first);
        for (row, packed) in panel.chunks_exact_mut(wide).enumerate() {
            let from = &b[row * strides[0] + first * strides[1]..];
            match strides[1] {
                1 => packed[..columns].copy_from_slice(&from[..columns]),
                stride => {
                    packed.iter_mut().zip(from.iter().step_by(stride)).take(columns).for_each(|(p, v)| *p = *v);
                }
            }
        }
    }
    packed
}

/// Columns of a panel on this CPU.
fn width() -> usize {
    struct Lanes;
    impl WithSimd for Lanes {
        type Output = usize;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            WIDE * S::F32_LANES
        }
    }
    Arch::new().dispatch(Lanes)
}

/// [`Panels::product`] with one block, before the CPU's vectors are known.
struct Product<'a> {
    panels: &'a Panels,
    block: &'a Block,
    /// The first row of the block in B.
    first: usize,
    accumulate: bool,
    a: &'a [f32],
    c: &'a mut [f32],
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Panels { k, n, .. } = *self.panels;
        let Block { depth, ref values } = *self.block;
        let wide = WIDE * S::F32_LANES;
        // So many sums as fit the registers beside a row of B.
        let most = if S::REGISTER_COUNT >= 32 { TALL } else { TALL / 2 };
        for (a, c) in self.a.chunks(most * k).zip(self.c.chunks_mut(most * n)) {
            let a = &a[self.first..];
            for (column, panel) in (0..n).step_by(wide).zip(values.chunks_exact(wide * depth)) {
                let tile = Tile { simd, panel, k, n, column, accumulate: self.accumulate };
                match c.len() / n {
                    1 => tile.rows::<1>(a, c),
                    2 => tile.rows::<2>(a, c),
                    3 => tile.rows::<3>(a, c),
                    4 => tile.rows::<4>(a, c),
                    5 => tile.rows::<5>(a, c),
                    6 => tile.rows::<6>(a, c),
                    7 => tile.rows::<7>(a, c),
                    _ => tile.rows::<TALL>(a, c),
                }
            }
        }
    }
}

/// Some rows of C in the columns of one panel.
struct Tile<'a, S> {
    simd: S,
    panel: &'a [f32],
    /// From a row of A to the next.
    k: usize,
    /// From a row of C to the next.
    n: usize,
    /// The first of the columns.
    column: usize,
    accumulate: bool,
}

impl<S: Simd> Tile<'_, S> {
    #[inline(always)]
    fn rows<const M: usize>(&self, a: &[f32], c: &mut [f32]) {
        let (simd, lanes) = (self.simd, S::F32_LANES);
        let (b, _) = S::as_simd_f32s(self.panel);
        let (b, _) = b.as_chunks::<WIDE>();
        let mut sums = [[simd.splat_f32s(0.0); WIDE]; M];
        assert!((M - 1) * self.k + b.len() <= a.len(), "A lies in its slice");
        for (at, b) in b.iter().enumerate() {
            for (row, sums) in sums.iter_mut().enumerate() {
                // SAFETY: `row` is less than M and `at` than the depth, so this lies before the end that was checked above.
                let a = simd.splat_f32s(unsafe { *a.get_unchecked(row * self.k + at) });
                for (sum, b) in sums.iter_mut().zip(b) {
                    *sum = simd.mul_add_e_f32s(a, *b, *sum);
                }
            }
        }
        for (c, sums) in c.chunks_exact_mut(self.n).zip(sums) {
            for (vector, sum) in sums.into_iter().enumerate() {
                let from = (self.column + vector * lanes).min(self.n);
                let c = &mut c[from..self.n.min(from + lanes)];
                let sum = if self.accumulate { simd.add_f32s(simd.partial_load_f32s(c), sum) } else { sum };
                simd.partial_store_f32s(c, sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_right_whatever_the_sizes_and_the_same_row_by_row() {
        for [m, k, n] in [[1, 1, 1], [3, 5, 4], [8, 64, 256], [13, 33, 47], [21, 128, 32], [9, 600, 70]] {
            let numbers = |len: usize, f: f32| (0..len).map(|i| (i as f32 * f).sin()).collect::<Vec<f32>>();
            let (a, b, before) = (numbers(m * k, 0.7), numbers(k * n, 0.3), numbers(m * n, 0.1));
            let transposed: Vec<f32> = (0..n * k).map(|i| b[i % k * n + i / k]).collect();
            let panels = Panels::new(&b, [k, n], [n, 1]);
            let [mut whole, mut single, mut alone] = [before.clone(), before.clone(), before.clone()];
            panels.product(true, &a, &mut whole);
            a.chunks(k).zip(single.chunks_mut(n)).for_each(|(a, c)| panels.product(true, a, c));
            assert_eq!(whole, single);
            Panels::new(&transposed, [k, n], [1, k]).product(false, &a, &mut alone);
            for i in 0..m * n {
                let terms = || (0..k).map(|j| a[i / n * k + j] as f64 * b[j * n + i % n] as f64);
                let (sum, ulp) = (terms().sum::<f64>(), f32::EPSILON as f64);
                let bound = (k + 2) as f64 * ulp * terms().map(f64::abs).sum::<f64>();
                assert!((whole[i] as f64 - before[i] as f64 - sum).abs() <= bound + 2.0 * ulp, "{m} {k} {n}: {i}");
                assert!((alone[i] as f64 - sum).abs() <= bound, "{m} {k} {n}: {i}");
            }
        }
    }
}
