//! What the simplest forecasts say of the same samples, to compare models with.

use super::{reading::Reading, source::SampleArray};
use std::ops::Range;

/// A forecast that needs no model.
#[derive(Clone, Debug)]
pub(super) struct Baseline {
    pub name: String,
    /// `[S, O]` of each target; NaN where the past does not reach back far enough.
    pub forecasts: Vec<SampleArray>,
}

/// What is expected of a target (its values, NaN where missing, and the stretch), at a window's last row, so many rows ahead.
type Forecast<'a> = dyn Fn(&[f32], &Range<usize>, usize, usize) -> f32 + 'a;

/// Persistence, and with a season the seasonal naive forecast (Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 5.2),
/// for the targets of samples that end at `last_rows`. Both see rows of the same stretch alone, up to the window's last.
pub(super) fn of(
    stretches: &[Range<usize>],
    labels: &[Vec<f32>],
    last_rows: &[usize],
    reading: &Reading,
) -> Vec<Baseline> {
    let baseline = |name: String, forecast: &Forecast<'_>| Baseline {
        name,
        forecasts: labels
            .iter()
            .map(|labels| array(stretches, labels, last_rows, &reading.horizon, forecast))
            .collect(),
    };
    let mut all = vec![baseline("persistence".into(), &|labels, stretch, last, _| persistence(labels, stretch, last))];
    if let Some(season) = reading.season {
        all.push(baseline(format!("seasonal naive ({season})"), &|labels, stretch, last, ahead| {
            seasonal(labels, stretch, last, ahead, season)
        }));
    }
    all
}

fn array(
    stretches: &[Range<usize>],
    labels: &[f32],
    last_rows: &[usize],
    horizon: &[usize],
    forecast: &Forecast<'_>,
) -> SampleArray {
    let mut values = Vec::with_capacity(last_rows.len() * horizon.len());
    for &last in last_rows {
        let at = stretches.partition_point(|stretch| stretch.end <= last);
        values.extend(horizon.iter().map(|&ahead| forecast(labels, &stretches[at], last, ahead)));
    }
    SampleArray { shape: vec![horizon.len()], values }
}

/// The last value that is known.
fn persistence(labels: &[f32], stretch: &Range<usize>, last: usize) -> f32 {
    let known = labels[stretch.start..=last].iter().rfind(|value| !value.is_nan());
    known.copied().unwrap_or(f32::NAN)
}

/// The value one season before the target, or as many seasons as it takes to be in the past.
fn seasonal(labels: &[f32], stretch: &Range<usize>, last: usize, ahead: usize, season: usize) -> f32 {
    let back = ahead.div_ceil(season) * season;
    (last + ahead).checked_sub(back).filter(|row| stretch.contains(row)).map_or(f32::NAN, |row| labels[row])
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "one stretch, from its first row to its last")]
mod tests {
    use super::*;

    #[test]
    fn the_simplest_forecasts_see_the_past_of_their_stretch_alone() {
        let labels: Vec<f32> = (0..10).map(|i| i as f32).collect();
        let reading = Reading { horizon: vec![1, 5], season: Some(3), ..Reading::default() };
        let all = of(&[0..4, 4..10], &[labels], &[1, 3, 4, 8], &reading);
        assert_eq!(all[0].name, "persistence");
        assert_eq!(all[0].forecasts[0].values, [1.0, 1.0, 3.0, 3.0, 4.0, 4.0, 8.0, 8.0]);
        assert_eq!(all[1].name, "seasonal naive (3)");
        let seasonal = &all[1].forecasts[0].values;
        // From row 1, row 2 was expected as 3 before it; row 6 as row 0. From row 8: 9 as 6, 13 as 7.
        assert!(seasonal[0].is_nan() && seasonal[1] == 0.0 && seasonal[4].is_nan(), "{seasonal:?}");
        assert_eq!(seasonal[2..4], [1.0, 2.0]);
        assert_eq!(seasonal[6..], [6.0, 7.0]);
    }

    #[test]
    fn what_is_missing_is_not_the_last_value() {
        let labels = vec![5.0, f32::NAN, f32::NAN, 7.0];
        let reading = Reading { horizon: vec![1], ..Reading::default() };
        let forecasts = &of(&[0..4], std::slice::from_ref(&labels), &[2], &reading)[0].forecasts[0];
        assert_eq!((forecasts.values.clone(), forecasts.shape.clone()), (vec![5.0], vec![1]));
        assert!(of(&[0..1, 1..4], &[labels], &[2], &reading)[0].forecasts[0].values[0].is_nan());
    }
}
