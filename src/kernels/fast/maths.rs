//! exp, sigmoid and tanh without branches and calls, so that loops over them vectorise.

use super::vectorised::Fma;

const LOG2_E: f32 = std::f32::consts::LOG2_E;
/// 1.5 · 2^23: adding it rounds to a whole number, which the lowest bits of the sum then hold.
const ROUND: f32 = 12_582_912.0;

/// Below this lie subnormal numbers.
const LEAST: f32 = -87.33;

/// e^r - 1 and 2^n for x = n ln 2 + r, the nearest n; x <= 0, no less than [`LEAST`]. NaN of NaN.
#[inline(always)]
fn parts_of_exp(fma: Fma, x: f32) -> (f32, f32) {
    let inside = if x < LEAST { LEAST } else { x };
    let shifted = fma.add(inside, LOG2_E, ROUND);
    let n = shifted - ROUND;
    // ln 2 in two parts, the first exact.
    let r = fma.add(n, 2.121_944_4e-4, fma.add(n, -0.693_359_4, inside));
    let p = fma.add(fma.add(fma.add(0.001_394_645_8, r, 0.008_369_159), r, 0.041_666_26), r, 0.166_665_17);
    let p = fma.add(p, r, 0.5);
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000));
    (fma.add(r * r, p, r), power)
}

/// e^x for x <= 0; 0 below -87.33, where subnormal numbers begin; NaN of NaN.
#[inline(always)]
pub(super) fn exp_negative(fma: Fma, x: f32) -> f32 {
    let (p, power) = parts_of_exp(fma, x);
    if x < LEAST { 0.0 } else { (p + 1.0) * power }
}

/// 1 / (1 + e^-x).
#[inline(always)]
pub(crate) fn sigmoid(fma: Fma, x: f32) -> f32 {
    let e = exp_negative(fma, -x.abs());
    let above = if x >= 0.0 { 1.0 } else { e };
    above / (1.0 + e)
}

/// tanh: -m / (2 + m) of m = e^-2|x| - 1, which is e^r - 1 near 0, so that nothing cancels.
#[inline(always)]
pub(crate) fn tanh(fma: Fma, x: f32) -> f32 {
    let (p, power) = parts_of_exp(fma, -2.0 * x.abs());
    let m = fma.add(power, p, power - 1.0);
    (m / (2.0 + m)).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::super::vectorised::vectorised;
    use super::*;

    /// The largest error in ulps of the true value, over every 1,009th number between two, with and without the instruction.
    fn worst(of: fn(Fma, f32) -> f32, truth: fn(f64) -> f64, [from, to]: [f32; 2]) -> f64 {
        let (low, high) = (from.abs().to_bits(), to.abs().to_bits());
        let numbers: Vec<f32> = (low..high).step_by(1009).map(|bits| f32::from_bits(bits).copysign(to)).collect();
        let error = |(&x, y): (&f32, &f32)| {
            let truth = truth(x as f64);
            let ulp = f32::EPSILON as f64 * 2f64.powf(truth.abs().max(1e-37).log2().floor());
            ((*y as f64 - truth) / ulp).abs()
        };
        let largest = |values: &[f32]| numbers.iter().zip(values).map(error).fold(0.0, f64::max);
        let mut fused = numbers.clone();
        vectorised(
            #[inline(always)]
            |fma| fused.iter_mut().for_each(|x| *x = of(fma, *x)),
        );
        let separate: Vec<f32> = numbers.iter().map(|&x| of(Fma::NONE, x)).collect();
        largest(&fused).max(largest(&separate))
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
        let [sigmoid, tanh, exp_negative] =
            [sigmoid, tanh, exp_negative].map(|of: fn(Fma, f32) -> f32| move |x: f32| of(Fma::NONE, x));
        assert_eq!([sigmoid(1e30), sigmoid(-1e30), tanh(1e30), tanh(-1e30)], [1.0, 0.0, 1.0, -1.0]);
        assert_eq!([sigmoid(f32::INFINITY), sigmoid(f32::NEG_INFINITY), tanh(f32::INFINITY)], [1.0, 0.0, 1.0]);
        assert_eq!([sigmoid(0.0), tanh(0.0), exp_negative(0.0)], [0.5, 0.0, 1.0]);
        assert!([sigmoid(f32::NAN), tanh(f32::NAN), exp_negative(f32::NAN)].iter().all(|x| x.is_nan()));
    }
}
