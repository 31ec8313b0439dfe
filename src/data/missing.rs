//! Filling in missing values, along one column of one stretch of rows, and what else becomes of them in a series.

use super::reading::Missing;

/// What became of the values of a series.
pub(super) struct Cleaned {
    /// Values that were filled in.
    pub filled: usize,
    /// Steps that lack a value still.
    pub incomplete: usize,
    /// Whether a sample can be made of it.
    pub usable: bool,
}

/// Fills in what a series lacks, `[steps, channels]`; steps that lack a value still become NaN all over, or 0 where no sample can be made of
/// it.
pub(super) fn clean(missing: Missing, values: &mut [f32], channels: usize) -> Cleaned {
    let filled = match missing {
        Missing::Ffill => fill_channels(values, channels, fill_forward),
        Missing::Interpolate => fill_channels(values, channels, interpolate),
        _ => 0,
    };
    let incomplete = values.chunks(channels).filter(|step| step.iter().any(|value| value.is_nan())).count();
    let usable = if missing == Missing::Mask { incomplete < values.len() / channels } else { incomplete == 0 };
    let with = if usable { f32::NAN } else { 0.0 };
    let lacking = values.chunks_mut(channels).filter(|step| step.iter().any(|value| value.is_nan()));
    lacking.for_each(|step| step.fill(with));
    Cleaned { filled, incomplete, usable }
}

fn fill_channels(values: &mut [f32], channels: usize, fill: impl Fn(&mut [f32]) -> usize) -> usize {
    let mut filled = 0;
    for channel in 0..channels {
        let mut column: Vec<f32> = values.iter().skip(channel).step_by(channels).copied().collect();
        filled += fill(&mut column);
        values.iter_mut().skip(channel).step_by(channels).zip(column).for_each(|(value, new)| *value = new);
    }
    filled
}

/// Replaces each NaN by the last value before it; those at the front stay. Gives how many were replaced.
pub(super) fn fill_forward(values: &mut [f32]) -> usize {
    let (mut last, mut filled) = (f32::NAN, 0);
    for value in values {
        if value.is_nan() {
            *value = last;
            filled += usize::from(!last.is_nan());
        } else {
            last = *value;
        }
    }
    filled
}

/// Replaces each NaN by what lies on the line from the value before to the next one; those at the end by the last value; those at
/// the front stay. Gives how many were replaced.
pub(super) fn interpolate(values: &mut [f32]) -> usize {
    let mut filled = 0;
    let mut last: Option<usize> = None;
    for at in 0..values.len() {
        if values[at].is_nan() {
            continue;
        }
        if let Some(last) = last.filter(|last| last + 1 < at) {
            let (from, to) = (f64::from(values[last]), f64::from(values[at]));
            for (i, value) in values[last + 1..at].iter_mut().enumerate() {
                *value = (from + (to - from) * (i + 1) as f64 / (at - last) as f64) as f32;
                filled += 1;
            }
        }
        last = Some(at);
    }
    filled + last.map_or(0, |last| fill_forward(&mut values[last..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const N: f32 = f32::NAN;

    #[test]
    fn gaps_are_filled_from_the_past_or_on_a_line() {
        let gaps = [N, 1.0, N, N, 4.0, N];
        let mut forward = gaps;
        assert_eq!(fill_forward(&mut forward), 3);
        assert!(forward[0].is_nan() && forward[1..] == [1.0, 1.0, 1.0, 4.0, 4.0], "{forward:?}");
        let mut line = gaps;
        assert_eq!(interpolate(&mut line), 3);
        assert!(line[0].is_nan() && line[1..] == [1.0, 2.0, 3.0, 4.0, 4.0], "{line:?}");
        let mut none = [N, N];
        assert_eq!((fill_forward(&mut none), interpolate(&mut none)), (0, 0));
    }

    proptest! {
        #[test]
        fn what_is_there_stays_and_what_is_filled_lies_between(values in prop::collection::vec(prop::option::of(-9i8..9), 0..30)) {
            let gaps: Vec<f32> = values.iter().map(|value| value.map_or(N, f32::from)).collect();
            let (mut forward, mut line) = (gaps.clone(), gaps.clone());
            prop_assert_eq!(fill_forward(&mut forward), interpolate(&mut line));
            let first = values.iter().position(Option::is_some).unwrap_or(values.len());
            for (i, &value) in gaps.iter().enumerate() {
                prop_assert_eq!(forward[i].is_nan(), i < first);
                if !value.is_nan() {
                    prop_assert_eq!((forward[i], line[i]), (value, value));
                } else if i >= first {
                    let before = gaps[..i].iter().rfind(|v| !v.is_nan()).unwrap();
                    let after = gaps[i..].iter().find(|v| !v.is_nan()).unwrap_or(before);
                    prop_assert_eq!(forward[i], *before);
                    prop_assert!(line[i] >= before.min(*after) - 1e-6 && line[i] <= before.max(*after) + 1e-6);
                }
            }
        }
    }
}
