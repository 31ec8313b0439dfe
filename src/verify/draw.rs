//! Sizes and numbers to verify kernels with, from a seeded generator.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Lengths around a workgroup's 64 threads. Lists have a prime length, so that going through one list and the combinations of
/// a kernel's options side by side meets every pair.
pub(super) const LENGTHS: [usize; 11] = [1, 2, 63, 64, 65, 127, 128, 129, 251, 1000, 4099];
/// Rows around the blocks of 64 that reductions add up.
pub(super) const ROWS: [usize; 11] = [1, 2, 3, 63, 64, 65, 127, 128, 129, 300, 1021];
/// Widths of rows.
pub(super) const FEATURES: [usize; 7] = [1, 2, 3, 16, 17, 64, 65];

/// What numbers look like.
#[derive(Clone, Copy, Debug)]
pub(super) enum Numbers {
    /// Uniform in -1..1.
    Unit,
    /// Uniform in 0..1.
    Positive,
    /// Uniform in -4..4, with some of the magnitude 50 that saturates gates.
    Logits,
    /// One offset for all, up to 1e4, and a spread of 1: what cancels in a careless variance.
    Shifted,
    /// Probabilities, some of them 0, 1 or as near as clipping goes.
    Probabilities,
    /// 0 or 1.
    Classes,
}

/// The source of one case's choices.
pub(super) struct Draw {
    rng: ChaCha8Rng,
    /// The case's number.
    pub number: usize,
    /// True for the one large case that is timed.
    pub timing: bool,
    /// Whether what begins anywhere begins where a vec4 may.
    pub in_quads: bool,
    sizes: usize,
}

impl Draw {
    pub(super) fn new(seed: u64, kernel: &str, number: usize, timing: bool) -> Self {
        // Each case has its own stream, so that it can be repeated alone.
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let name = kernel.bytes().fold(0u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
        rng.set_stream(name.wrapping_add((number as u64) << 32));
        let in_quads = timing || rng.random_range(0..2) == 0;
        Draw { rng, number, timing, in_quads, sizes: 0 }
    }

    /// A size: from case to case this goes through the whole list, and the pairs of a case's sizes change from pass to pass.
    pub(super) fn size(&mut self, list: &[usize], timing: usize) -> usize {
        let pass = self.number / list.len() + 1;
        let at = (self.number + self.sizes * pass) % list.len();
        self.sizes += 1;
        if self.timing { timing } else { list[at] }
    }

    /// A width of rows, in some cases one of whole vec4s.
    pub(super) fn width(&mut self, timing: usize) -> usize {
        let width = self.size(&FEATURES, timing);
        if self.in_quads { width.next_multiple_of(4) } else { width }
    }

    /// True in one of `n` cases.
    pub(super) fn one_in(&mut self, n: u32) -> bool {
        self.rng.random_range(0..n) == 0
    }

    /// A number below `n`.
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.rng.random_range(0..n.max(1))
    }

    pub(super) fn unit(&mut self) -> f32 {
        self.rng.random_range(-1.0..1.0)
    }

    /// Numbers of one kind; a few of them are zero or negative zero. In one case of eight, one is not a number, which the
    /// device must neither lose nor spread further than the reference does.
    pub(super) fn numbers(&mut self, count: usize, kind: Numbers) -> Vec<f32> {
        let offset = if self.one_in(2) { 1e4 * self.unit() } else { 0.0 };
        let mut numbers: Vec<f32> = (0..count).map(|_| self.number(kind, offset)).collect();
        if self.number % 8 == 7 && !self.timing {
            let at = self.below(count);
            numbers[at] = f32::NAN;
        }
        numbers
    }

    fn number(&mut self, kind: Numbers, offset: f32) -> f32 {
        let rare = self.below(16);
        let unit = self.unit();
        match (kind, rare) {
            (Numbers::Unit | Numbers::Logits, 0) => 0.0,
            (Numbers::Unit | Numbers::Logits, 1) => -0.0,
            (Numbers::Unit, _) => unit,
            (Numbers::Positive, 0) => 0.0,
            (Numbers::Positive, _) => unit.abs(),
            (Numbers::Logits, 2 | 3) => 50.0f32.copysign(unit) + unit,
            (Numbers::Logits, _) => 4.0 * unit,
            (Numbers::Shifted, _) => offset + unit,
            (Numbers::Probabilities, 0) => 0.0,
            (Numbers::Probabilities, 1) => 1.0,
            (Numbers::Probabilities, 2) => 2e-7 * unit.abs(),
            (Numbers::Probabilities, 3) => 1.0 - 2e-7 * unit.abs(),
            (Numbers::Probabilities, _) => unit.abs(),
            (Numbers::Classes, _) => f32::from(unit > 0.0),
        }
    }

    /// What lies in memory that nothing may depend on: a third of it is not a number.
    pub(super) fn dirt(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|i| if i % 3 == 0 { f32::NAN } else { 1e6 * self.unit() }).collect()
    }

    /// The numbers 0..n in random order.
    pub(super) fn permutation(&mut self, n: usize) -> Vec<u32> {
        let mut order: Vec<u32> = (0..n as u32).collect();
        (1..n).rev().for_each(|i| order.swap(i, self.below(i + 1)));
        order
    }
}
