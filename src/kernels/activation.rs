//! Activation functions and their slopes in plain arithmetic, the twin of `shaders/activation.wgsl`.

use super::{Override, Real};

/// x
pub const LINEAR: u32 = 0;
/// 1 / (1 + e^-x)
pub const SIGMOID: u32 = 1;
/// tanh x
pub const TANH: u32 = 2;
/// max(x, 0)
pub const RELU: u32 = 3;
/// min(max(x + 3, 0), 6) / 6
pub const HARD_SIGMOID: u32 = 4;
/// min(max(x, 0), 6)
pub const RELU6: u32 = 5;
/// x, below 0 a fifth of it
pub const LEAKY_RELU: u32 = 6;
/// x / (1 + |x|)
pub const SOFTSIGN: u32 = 7;
/// x, below 0 e^x - 1
pub const ELU: u32 = 8;
/// s x, below 0 s α (e^x - 1)
pub const SELU: u32 = 9;
/// x sigmoid(x)
pub const SILU: u32 = 10;
/// x Φ(x)
pub const GELU: u32 = 11;
/// e^x
pub const EXPONENTIAL: u32 = 12;
/// ln(1 + e^x)
pub const SOFTPLUS: u32 = 13;
/// min(max(x, -1), 1)
pub const HARD_TANH: u32 = 14;
/// x tanh(ln(1 + e^x))
pub const MISH: u32 = 15;
/// x hard_sigmoid(x)
pub const HARD_SILU: u32 = 16;
/// -ln(1 + e^-x)
pub const LOG_SIGMOID: u32 = 17;

/// The override `ACTIVATION` and every value that it takes.
pub(super) const ACTIVATION: Override =
    Override { name: "ACTIVATION", values: &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17] };

const LEAKY_RELU_SLOPE: f64 = 0.2;
/// Klambauer et al. (2017), as `SELU_ALPHA`.
const SELU_SCALE: f64 = 1.050_700_987_355_480_5;
const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
/// 1 / sqrt(2 pi)
const NORMAL_DENSITY_AT_0: f64 = 0.398_942_280_401_432_7;

/// y = activation(x).
pub(crate) fn activation_value<T: Real>(kind: u32, x: T) -> T {
    if x.is_nan() {
        return x;
    }
    let (zero, one) = (T::zero(), T::one());
    match kind {
        SIGMOID => x.sigmoid(),
        TANH => x.tanh(),
        RELU => x.larger(zero),
        HARD_SIGMOID => hard_sigmoid(x),
        RELU6 => x.larger(zero).smaller(T::count(6)),
        LEAKY_RELU => x.larger(T::from_f64(LEAKY_RELU_SLOPE) * x),
        SOFTSIGN => x / (one + x.abs()),
        ELU => x.larger(zero) + x.smaller(zero).exp_m1(),
        SELU => T::from_f64(SELU_SCALE) * (x.larger(zero) + T::from_f64(SELU_ALPHA) * x.smaller(zero).exp_m1()),
        SILU => x * x.sigmoid(),
        GELU => x * x.normal_cdf(),
        EXPONENTIAL => x.exp(),
        SOFTPLUS => softplus(x),
        HARD_TANH => x.larger(-one).smaller(one),
        MISH => x * tanh_of_softplus(x).0,
        HARD_SILU => x * hard_sigmoid(x),
        LOG_SIGMOID => -softplus(-x),
        _ => x,
    }
}

/// Whether the backward pass keeps x: where the slope does not follow from y, or not without losing digits.
pub(crate) fn activation_saves_input(kind: u32) -> bool {
    matches!(kind, SOFTSIGN | SILU | GELU | SOFTPLUS | MISH | HARD_SILU | LOG_SIGMOID)
}

/// What the backward pass keeps: y, or x.
pub(super) fn activation_saved<T: Real>(kind: u32, x: T) -> T {
    if activation_saves_input(kind) { x } else { activation_value(kind, x) }
}

/// y from what is saved.
pub(super) fn activation_restore<T: Real>(kind: u32, saved: T) -> T {
    if activation_saves_input(kind) { activation_value(kind, saved) } else { saved }
}

