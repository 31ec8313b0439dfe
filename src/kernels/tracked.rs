//! Where tolerances come from: a number that carries a bound of the rounding error that any `f32` evaluation of the same
//! formula can have.
//!
//! This is running error analysis (Wilkinson; N. Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., §3.3),
//! with three changes. A sum's bound is (terms - 1) ulp of the sum of its terms' magnitudes (Higham, §4.2), so that it holds for
//! every order of adding. Each operation may err as much as WGSL permits: one ulp for + - *, 2.5 for /, 3 + 2|x| for exp
//! (WGSL, "Accuracy of Concrete Floating Point Expressions"). And results overflow where `f32` does, and may be flushed to zero
//! where they are subnormal.

use std::cmp::Ordering;
use std::f64::consts::FRAC_1_SQRT_2;
use std::ops::{Add, Div, Mul, Neg, Sub};

use super::half::{half, jump, two_to};

/// One ulp of an `f32`, relative: WGSL does not fix the rounding mode, so half an ulp cannot be relied on.
const ULP: f64 = f32::EPSILON as f64;
/// Below this a device may flush to zero.
const SMALLEST: f64 = f32::MIN_POSITIVE as f64;
/// From this magnitude on, sigmoid and tanh are flat in `f32`; bounds are taken here, where infinity would make them NaN.
const FLAT: f64 = 200.0;

/// A value in `f64` and how far an `f32` evaluation may be from it.
#[derive(Clone, Copy, Debug)]
pub struct Tracked {
    /// The value.
    pub value: f64,
    /// Bound of the absolute error.
    pub error: f64,
    /// What the terms of this sum bring along; one term brings its whole error.
    inherited: f64,
    /// Sum of the magnitudes of the terms that were added up to this value.
    magnitude: f64,
    /// How many terms were added up to this value.
    terms: f64,
}

impl Tracked {
    /// A number that the device holds exactly.
    pub fn exact(value: f64) -> Self {
        let flushed = if value != 0.0 && value.abs() < SMALLEST { SMALLEST } else { 0.0 };
        Self::term(value, flushed)
    }

    /// A constant of the formula, which the host rounds to the nearest `f32`.
    pub fn constant(value: f64) -> Self {
        Self::term(value, ((value as f32) as f64 - value).abs())
    }

    /// A single term: everything but a sum.
    fn term(value: f64, error: f64) -> Self {
        Tracked { value, error, inherited: error, magnitude: value.abs(), terms: 1.0 }
    }

    /// The result of an operation other than adding.
    fn rounded(value: f64, inherited: f64, ulps: f64) -> Self {
        let (value, error) = fit(value, inherited + ulps * ULP * value.abs());
        Self::term(value, error)
    }

    pub(super) fn exp(self) -> Self {
        let value = self.value.exp();
        Self::rounded(value, value * self.error.exp_m1(), 3.0 + 2.0 * self.value.abs().min(FLAT))
    }

    /// `expm1_negative` of common.wgsl: a polynomial near 0, elsewhere e^x - 1.
    pub(super) fn exp_m1(self) -> Self {
        let (x, e) = (self.value, self.value.exp());
        let by_exp = x - self.error < EXPM1_POLYNOMIAL;
        let from_exp = if by_exp { e * (3.0 + 2.0 * x.abs().min(FLAT)) * ULP } else { 0.0 };
        Self::rounded(x.exp_m1(), e * self.error.exp_m1() + from_exp, 4.0)
    }

    /// `normal_cdf` of activation.wgsl: below 0 e^(-x²/2) times a function that is known to 16 ulp, its own rounding, the
    /// constants' and the division's included.
    pub(super) fn normal_cdf(self) -> Self {
        let x = self.value;
        let value = 0.5 * libm::erfc(-x * FRAC_1_SQRT_2);
        let nearest_to_0 = (x.abs() - self.error).max(0.0);
        let inherited = 0.4 * (-0.5 * nearest_to_0 * nearest_to_0).exp() * self.error;
        // Of the exponential x² ulp, and as much from the rounding of its argument.
        let tail = 0.5 * libm::erfc(x.abs() * FRAC_1_SQRT_2);
        let own = tail * (16.0 + 2.0 * (x * x).min(FLAT)) * ULP;
        Self::rounded(value, inherited + own, 1.0)
    }

