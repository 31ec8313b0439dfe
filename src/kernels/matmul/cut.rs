//! How a product is cut: into dispatches that each take a bounded time, and over workgroups that each add up a part of the terms.

use super::super::{Dispatch, RUN, grid_1d};
use super::Matmul;

/// Fewest terms of one part.
pub(super) const LEAST_TERMS: u32 = 64;
/// Terms of a part on a CPU, whose rows of A and B fit its cache.
pub(super) const CACHED_TERMS: u32 = 512;
/// Fewest rows of C of a dispatch that is one of several: whole tiles of any variant.
const LEAST_ROWS: u64 = 128;

impl Matmul {
    /// This product as several of at most so many multiplications and additions where it can be cut: into rows of C, or into terms
    /// where they are more, of which later ones are added to the earlier.
    pub(super) fn pieces(&self, most_flops: u64) -> Vec<Matmul> {
        let [m, n, k] = [self.m, self.n, self.k].map(u64::from);
        let most =
            |least: u64, others: u64| (most_flops / (2 * n * others) / least * least).clamp(least, 1 << 31) as u32;
        let (rows, terms) = if k > m {
            let terms = most(CACHED_TERMS.into(), m);
            (most(LEAST_ROWS, terms.min(self.k).into()), terms)
        } else {
            let rows = most(LEAST_ROWS, k);
            (rows, most(CACHED_TERMS.into(), rows.min(self.m).into()))
        };
        let firsts = |all: u32, each: u32| (0..all).step_by(each as usize);
        let piece = |(row, term): (u32, u32)| Matmul {
            m: rows.min(self.m - row),
            k: terms.min(self.k - term),
            a_at: self.a_at + row * self.a_row + term * self.a_col,
            b_at: self.b_at + term * self.b_row,
            c_at: self.c_at + row * self.n,
            accumulate: if term == 0 { self.accumulate } else { 1 },
            has_bias: if term == 0 { self.has_bias } else { 0 },
            ..*self
        };
        firsts(self.m, rows).flat_map(|row| firsts(self.k, terms).map(move |term| (row, term))).map(piece).collect()
    }

    /// The terms of each of about so many parts.
    pub(super) fn part_terms(&self, wanted: u32) -> u32 {
        let parts = wanted.clamp(1, self.most_parts).min(self.k.div_ceil(LEAST_TERMS));
        // Multiples of RUN keep every part's runs whole.
        self.k.div_ceil(parts).next_multiple_of(RUN as u32)
    }

    /// The product in workgroups of `rows` x `cols` of C, over about so many parts of K.
    pub(super) fn split(&self, entry: &'static str, [rows, cols]: [u32; 2], wanted: u32) -> Vec<Dispatch<Self>> {
        let (across, down) = (self.n.div_ceil(cols), self.m.div_ceil(rows));
        let k_part = self.part_terms(wanted);
        let parts = self.k.div_ceil(k_part);
        if parts == 1 {
            let params = Matmul { k_part: self.k, ..*self };
            return vec![Dispatch { entry, params, grid: [across, down, 1] }];
        }
        let params = Matmul { k_part, to_parts: 1, ..*self };
        vec![
            Dispatch { entry, params, grid: [across, down, parts] },
            Dispatch { entry: "add_parts", params, grid: grid_1d(self.m * self.n) },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often each term of each row is added up, and each row's bias, by pieces that each take at most `most` multiplications and
    /// additions unless they are as small as pieces get.
    fn covered(product: &Matmul, most: u64) -> (Vec<u32>, Vec<u32>) {
        let mut terms = vec![0; (product.m * product.k) as usize];
        let mut bias = vec![0; product.m as usize];
        let mut begun = vec![false; product.m as usize];
        for piece in product.pieces(most) {
            let flops = 2 * u64::from(piece.m) * u64::from(piece.n) * u64::from(piece.k);
            assert!(flops <= most || piece.m <= LEAST_ROWS as u32 && piece.k <= CACHED_TERMS, "{flops}");
            let (row, term) = (piece.c_at / product.n, piece.b_at / product.b_row);
            assert_eq!(piece.a_at, row * product.a_row + term * product.a_col);
            for at in row..row + piece.m {
                assert_eq!(
                    piece.accumulate == 1,
                    begun[at as usize],
                    "a row's first terms replace, the others are added"
                );
                begun[at as usize] = true;
                bias[at as usize] += piece.has_bias;
                (term..term + piece.k).for_each(|term| terms[(at * product.k + term) as usize] += 1);
            }
        }
        (terms, bias)
    }

    #[test]
    fn pieces_add_up_every_term_and_bias_once() {
        for (size, most) in
            [([1000, 8, 700], 1 << 20), ([300, 4, 5000], 1 << 20), ([300, 4, 5000], 1 << 40), ([1, 1, 1], 1)]
        {
            let product = Matmul { has_bias: 1, ..Matmul::new(size) };
            let (terms, bias) = covered(&product, most);
            assert!(terms.iter().chain(&bias).all(|&times| times == 1), "{size:?}");
        }
    }

    #[test]
    fn what_is_short_is_one_piece() {
        for size in [[12_800, 256, 64], [64, 256, 6_400], [1 << 30, 1, 1]] {
            assert_eq!(Matmul::new(size).pieces(1 << 33).len(), 1);
        }
    }
}
