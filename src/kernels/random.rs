//! Random numbers that depend on nothing but a key, the training step and an index: the counter-based generator Philox-4x32-10
//! (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", 2011), the same integers as in shaders/random.wgsl.

use super::Real;

/// Four random words of a counter and a key.
pub fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    let product = |a: u32, b: u32| {
        let product = u64::from(a) * u64::from(b);
        ((product >> 32) as u32, product as u32)
    };
    for _ in 0..10 {
        let (high_0, low_0) = product(0xd251_1f53, counter[0]);
        let (high_1, low_1) = product(0xcd9e_8d57, counter[2]);
        counter = [high_1 ^ counter[1] ^ key[0], low_1, high_0 ^ counter[3] ^ key[1], low_0];
        key = [key[0].wrapping_add(0x9e37_79b9), key[1].wrapping_add(0xbb67_ae85)];
    }
    counter
}

/// What dropout keeps, and by what it multiplies that.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Drops {
    pub key: [u32; 2],
    pub step: u32,
    pub threshold: u32,
    pub rate: f32,
}

/// The share `rate` of all 32-bit words lies below this; `rate` is below 1.
pub(super) fn threshold(rate: f32) -> u32 {
    (f64::from(rate) * 2f64.powi(32)) as u32
}

impl Drops {
    /// A function that says what the element of an index is multiplied by, and whether it is kept at all.
    pub fn factors<T: Real>(self) -> impl FnMut(u32) -> Option<T> {
        let kept = T::one() / (T::one() - T::decimal(self.rate));
        // Neighbours share their four words.
        let mut known = (u32::MAX, [0; 4]);
        move |index| {
            if known.0 != index >> 2 {
                known = (index >> 2, philox([index >> 2, self.step, 0, 0], self.key));
            }
            (known.1[index as usize & 3] >= self.threshold).then_some(kept)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers that the authors publish with their implementation (Random123, `kat_vectors`).
    #[test]
    fn the_known_answers() {
        let zeros = philox([0; 4], [0; 2]);
        assert_eq!(zeros, [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        let ones = philox([u32::MAX; 4], [u32::MAX; 2]);
        assert_eq!(ones, [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let pi = philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]);
        assert_eq!(pi, [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
    }

    #[test]
    fn the_asked_share_is_dropped_and_the_mean_stays() {
        for rate in [0.1, 0.5, 0.9] {
            let drops = Drops { key: [1, 2], step: 3, threshold: threshold(rate), rate };
            let n = 100_000u32;
            let kept: Vec<f64> = (0..n).filter_map(drops.factors::<f64>()).collect();
            let (p, count) = (1.0 - f64::from(rate), kept.len() as f64);
            let deviation = (f64::from(n) * p * (1.0 - p)).sqrt();
            assert!((count - f64::from(n) * p).abs() < 5.0 * deviation, "{count} of {n} kept at rate {rate}");
            assert!(kept.iter().all(|&factor| (factor * p - 1.0).abs() < 1e-6));
        }
    }

    #[test]
    fn key_step_and_index_all_count() {
        let drops = Drops { key: [1, 2], step: 3, threshold: threshold(0.5), rate: 0.5 };
        let pattern = |drops: Drops| (0..256).map(|i| drops.factors::<f32>()(i).is_some()).collect::<Vec<_>>();
        let whole = pattern(drops);
        let mut once = drops.factors::<f32>();
        assert_eq!(whole, (0..256).map(|i| once(i).is_some()).collect::<Vec<_>>(), "in any order");
        for other in [Drops { key: [2, 2], ..drops }, Drops { key: [1, 3], ..drops }, Drops { step: 4, ..drops }] {
            assert_ne!(pattern(other), whole);
        }
        assert_ne!(whole[..128], whole[128..]);
    }
}
