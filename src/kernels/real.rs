//! The number types that a kernel's reference runs on: `f32` to train on the CPU, `f64` as the truth, and
//! [`Tracked`] to derive tolerances.

use std::fmt::Debug;
use std::ops::{Add, Div, Mul, Neg, Sub};

use super::half::{half, two_to};
use super::tracked::Tracked;
use super::{KernelInfo, Reference};

/// A real number as the kernels use it.
pub trait Real:
    Copy
    + Debug
    + PartialOrd
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// The nearest number of this type.
    fn from_f64(x: f64) -> Self;
    /// The value, widened or (for a tracked number) without its bound.
    fn to_f64(self) -> f64;
    /// e to the power of this.
    fn exp(self) -> Self;
    /// The square root.
    fn sqrt(self) -> Self;
    /// The logistic function 1 / (1 + e^-x).
    fn sigmoid(self) -> Self;
    /// The hyperbolic tangent.
    fn tanh(self) -> Self;
    /// The natural logarithm.
    fn ln(self) -> Self;
    /// ln(1 + x), for x in [0, 1].
    fn ln_1p(self) -> Self;
    /// e^x - 1, for x <= 0.
    fn exp_m1(self) -> Self;
    /// The standard normal distribution function Φ(x) = erfc(-x / sqrt 2) / 2.
    fn normal_cdf(self) -> Self;
    /// This times 2^power, rounded to half precision.
    fn halved(self, power: i32) -> Self;
    /// This times 2^power, which rounds nothing but what leaves the range of an `f32`.
    fn times_two_to(self, power: i32) -> Self;
    /// The kernel's reference for this type.
    fn reference(info: &KernelInfo) -> Reference<Self>;

    /// An `f32` as it is.
    fn of(x: f32) -> Self {
        Self::from_f64(x as f64)
    }

    /// A hyperparameter, widened by its shortest decimal form: 0.999 becomes 0.999 in `f64`, not 0.99900001287.
    fn decimal(x: f32) -> Self {
        Self::from_f64(x.to_string().parse().unwrap_or(x as f64))
    }

    /// A count.
    fn count(n: u32) -> Self {
        Self::from_f64(n as f64)
    }

    /// Zero.
    fn zero() -> Self {
        Self::from_f64(0.0)
    }

    /// One.
    fn one() -> Self {
        Self::from_f64(1.0)
    }

    /// The absolute value.
    fn abs(self) -> Self {
        if self < Self::zero() { -self } else { self }
    }

    /// This, or 0 where its magnitude is below another.
    fn or_zero_below(self, least: f32) -> Self {
        if self.abs() < Self::of(least) { Self::zero() } else { self }
    }

    /// Whether it is no number.
    fn is_nan(self) -> bool {
        self.to_f64().is_nan()
    }

    /// The larger of two; no number if one of them is none.
    fn larger(self, other: Self) -> Self {
        if self > other || self.is_nan() { self } else { other }
    }

    /// The smaller of two; no number if one of them is none.
    fn smaller(self, other: Self) -> Self {
        -(-self).larger(-other)
    }

    /// 1 or -1; 0 of 0, and no number of none.
    fn sign(self) -> Self {
        match self.partial_cmp(&Self::zero()) {
            Some(std::cmp::Ordering::Greater) => Self::one(),
            Some(std::cmp::Ordering::Less) => -Self::one(),
            _ => self,
        }
    }
}

impl Real for f64 {
    fn from_f64(x: f64) -> Self {
        x
    }
    fn to_f64(self) -> f64 {
        self
    }
    fn exp(self) -> Self {
        f64::exp(self)
    }
    fn sqrt(self) -> Self {
        f64::sqrt(self)
    }
    fn sigmoid(self) -> Self {
        1.0 / (1.0 + f64::exp(-self))
    }
    fn tanh(self) -> Self {
        f64::tanh(self)
    }
    fn ln(self) -> Self {
        f64::ln(self)
    }
    fn ln_1p(self) -> Self {
        f64::ln_1p(self)
    }
    fn exp_m1(self) -> Self {
        f64::exp_m1(self)
    }
    fn normal_cdf(self) -> Self {
        0.5 * libm::erfc(-self * std::f64::consts::FRAC_1_SQRT_2)
    }
    fn halved(self, power: i32) -> Self {
        half(self as f32 * two_to(power)) as f64
    }
    fn times_two_to(self, power: i32) -> Self {
        self * two_to(power) as f64
    }
    fn reference(info: &KernelInfo) -> Reference<Self> {
        info.reference_f64
    }
}

impl Real for f32 {
    fn from_f64(x: f64) -> Self {
        x as f32
    }
    // Inlined, since vectorised loops call it.
    #[inline(always)]
    fn or_zero_below(self, least: f32) -> Self {
        if f32::abs(self) < least { 0.0 } else { self }
    }
    fn to_f64(self) -> f64 {
        self as f64
    }
    fn exp(self) -> Self {
        f32::exp(self)
    }
    fn sqrt(self) -> Self {
        f32::sqrt(self)
    }
    fn sigmoid(self) -> Self {
        1.0 / (1.0 + f32::exp(-self))
    }
    fn tanh(self) -> Self {
        f32::tanh(self)
    }
    fn ln(self) -> Self {
        f32::ln(self)
    }
    fn ln_1p(self) -> Self {
        f32::ln_1p(self)
    }
    fn exp_m1(self) -> Self {
        f32::exp_m1(self)
    }
    fn normal_cdf(self) -> Self {
        0.5 * libm::erfcf(-self * std::f32::consts::FRAC_1_SQRT_2)
    }
    fn of(x: f32) -> Self {
        x
    }
    fn decimal(x: f32) -> Self {
        x
    }
    fn halved(self, power: i32) -> Self {
        half(self * two_to(power))
    }
    fn times_two_to(self, power: i32) -> Self {
        self * two_to(power)
    }
    fn reference(info: &KernelInfo) -> Reference<Self> {
        info.reference_f32
    }
}

impl Real for Tracked {
    fn larger(self, other: Self) -> Self {
        Tracked::larger(self, other)
    }
    fn or_zero_below(self, least: f32) -> Self {
        Tracked::or_zero_below(self, least)
    }
    fn sign(self) -> Self {
        Tracked::sign(self)
    }
    fn from_f64(x: f64) -> Self {
        Tracked::constant(x)
    }
    fn to_f64(self) -> f64 {
        self.value
    }
    fn exp(self) -> Self {
        Tracked::exp(self)
    }
    fn sqrt(self) -> Self {
        Tracked::sqrt(self)
    }
    fn sigmoid(self) -> Self {
        Tracked::sigmoid(self)
    }
    fn tanh(self) -> Self {
        Tracked::tanh(self)
    }
    fn ln(self) -> Self {
        Tracked::ln(self)
    }
    fn ln_1p(self) -> Self {
        Tracked::ln_1p(self)
    }
    fn exp_m1(self) -> Self {
        Tracked::exp_m1(self)
    }
    fn normal_cdf(self) -> Self {
        Tracked::normal_cdf(self)
    }
    fn halved(self, power: i32) -> Self {
        Tracked::halved(self, power)
    }
    fn times_two_to(self, power: i32) -> Self {
        Tracked::times_two_to(self, power)
    }
    fn reference(info: &KernelInfo) -> Reference<Self> {
        info.reference_tracked
    }
}
