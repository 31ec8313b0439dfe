//! Mean and variance of every feature, for a `Normalization` layer at the model's front.

use super::Dataset;
use crate::Result;
use std::ops::Range;

/// Mean and variance of every feature, `[F]`, as Keras's `Normalization` layer takes them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeatureStatistics {
    /// The mean, in the feature's unit.
    pub mean: Vec<f64>,
    /// The biased variance (divided by the number of rows), in the square of the feature's unit; 0 for a constant.
    pub variance: Vec<f64>,
}

impl Dataset {
    /// Mean and biased variance of every feature in f64, over the rows that some sample uses, each counted once however
    /// many windows overlap in it. Padding and rows that the model is to mask do not count.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) if the rows stay in a file that cannot be read any more.
    pub fn feature_statistics(&self) -> Result<FeatureStatistics> {
        let (used, features) = (used_rows(self.spans()), self.features());
        moments(features, |see| self.source.rows.visit(&used, features, see))
    }

    /// Mean and standard deviation of each target, over all samples and horizons, and over the steps that
    /// [count](Dataset::counted_steps); the deviation of a constant counts as 1.
    pub fn target_scales(&self) -> Vec<(f64, f64)> {
        let counted = self.counted_steps();
        let scale = |values: &[f32]| {
            let of_values = moments(1, |see| {
                match &counted {
                    Some(counted) => {
                        let outputs = values.len() / counted.len().max(1);
                        let steps = values.chunks(outputs.max(1)).zip(counted);
                        steps.filter(|(_, counts)| **counts).for_each(|(values, _)| see(values));
                    }
                    None => see(values),
                }
                Ok(())
            });
            let FeatureStatistics { mean, variance } = of_values.unwrap_or_default();
            let deviation = variance.first().map_or(0.0, |variance| variance.sqrt());
            (mean.first().copied().unwrap_or(0.0), if deviation > 0.0 { deviation } else { 1.0 })
        };
        self.all_targets().map(scale).collect()
    }
}

/// The rows that these ranges (neither end ever goes back) cover, as disjoint ranges.
fn used_rows(spans: impl Iterator<Item = Range<usize>>) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for span in spans {
        match ranges.last_mut() {
            Some(last) if span.start <= last.end => last.end = span.end,
            _ => ranges.push(span),
        }
    }
    ranges
}

/// Two passes over the rows, `[_, features]`, that `pass` hands over part by part: E[x²] − E[x]² would lose every digit of a small variance
/// about a large mean.
///
/// The first pass sums distances from the first row, so that its sums stay small; the second corrects for what the
/// rounded mean is off.
fn moments(features: usize, pass: impl Fn(&mut dyn FnMut(&[f32])) -> Result<()>) -> Result<FeatureStatistics> {
    fn rows(part: &[f32], features: usize) -> impl Iterator<Item = &[f32]> {
        part.chunks_exact(features).filter(|row| !row[0].is_nan())
    }
    let (mut count, mut origin, mut sum) = (0.0, None, vec![0.0; features]);
    pass(&mut |part| {
        for row in rows(part, features) {
            let origin = origin.get_or_insert_with(|| row.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>());
            count += 1.0;
            for ((sum, &x), origin) in sum.iter_mut().zip(row).zip(origin.iter()) {
                *sum += f64::from(x) - origin;
            }
        }
    })?;
    let Some(origin) = origin else {
        return Ok(FeatureStatistics { mean: vec![0.0; features], variance: vec![0.0; features] });
    };
    let mean: Vec<f64> = origin.iter().zip(&sum).map(|(origin, sum)| origin + sum / count).collect();
    let (mut squares, mut rest) = (vec![0.0; features], vec![0.0; features]);
    pass(&mut |part| {
        for row in rows(part, features) {
            for (f, &x) in row.iter().enumerate() {
                let distance = f64::from(x) - mean[f];
                squares[f] += distance * distance;
                rest[f] += distance;
            }
        }
    })?;
    let variance = squares.iter().zip(&rest).map(|(squares, rest)| (squares - rest * rest / count) / count);
    Ok(FeatureStatistics { variance: variance.map(|variance| f64::max(variance, 0.0)).collect(), mean })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn moments_of(rows: &[f32], features: usize) -> FeatureStatistics {
        let pass = |see: &mut dyn FnMut(&[f32])| {
            see(rows);
            Ok(())
        };
        moments(features, pass).unwrap()
    }

    /// The textbook's two passes, feature by feature.
    fn naive(rows: &[f32], features: usize) -> FeatureStatistics {
        let count = (rows.len() / features) as f64;
        let column = |f: usize| rows.iter().skip(f).step_by(features).map(|&x| f64::from(x));
        let mean: Vec<f64> = (0..features).map(|f| column(f).sum::<f64>() / count).collect();
        let variance = (0..features).map(|f| column(f).map(|x| (x - mean[f]).powi(2)).sum::<f64>() / count).collect();
        FeatureStatistics { mean, variance }
    }

    fn assert_close(actual: &[f64], expected: &[f64], relative: f64) {
        assert_eq!(actual.len(), expected.len());
        for (a, e) in actual.iter().zip(expected) {
            assert!((a - e).abs() <= relative * e.abs(), "{a} is not {e}");
        }
    }

    proptest! {
        #[test]
        fn a_small_variance_about_a_large_mean_is_exact(
            noise in prop::collection::vec(-4.0f32..4.0, 2..200), shift in prop::sample::select(vec![0.0f32, 1e3, 1e6, -1e6])
        ) {
            prop_assume!(noise.len() % 2 == 0);
            let rows: Vec<f32> = noise.iter().map(|x| x + shift).collect();
            let expected = naive(&rows, 2);
            let actual = moments_of(&rows, 2);
            for f in 0..2 {
                prop_assert!((actual.mean[f] - expected.mean[f]).abs() <= 1e-12 * shift.abs().max(1.0) as f64);
                // The naive mean is off by up to n half-ulps of it, which enters the naive variance squared.
                prop_assert!((actual.variance[f] - expected.variance[f]).abs() <= 1e-12 * expected.variance[f] + 1e-17);
            }
        }
    }

    #[test]
    fn a_constant_feature_has_no_variance() {
        let rows = vec![1e6f32 + 0.1; 1000];
        let statistics = moments_of(&rows, 1);
        assert_eq!(statistics.mean, [f64::from(1e6f32 + 0.1)]);
        assert_eq!(statistics.variance, [0.0]);
    }

    #[test]
    fn a_row_in_many_windows_counts_once_and_a_row_in_none_does_not() {
        let used = |starts: &[usize]| used_rows(starts.iter().map(|&start| start..start + 3));
        assert_eq!(used(&[0, 1, 2, 10, 12]), [0..5, 10..15]);
        assert_eq!(used(&[0, 3, 9]), [0..6, 9..12]);
        assert_eq!(used(&[0, 4, 8]), [0..3, 4..7, 8..11]);
        let x: Vec<f32> = (0..12).map(|i| i as f32).collect();
        let all = Dataset::from_arrays(x.clone(), &[3, 2, 2], vec![], &[]).unwrap();
        let expected = naive(&x, 2);
        assert_close(&all.feature_statistics().unwrap().mean, &expected.mean, 1e-15);
        assert_close(&all.feature_statistics().unwrap().variance, &expected.variance, 1e-15);
        let (first, _) = all.split_by_time(0.34).unwrap();
        assert_eq!(first.feature_statistics().unwrap(), naive(&x[..4], 2));
    }
}
