use super::*;

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(1)
}

/// Enough values that a mean or a deviation that is off by 1 % is seen.
const SHAPE: [usize; 2] = [400, 250];
const COUNT: f64 = 100_000.0;

fn standard_normal_cdf(z: f64) -> f64 {
    0.5 * libm::erfc(-z / 2f64.sqrt())
}

fn normal_cdf(mean: f64, deviation: f64) -> impl Fn(f64) -> f64 {
    move |x| standard_normal_cdf((x - mean) / deviation)
}

fn cut_normal_cdf(mean: f64, deviation: f64) -> impl Fn(f64) -> f64 {
    let (low, high) = (standard_normal_cdf(-2.0), standard_normal_cdf(2.0));
    move |x| ((standard_normal_cdf((x - mean) / deviation).clamp(low, high)) - low) / (high - low)
}

fn uniform_cdf(low: f64, high: f64) -> impl Fn(f64) -> f64 {
    move |x| ((x - low) / (high - low)).clamp(0.0, 1.0)
}

/// Kolmogorov and Smirnov's distance between values and a distribution, in units of 1 / sqrt(values): beyond 2.3 with a
/// probability of 5e-5.
fn distance(values: &[f32], cdf: impl Fn(f64) -> f64) -> f64 {
    let mut sorted: Vec<f64> = values.iter().map(|&v| v as f64).collect();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let apart = |(i, &x): (usize, &f64)| (cdf(x) - i as f64 / n).abs().max((cdf(x) - (i + 1) as f64 / n).abs());
    n.sqrt() * sorted.iter().enumerate().map(apart).fold(0.0, f64::max)
}

