//! exp, sigmoid and tanh without branches and calls, so that loops over them vectorise: the functions of shaders/common.wgsl.

const LOG2_E: f32 = std::f32::consts::LOG2_E;
/// 1.5 · 2^23: adding it rounds to a whole number, which the lowest bits of the sum then hold.
const ROUND: f32 = 12_582_912.0;

/// e^x for x <= 0; 0 below -87.33, where subnormal numbers begin; NaN of NaN.
#[inline(always)]
pub(super) fn exp_negative(x: f32) -> f32 {
    let inside = if x < -87.33 { -87.33 } else { x };
    let shifted = inside * LOG2_E + ROUND;
    let n = shifted - ROUND;
    // ln 2 in two parts, the first exact.
    let r = (inside - n * 0.693_359_4) + n * 2.121_944_4e-4;
    let p = ((0.001_394_645_8 * r + 0.008_369_159) * r + 0.041_666_26) * r + 0.166_665_17;
    let p = p * r + 0.5;
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000));
    let value = (r * r * p + r + 1.0) * power;
    if x < -87.33 { 0.0 } else { value }
}

/// 1 / (1 + e^-x).
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    let e = exp_negative(-x.abs());
    let above = if x >= 0.0 { 1.0 } else { e };
    above / (1.0 + e)
}

/// tanh: near 0, where (1 - e) / (1 + e) would cancel, an odd polynomial.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    let a = x.abs();
    let z = x * x;
    let p = ((-0.005_704_042_6 * z + 0.020_637_862) * z - 0.053_739_157) * z + 0.133_314_32;
    let p = p * z - 0.333_332_8;
    let near = x + x * z * p;
    let e = exp_negative(-2.0 * a);
    let far = ((1.0 - e) / (1.0 + e)).copysign(x);
    if a < 0.625 { near } else { far }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest error in ulps of the true value, over every 1,009th number between two.
    fn worst(of: fn(f32) -> f32, truth: fn(f64) -> f64, [from, to]: [f32; 2]) -> f64 {
        let error = |x: f32| {
            let y = truth(x as f64);
            let ulp = f32::EPSILON as f64 * 2f64.powf(y.abs().max(1e-37).log2().floor());
            ((of(x) as f64 - y) / ulp).abs()
        };
        let (low, high) = (from.abs().to_bits(), to.abs().to_bits());
        (low..high).step_by(1009).map(|bits| error(f32::from_bits(bits).copysign(to))).fold(0.0, f64::max)
    }

    #[test]
    fn errors_are_a_few_ulps() {
        assert!(worst(exp_negative, f64::exp, [-1e-30, -87.0]) < 2.0);
        let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
        assert!(worst(sigmoid, logistic, [1e-30, 80.0]) < 3.0);
        assert!(worst(sigmoid, logistic, [-1e-30, -80.0]) < 4.0);
        assert!(worst(tanh, f64::tanh, [1e-30, 80.0]) < 3.0);
        assert!(worst(tanh, f64::tanh, [-1e-30, -80.0]) < 3.0);
    }

    #[test]
    fn extremes_are_what_they_should_be() {
        assert_eq!([sigmoid(1e30), sigmoid(-1e30), tanh(1e30), tanh(-1e30)], [1.0, 0.0, 1.0, -1.0]);
        assert_eq!([sigmoid(f32::INFINITY), sigmoid(f32::NEG_INFINITY), tanh(f32::INFINITY)], [1.0, 0.0, 1.0]);
        assert_eq!([sigmoid(0.0), tanh(0.0), exp_negative(0.0)], [0.5, 0.0, 1.0]);
        assert!([sigmoid(f32::NAN), tanh(f32::NAN), exp_negative(f32::NAN)].iter().all(|x| x.is_nan()));
    }
}