    pub(super) fn sqrt(self) -> Self {
        let value = self.value.sqrt();
        // The function is concave, so it moves farthest downwards. WGSL: accuracy of 1 / inverseSqrt.
        let inherited = value - (self.value - self.error).max(0.0).sqrt();
        Self::rounded(value, inherited.max(0.0), 4.5)
    }

    /// `sigmoid` of common.wgsl: e = exp(-|x|), then 1 / (1 + e) or e / (1 + e).
    pub(super) fn sigmoid(self) -> Self {
        let x = self.value;
        let e = (-x.abs()).exp();
        let value = if x >= 0.0 { 1.0 } else { e } / (1.0 + e);
        let slope = e / ((1.0 + e) * (1.0 + e));
        // The slope grows by a factor of at most e^error within the error.
        let inherited = (slope * self.error.exp()).min(0.25) * self.error;
        let from_exp = slope * (3.0 + 2.0 * x.abs().min(FLAT)) * ULP;
        Self::rounded(value, inherited + from_exp, 4.5)
    }

    /// `tanh_safe` of common.wgsl: an odd polynomial near 0, elsewhere (1 - e) / (1 + e) with e = exp(-2|x|).
    pub(super) fn tanh(self) -> Self {
        let x = self.value.abs();
        let e = (-2.0 * x).exp();
        let slope = 4.0 * e / ((1.0 + e) * (1.0 + e));
        let inherited = (slope * (2.0 * self.error).exp()).min(1.0) * self.error;
        let by_exp = x + self.error >= TANH_POLYNOMIAL;
        let from_exp = if by_exp { slope / 2.0 * (3.0 + 4.0 * x.min(FLAT)) * ULP } else { 0.0 };
        Self::rounded(self.value.tanh(), inherited + from_exp, 5.0)
    }

    pub(super) fn ln(self) -> Self {
        // WGSL: 3 ulp, but an absolute error of 2^-21 for arguments in [0.5, 2].
        let near_one = self.value + self.error >= 0.5 && self.value - self.error <= 2.0;
        let own = if near_one { 2f64.powi(-21) } else { 0.0 };
        // Farthest downwards, and without bound where the argument may be zero.
        let inherited = -(-(self.error / self.value).min(1.0)).ln_1p();
        Self::rounded(self.value.ln(), inherited + own, 3.0)
    }

    /// `log1p_unit` of common.wgsl: 2 atanh(x / (2 + x)) by its series.
    pub(super) fn ln_1p(self) -> Self {
        // The series' argument, half of x, is flushed to zero where it is subnormal.
        let flushed = if self.value != 0.0 && self.value < 4.0 * SMALLEST { 2.0 * SMALLEST } else { 0.0 };
        Self::rounded(self.value.ln_1p(), self.error + flushed, 8.0)
    }

    /// Rounding to half precision jumps, so that a number which is not known exactly may round elsewhere.
    pub(super) fn halved(self, power: i32) -> Self {
        let scale = two_to(power) as f64;
        let value = half((self.value * scale) as f32) as f64;
        let error = if self.error == 0.0 { 0.0 } else { self.error * scale + jump(value.abs() + self.error * scale) };
        Self::term(value, error)
    }

    pub(super) fn times_two_to(self, power: i32) -> Self {
        let scale = two_to(power) as f64;
        let (value, error) = fit(self.value * scale, self.error * scale);
        let [inherited, magnitude] = [self.inherited, self.magnitude].map(|bound| bound * scale);
        // What was flushed to zero is an error of this number as a whole.
        Tracked { value, error, inherited: inherited + (error - self.error * scale), magnitude, terms: self.terms }
    }

    /// The larger of two, whichever that is on the device: where the bounds overlap, the larger error.
    pub(super) fn larger(self, other: Self) -> Self {
        let (high, low) = if self.value > other.value || self.value.is_nan() { (self, other) } else { (other, self) };
        let overlap = high.value - high.error < low.value + low.error;
        if overlap { Self::term(high.value, high.error.max(low.error)) } else { high }
    }

