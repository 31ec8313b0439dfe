//! Gradients that have vanished on their way back through the time steps.

use super::Real;

/// Gradients of a recurrence's state of less than this are taken for 0. One that vanishes (Bengio, Simard & Frasconi 1994) would else become
/// subnormal and stay so to the first step, and CPUs compute with such numbers some ten to hundred times slower; of what is left
/// also the products with weights and states are normal. `FAINT` in common.wgsl.
pub(super) const FAINT: f32 = f32::from_bits((127 - 100) << 23);

/// A gradient, or 0 where it has vanished.
#[inline(always)]
pub(super) fn without_faint<T: Real>(gradient: T) -> T {
    gradient.or_zero_below(FAINT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_two_to_the_minus_hundred_is_zero() {
        assert_eq!(FAINT, 2f32.powi(-100));
        assert_eq!([FAINT, -FAINT, 1.0].map(without_faint), [FAINT, -FAINT, 1.0]);
        assert_eq!([FAINT.next_down(), -FAINT.next_down(), 1e-45, 0.0].map(without_faint), [0.0; 4]);
        assert!(without_faint(f32::NAN).is_nan(), "what is no number stays none");
    }
}