/// dy/dx from what is saved.
pub(super) fn activation_slope<T: Real>(kind: u32, saved: T) -> T {
    if saved.is_nan() {
        return saved;
    }
    let (zero, one, y) = (T::zero(), T::one(), saved);
    let where_inside = |inside: bool, slope: T| if inside { slope } else { zero };
    match kind {
        _ if activation_saves_input(kind) => slope_from_input(kind, saved),
        SIGMOID => y * (one - y),
        TANH => one - y * y,
        RELU => where_inside(y > zero, one),
        HARD_SIGMOID => where_inside(y > zero && y < one, one / T::count(6)),
        RELU6 => where_inside(y > zero && y < T::count(6), one),
        LEAKY_RELU => {
            if y >= zero {
                one
            } else {
                T::from_f64(LEAKY_RELU_SLOPE)
            }
        }
        ELU => y.smaller(zero) + one,
        SELU if y > zero => T::from_f64(SELU_SCALE),
        SELU => y + T::from_f64(SELU_SCALE * SELU_ALPHA),
        EXPONENTIAL => y,
        HARD_TANH => where_inside(y.abs() < one, one),
        _ => one,
    }
}

fn slope_from_input<T: Real>(kind: u32, x: T) -> T {
    let (zero, one) = (T::zero(), T::one());
    match kind {
        SOFTSIGN => {
            let r = one / (one + x.abs());
            r * r
        }
        SILU => x.sigmoid() * (one + x * (-x).sigmoid()),
        GELU => {
            let density = T::from_f64(NORMAL_DENSITY_AT_0) * (T::from_f64(-0.5) * x * x).exp();
            x.normal_cdf() + x * density
        }
        SOFTPLUS => x.sigmoid(),
        MISH => {
            let (t, one_minus_t) = tanh_of_softplus(x);
            t + x * (one_minus_t * (one + t)) * x.sigmoid()
        }
        HARD_SILU => hard_sigmoid(x) + if x.abs() < T::count(3) { x / T::count(6) } else { zero },
        _ => (-x).sigmoid(),
    }
}

fn hard_sigmoid<T: Real>(x: T) -> T {
    (x + T::count(3)).larger(T::zero()).smaller(T::count(6)) / T::count(6)
}

/// ln(1 + e^x) without overflow.
fn softplus<T: Real>(x: T) -> T {
    x.larger(T::zero()) + (-x.abs()).exp().ln_1p()
}

/// t = tanh(ln(1 + e^x)), and 1 - t without cancellation.
fn tanh_of_softplus<T: Real>(x: T) -> (T, T) {
    let (one, two) = (T::one(), T::count(2));
    let e = (-x.abs()).exp();
    let (n, rest) = if x > T::zero() { (one + two * e, two * e * e) } else { (e * (e + two), two) };
    (n / (n + rest), rest / (n + rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where all of them are smooth: both sides of 0, and beyond no kink.
    const POINTS: [f64; 8] = [-2.7, -1.3, -0.6, -0.2, 0.15, 0.7, 1.4, 2.9];

    #[test]
    fn slopes_are_those_of_the_values() {
        for &kind in ACTIVATION.values {
            for x in POINTS {
                let slope = activation_slope(kind, activation_saved(kind, x));
                let h = 1e-4;
                let at = |step: f64| activation_value(kind, x + step);
                let difference = (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h);
                assert!((slope - difference).abs() < 1e-10, "{kind} at {x}: {slope} for {difference}");
            }
        }
    }

    #[test]
    fn values_come_back_from_what_is_saved() {
        for &kind in ACTIVATION.values {
            for x in POINTS {
                assert_eq!(activation_restore(kind, activation_saved(kind, x)), activation_value(kind, x));
            }
        }
    }

    #[test]
    fn values_are_those_of_keras() {
        let at_minus_0_6 = [
            (HARD_SIGMOID, 0.4),
            (LEAKY_RELU, -0.12),
            (SOFTSIGN, -0.375),
            (SELU, -0.793_234),
            (SILU, -0.212_606_2),
            (GELU, -0.164_551_9),
            (MISH, -0.246_936),
            (HARD_SILU, -0.24),
            (LOG_SIGMOID, -1.037_488),
        ];
        for (kind, expected) in at_minus_0_6 {
            let y = activation_value(kind, -0.6f64);
            assert!((y - expected).abs() < 1e-6, "{kind}: {y}, in Keras {expected}");
        }
    }
}