    /// This, or 0 where its magnitude is below another; one as well as the other where an error decides.
    pub(super) fn or_zero_below(self, least: f32) -> Self {
        let (least, magnitude) = (f64::from(least), self.value.abs());
        let value = if magnitude < least { 0.0 } else { self.value };
        if magnitude + self.error < least {
            Self::term(0.0, 0.0)
        } else if magnitude - self.error < least {
            Self::term(value, least + self.error)
        } else {
            self
        }
    }

    /// The sign, which is unknown where the value may be 0.
    pub(super) fn sign(self) -> Self {
        let sign = if self.value == 0.0 || self.value.is_nan() { self.value } else { self.value.signum() };
        let known = self.error == 0.0 || self.value.abs() > self.error;
        Self::term(sign, if known { 0.0 } else { 2.0 })
    }

    fn is_exactly_zero(self) -> bool {
        self.value == 0.0 && self.error == 0.0
    }

    /// True where x - y is exact by Sterbenz's lemma: both are single terms and within a factor of two of each other.
    fn differs_exactly(self, other: Self) -> bool {
        let [low, high] = [self, other].map(|t| [t.value.abs() - t.error, t.value.abs() + t.error]);
        self.terms == 1.0
            && other.terms == 1.0
            && self.value * other.value > 0.0
            && low[1] <= 2.0 * high[0]
            && high[1] <= 2.0 * low[0]
    }
}

/// Overflow and underflow of `f32`.
fn fit(value: f64, error: f64) -> (f64, f64) {
    if value.abs() > f32::MAX as f64 {
        return (f64::INFINITY.copysign(value), 0.0);
    }
    let subnormal = value.abs() < error + SMALLEST && (value != 0.0 || error != 0.0);
    (value, if subnormal { error + SMALLEST } else { error })
}

/// Below this magnitude common.wgsl evaluates tanh by a polynomial.
pub const TANH_POLYNOMIAL: f64 = 0.625;
/// From here on common.wgsl evaluates e^x - 1 by a polynomial.
const EXPM1_POLYNOMIAL: f64 = -0.5;

impl Add for Tracked {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        // Adding a zero, such as a sum's start, rounds nothing.
        if other.is_exactly_zero() {
            return self;
        }
        if self.is_exactly_zero() {
            return other;
        }
        let magnitude = self.magnitude + other.magnitude;
        let inherited = self.inherited + other.inherited;
        let terms = self.terms + other.terms;
        let (value, error) = fit(self.value + other.value, inherited + (terms - 1.0) * ULP * magnitude);
        Tracked { value, error, inherited, magnitude, terms }
    }
}

impl Neg for Tracked {
    type Output = Self;
    fn neg(self) -> Self {
        Tracked { value: -self.value, ..self }
    }
}

impl Sub for Tracked {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        match self.differs_exactly(other) {
            true => Self::rounded(self.value - other.value, self.error + other.error, 0.0),
            false => self + -other,
        }
    }
}

impl Mul for Tracked {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        let inherited = self.value.abs() * other.error + other.value.abs() * self.error + self.error * other.error;
        Self::rounded(self.value * other.value, inherited, 1.0)
    }
}

impl Div for Tracked {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let value = self.value / other.value;
        // The divisor at its smallest; without bound where it may be zero.
        let inherited = match self.error + value.abs() * other.error {
            0.0 => 0.0,
            moved => moved / (other.value.abs() - other.error).max(0.0),
        };
        Self::rounded(value, inherited, 2.5)
    }
}

