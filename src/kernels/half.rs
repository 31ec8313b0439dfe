//! Half precision: operands of matrix products rounded to 11 bits, scaled so that none is lost.
//!
//! Mixed precision (Micikevicius et al. 2018) keeps weights, sums and everything but the operands of products in `f32`. Their loss scaling,
//! one factor for all gradients that has to be searched for, gives way here to a power of two for each operand, by its largest magnitude: then
//! no operand overflows, whatever the units of the data, and what is lost is 2^-28 of its largest.

/// In what precision the operands of matrix products are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// As they are.
    #[default]
    F32,
    /// Rounded to half precision, whose products are exact in `f32`. Sums, and all that is no product before or after a recurrence, stay in
    /// `f32`: the recurrence itself too, where errors add up from step to step.
    F16,
}

/// Parts in which the largest magnitude of an operand is found.
pub const PARTS: usize = 64;
/// log2 of what the largest is scaled to, or up to twice as much: half precision ends below 2^16.
const LARGEST: i32 = 14;
/// Scaled numbers of less than 2^this are taken for 0: they are subnormal in half precision, which devices treat differently.
const SMALLEST: i32 = -14;
/// Most that is scaled by, either way, so that its inverse is a number.
const MOST: i32 = 100;
/// Bits of an `f32`'s fraction that half precision has not.
const LOST_BITS: u32 = 13;

/// The power of two to scale numbers by of which these are the largest magnitudes, as bits: none where all are 0.
pub fn power_of(largest: &[u32]) -> i32 {
    let largest = largest.iter().copied().max().unwrap_or(0);
    if largest == 0 { 0 } else { (LARGEST + 127 - (largest >> 23) as i32).clamp(-MOST, MOST) }
}

/// The power of two that undoes the scaling of a product's two operands.
pub fn power_back(of_a: i32, of_b: i32) -> i32 {
    (-of_a - of_b).clamp(-126, 127)
}

/// 2^power, for a normal number.
pub fn two_to(power: i32) -> f32 {
    f32::from_bits(((power + 127) as u32) << 23)
}

/// The nearest number of half precision, of two the even one, for a magnitude of less than 2^16.
pub fn half(x: f32) -> f32 {
    let bits = x.to_bits();
    let even = (bits >> LOST_BITS) & 1;
    let rounded = bits.wrapping_add((1 << (LOST_BITS - 1)) - 1 + even) & !((1 << LOST_BITS) - 1);
    match () {
        () if !x.is_finite() => x,
        () if x.abs() < two_to(SMALLEST) => 0.0,
        () => f32::from_bits(rounded),
    }
}

/// How far [`half`] may be from a number of this magnitude that itself is not known exactly.
pub(super) fn jump(magnitude: f64) -> f64 {
    magnitude * 2f64.powi(-10) + f64::from(two_to(SMALLEST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_rounded_to_eleven_bits_and_ties_to_even() {
        assert_eq!([1.0, -2048.0, 0.0, 65504.0].map(half), [1.0, -2048.0, 0.0, 65504.0]);
        assert_eq!([2049.0, 2051.0, -2049.0, 2050.9].map(half), [2048.0, 2052.0, -2048.0, 2050.0]);
        assert_eq!([6.1e-5, -6.1e-5, two_to(-14)].map(half), [0.0, 0.0, two_to(-14)]);
        assert!(half(f32::NAN).is_nan() && half(f32::from_bits(0x7fff_ffff)).is_nan());
        assert_eq!([f32::INFINITY, f32::NEG_INFINITY].map(half), [f32::INFINITY, f32::NEG_INFINITY]);
    }

    #[test]
    fn the_largest_is_scaled_into_the_range_of_half_precision() {
        for largest in [1e-20f32, 3e-5, 0.7, 1.0, 1.999, 900.0, 7e9, 1e30] {
            let scaled = largest * two_to(power_of(&[0, largest.to_bits(), 5]));
            assert!((16384.0..32768.0).contains(&scaled), "{largest}: {scaled}");
        }
        assert_eq!([0.0, f32::MIN_POSITIVE].map(|x: f32| power_of(&[x.to_bits()])), [0, MOST]);
    }

    proptest! {
        #[test]
        fn no_number_of_half_precision_is_nearer(x in -65000f32..65000.0) {
            prop_assume!(x.abs() > 1e-4);
            let rounded = half(x);
            let step = two_to((x.abs().to_bits() >> 23) as i32 - 127 - 10);
            prop_assert!((rounded - x).abs() <= step / 2.0);
            prop_assert_eq!(half(rounded), rounded);
        }
    }
}
