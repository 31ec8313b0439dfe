//! Where tolerances come from: a number that carries a bound of the rounding error that any `f32` evaluation of the same
//! formula can have.
//!
//! This is running error analysis (Wilkinson; N. Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., §3.3),
//! with two changes. A sum's bound grows with the sum of its terms' magnitudes, not with the partial sums met here, so that
//! it holds for every order of adding. And each operation may err as much as WGSL permits: one ulp for + - *, 2.5 for /,
//! 3 + 2|x| for exp (WGSL, "Accuracy of Concrete Floating Point Expressions").

use std::cmp::Ordering;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// One ulp of an `f32`, relative: WGSL does not fix the rounding mode, so half an ulp cannot be relied on.
const ULP: f64 = f32::EPSILON as f64;

/// A value in `f64` and how far an `f32` evaluation may be from it.
#[derive(Clone, Copy, Debug)]
pub struct Tracked {
    /// The value.
    pub value: f64,
    /// Bound of the absolute error.
    pub error: f64,
    /// Sum of the magnitudes of the terms that were added up to this value.
    magnitude: f64,
}

impl Tracked {
    /// A number that the device holds exactly.
    pub fn exact(value: f64) -> Self {
        Tracked { value, error: 0.0, magnitude: value.abs() }
    }

    /// A constant of the formula, rounded to `f32` on the device.
    pub fn constant(value: f64) -> Self {
        let error = if (value as f32) as f64 == value { 0.0 } else { ULP * value.abs() };
        Tracked { value, error, magnitude: value.abs() }
    }

    fn rounded(value: f64, inherited: f64, ulps: f64) -> Self {
        Tracked { value, error: inherited + ulps * ULP * value.abs(), magnitude: value.abs() }
    }

    pub(super) fn exp(self) -> Self {
        let value = self.value.exp();
        Self::rounded(value, value * self.error, 3.0 + 2.0 * self.value.abs())
    }

    pub(super) fn sqrt(self) -> Self {
        let value = self.value.sqrt();
        // Near zero the derivative is useless, but sqrt(x + e) - sqrt(x) never exceeds sqrt(e). WGSL: 1 / inverseSqrt.
        let inherited = (self.error / (2.0 * value)).min(self.error.sqrt());
        Self::rounded(value, if self.error == 0.0 { 0.0 } else { inherited }, 4.5)
    }

    /// `sigmoid` of common.wgsl: e = exp(-|x|), then 1 / (1 + e) or e / (1 + e).
    pub(super) fn sigmoid(self) -> Self {
        let x = self.value;
        let e = (-x.abs()).exp();
        let value = if x >= 0.0 { 1.0 } else { e } / (1.0 + e);
        let slope = e / ((1.0 + e) * (1.0 + e));
        let from_exp = slope * (3.0 + 2.0 * x.abs()) * ULP;
        Self::rounded(value, slope * self.error + from_exp, 4.5)
    }

    /// `tanh_safe` of common.wgsl: an odd polynomial near 0, elsewhere (1 - e) / (1 + e) with e = exp(-2|x|).
    pub(super) fn tanh(self) -> Self {
        let value = self.value.tanh();
        let x = self.value.abs();
        let e = (-2.0 * x).exp();
        let from_exp =
            if x < TANH_POLYNOMIAL { 0.0 } else { 2.0 * e / ((1.0 + e) * (1.0 + e)) * (3.0 + 4.0 * x) * ULP };
        Self::rounded(value, (1.0 - value * value) * self.error + from_exp, 5.0)
    }

    pub(super) fn ln(self) -> Self {
        // WGSL: 3 ulp, but an absolute error of 2^-21 for arguments in [0.5, 2].
        let own = if (0.5..=2.0).contains(&self.value) { 2f64.powi(-21) } else { 0.0 };
        Self::rounded(self.value.ln(), self.error / self.value + own, 3.0)
    }

    /// `log1p_unit` of common.wgsl: 2 atanh(x / (2 + x)) by its series.
    pub(super) fn ln_1p(self) -> Self {
        Self::rounded(self.value.ln_1p(), self.error / (1.0 + self.value), 8.0)
    }
}

/// Below this magnitude common.wgsl evaluates tanh by a polynomial.
pub const TANH_POLYNOMIAL: f64 = 0.625;

impl Add for Tracked {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        let magnitude = self.magnitude + other.magnitude;
        Tracked { value: self.value + other.value, error: self.error + other.error + ULP * magnitude, magnitude }
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
        self + -other
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
        let inherited = (self.error + value.abs() * other.error) / other.value.abs();
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

        /// Must fail control: a wrong constant in the 4th digit lies outside the bound.
        #[test]
        fn bound_is_tight_enough_to_see_a_wrong_constant(a in 0.1f32..10.0, b in 0.1f32..10.0) {
            let tracked = (Tracked::exact(a as f64) * Tracked::exact(b as f64)).tanh();
            let wrong = ((a * b * 1.001f32) as f64).tanh();
            prop_assume!(tracked.value < 0.99);
            prop_assert!((wrong - tracked.value).abs() > tracked.error);
        }
    }
}