fn deviation(values: &[f32]) -> f64 {
    (values.iter().map(|&v| (v as f64).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

#[test]
fn random_values_have_the_distribution_that_was_asked_for() {
    let draw = |initializer: Initializer| initializer.draw(&SHAPE, &mut rng());
    let normal = draw(Initializer::RandomNormal { mean: 0.3, stddev: 0.2 });
    assert!(distance(&normal, normal_cdf(0.3, 0.2)) < 2.3);
    let uniform = draw(Initializer::RandomUniform { minval: -0.1, maxval: 0.3 });
    assert!(distance(&uniform, uniform_cdf(-0.1, 0.3)) < 2.3);
    let cut = draw(Initializer::TruncatedNormal { mean: 0.3, stddev: 0.2 });
    assert!(distance(&cut, cut_normal_cdf(0.3, 0.2)) < 2.3);
    assert!(cut.iter().all(|v| (v - 0.3).abs() <= 0.400_001));
    // Must fail: the distances see a mean, a deviation and a shape that are slightly wrong.
    assert!(distance(&normal, normal_cdf(0.303, 0.2)) > 2.3);
    assert!(distance(&normal, normal_cdf(0.3, 0.205)) > 2.3);
    assert!(distance(&cut, normal_cdf(0.3, 0.2 * CUT_DEVIATION)) > 2.3);
    assert!(distance(&uniform, uniform_cdf(-0.1, 0.305)) > 2.3);
}

/// (fan_in, fan_out) of the shape is (400, 250).
#[test]
fn the_variance_is_scaled_by_inputs_outputs_or_both() {
    use Initializer::*;
    let scaled = |scale, mode, distribution| VarianceScaling { scale, mode, distribution };
    let cases = [
        (GlorotUniform, 1.0f64 / 325.0, Distribution::Uniform),
        (GlorotNormal, 1.0 / 325.0, Distribution::TruncatedNormal),
        (HeUniform, 2.0 / 400.0, Distribution::Uniform),
        (HeNormal, 2.0 / 400.0, Distribution::TruncatedNormal),
        (LecunUniform, 1.0 / 400.0, Distribution::Uniform),
        (LecunNormal, 1.0 / 400.0, Distribution::TruncatedNormal),
        (scaled(0.5, Fan::Out, Distribution::UntruncatedNormal), 0.5f64 / 250.0, Distribution::UntruncatedNormal),
        (scaled(0.5, Fan::Average, Distribution::Uniform), 0.5 / 325.0, Distribution::Uniform),
        (scaled(3.0, Fan::In, Distribution::TruncatedNormal), 3.0 / 400.0, Distribution::TruncatedNormal),
    ];
    for (initializer, variance, distribution) in cases {
        let values = initializer.draw(&SHAPE, &mut rng());
        let stddev = variance.sqrt();
        // The standard error of a deviation is at most 1 / sqrt(2 n), as for normal numbers.
        let off = (deviation(&values) / stddev - 1.0).abs();
        assert!(off < 5.0 / (2.0 * COUNT).sqrt(), "{initializer:?}: off by {off}");
        let far = match distribution {
            Distribution::Uniform => distance(&values, uniform_cdf(-3f64.sqrt() * stddev, 3f64.sqrt() * stddev)),
            Distribution::TruncatedNormal => distance(&values, cut_normal_cdf(0.0, stddev / CUT_DEVIATION)),
            Distribution::UntruncatedNormal => distance(&values, normal_cdf(0.0, stddev)),
        };
        assert!(far < 2.3, "{initializer:?}: {far}");
    }
    assert_eq!(fans(&[5]), (5.0, 5.0));
    assert_eq!(fans(&[3, 4, 7]), (12.0, 21.0));
}

#[test]
fn orthogonal_rows_are_orthonormal_when_wide_and_columns_when_tall() {
    for (rows, cols, gain) in [(6, 24, 1.0f32), (24, 6, 1.0), (5, 5, 1.0), (4, 8, 0.5)] {
        let w = Initializer::Orthogonal { gain: gain.into() }.draw(&[rows, cols], &mut rng());
        let (count, at): (usize, Box<dyn Fn(usize, usize) -> f32>) = match rows <= cols {
            true => (rows, Box::new(move |v, i| w[v * cols + i])),
            false => (cols, Box::new(move |v, i| w[i * cols + v])),
        };
        for a in 0..count {
            for b in 0..count {
                let dot: f32 = (0..rows.max(cols)).map(|i| at(a, i) * at(b, i)).sum();
                let expected = if a == b { gain * gain } else { 0.0 };
                assert!((dot - expected).abs() < 1e-5, "{rows}x{cols}: {a}·{b} = {dot}");
            }
        }
    }
}

#[test]
fn values_without_chance() {
    let draw = |initializer: Initializer, shape: &[usize]| initializer.draw(shape, &mut rng());
    assert_eq!(draw(Initializer::Constant(0.25), &[3]), [0.25; 3]);
    assert_eq!(draw(Initializer::Identity { gain: 2.0 }, &[2, 3]), [2.0, 0.0, 0.0, 0.0, 2.0, 0.0]);
    assert_eq!(draw(Initializer::RandomUniform { minval: 0.5, maxval: 0.5 }, &[2]), [0.5; 2]);
    let bias = Initializer::UnitForgetBias(4, Box::new(Initializer::Constant(0.5)));
    assert_eq!(draw(bias, &[8]), [0.5, 0.5, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5], "the forget gate is the second of four");
}

#[test]
fn a_seed_of_its_own_decides_alone() {
    let draw =
        |seed, of_model| Initializer::HeNormal.seeded(seed).draw(&[5, 4], &mut ChaCha8Rng::seed_from_u64(of_model));
    assert_eq!(draw(7, 1), draw(7, 2));
    assert_ne!(draw(7, 1), draw(8, 1));
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    let refused = |initializer: Initializer, shape: &[usize], words: &str| {
        let error = initializer.check(shape).expect_err("it is wrong").to_string();
        assert!(error.contains(words), "`{words}` is not in: {error}");
    };
    let scaling = |scale| Initializer::VarianceScaling { scale, mode: Fan::In, distribution: Distribution::Uniform };
    refused(Initializer::Orthogonal { gain: 1.0 }, &[4], "needs two axes");
    refused(Initializer::Identity { gain: 1.0 }.seeded(3), &[4], "makes matrices");
    refused(scaling(0.0), &[4, 4], "scale above 0");
    refused(scaling(f64::NAN), &[4, 4], "scale above 0");
    refused(Initializer::RandomNormal { mean: 0.0, stddev: -1.0 }, &[4], "no normal distribution");
    refused(Initializer::RandomUniform { minval: 1.0, maxval: 0.0 }, &[4], "nothing to draw");
    refused(Initializer::Constant(f64::INFINITY), &[4], "inf");
    let bias = Initializer::UnitForgetBias(4, Box::new(Initializer::Orthogonal { gain: 1.0 }));
    refused(bias, &[8], "needs two axes");
    assert!(Initializer::Orthogonal { gain: 1.0 }.check(&[4, 4]).is_ok());
}