impl PartialEq for Tracked {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl PartialOrd for Tracked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.value.partial_cmp(&other.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn results_overflow_and_may_be_flushed_as_in_f32() {
        let large = Tracked::exact(1e30) * Tracked::exact(-1e30);
        assert_eq!((large.value, large.error), (f64::NEG_INFINITY, 0.0));
        let small = Tracked::exact(1e-30) * Tracked::exact(1e-30);
        assert!(small.error >= small.value);
        assert_eq!(Tracked::exact(f64::INFINITY).tanh().value, 1.0);
        assert!(Tracked::exact(f64::NEG_INFINITY).sigmoid().error.is_finite());
        assert!(Tracked::exact(f64::NAN).tanh().value.is_nan());
    }

    #[test]
    fn a_difference_of_near_numbers_is_exact_and_of_sums_is_not() {
        let near = Tracked::exact(1.0) - Tracked::exact(0.75);
        assert_eq!((near.value, near.error), (0.25, 0.0));
        assert!((Tracked::exact(1.0) - Tracked::exact(0.25)).error > 0.0);
        assert!((near + Tracked::exact(1.0) - Tracked::exact(1.0)).error > 0.0);
    }

    proptest! {
        /// The bound must hold for f32 arithmetic in any order: forwards and backwards here.
        #[test]
        fn bound_covers_an_f32_dot_product_in_either_order(terms in prop::collection::vec((-100f32..100.0, -100f32..100.0), 1..200)) {
            let zero = Tracked::exact(0.0);
            let tracked = terms.iter().fold(zero, |s, &(a, b)| s + Tracked::exact(a as f64) * Tracked::exact(b as f64));
            let forwards = terms.iter().fold(0f32, |s, (a, b)| s + a * b) as f64;
            let backwards = terms.iter().rev().fold(0f32, |s, (a, b)| s + a * b) as f64;
            prop_assert!((forwards - tracked.value).abs() <= tracked.error);
            prop_assert!((backwards - tracked.value).abs() <= tracked.error);
        }

        /// However the terms are ordered: the largest first and last.
        #[test]
        fn bound_covers_sums_in_any_order(small in prop::collection::vec(1e-8f32..1e-6, 1..200), large in 1f32..1e4) {
            let large_last: Vec<f32> = small.iter().copied().chain([large]).collect();
            let tracked = large_last.iter().fold(Tracked::exact(0.0), |s, &x| s + Tracked::exact(x as f64));
            let large_first = large_last.iter().rev().fold(0f32, |s, x| s + x) as f64;
            prop_assert!((large_first - tracked.value).abs() <= tracked.error);
        }

        /// Each function, of an argument that errs by as much as its bound says.
        #[test]
        fn bounds_cover_functions_of_inexact_arguments(x in -20f64..20.0, error in 0f64..0.5, share in -1f64..1.0) {
            let mut argument = Tracked::constant(x);
            argument.error = error;
            let moved = x + share * error;
            let holds = |bound: Tracked, truth: f64| (truth - bound.value).abs() <= bound.error;
            prop_assert!(holds(argument.tanh(), moved.tanh()));
            prop_assert!(holds(argument.sigmoid(), 1.0 / (1.0 + (-moved).exp())));
            prop_assert!(holds(argument.exp(), moved.exp()));
            prop_assert!(holds(argument.normal_cdf(), 0.5 * libm::erfc(-moved * FRAC_1_SQRT_2)));
            prop_assert!(holds(argument.exp_m1(), moved.exp_m1()));
            let mut positive = Tracked::constant(x.abs() + 0.6);
            positive.error = error;
            let moved = x.abs() + 0.6 + share * error;
            prop_assert!(holds(positive.sqrt(), moved.sqrt()));
            prop_assert!(holds(positive.ln(), moved.ln()));
            prop_assert!(holds(Tracked::constant(1.0) / positive, 1.0 / moved));
        }

        /// Must fail control: a wrong constant in the 4th digit lies outside the bound.
        #[test]
        fn bound_is_tight_enough_to_see_a_wrong_constant(a in 0.1f32..1.6, b in 0.1f32..1.6) {
            let tracked = (Tracked::exact(a as f64) * Tracked::exact(b as f64)).tanh();
            let wrong = ((a * b * 1.001f32) as f64).tanh();
            prop_assert!((wrong - tracked.value).abs() > tracked.error);
        }
    }

    #[test]
    fn near_a_bound_a_number_may_be_kept_or_be_zero() {
        let of = |value: f64, error: f64| Tracked::term(value, error).or_zero_below(1.0);
        assert_eq!([of(0.9, 0.05).value, of(0.9, 0.05).error], [0.0, 0.0]);
        assert_eq!([of(1.1, 0.05).value, of(1.1, 0.05).error], [1.1, 0.05]);
        for value in [0.9, 1.1, -0.9, -1.1] {
            let Tracked { value: taken, error, .. } = of(value, 0.2);
            for device in [value - 0.2, value, value + 0.2].map(|x| super::super::Real::or_zero_below(x, 1.0)) {
                assert!((device - taken).abs() <= error, "{device} for {value}");
            }
        }
    }
}
