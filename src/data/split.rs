//! Cutting a data set in two.

use super::Dataset;
use crate::{Error, Result};

impl Dataset {
    /// Cuts in time order: the first `fraction` of the samples (rounded), and those of the rest that share no row with
    /// them. Windows that straddle the cut are dropped, so that nothing of the first part leaks into the second.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if `fraction` is not between 0 and 1, or a part would be empty.
    pub fn split_by_time(&self, fraction: f64) -> Result<(Dataset, Dataset)> {
        check_fraction("the part to train on", fraction)?;
        let first = (self.len() as f64 * fraction).round() as usize;
        let rest = if first == 0 { 0 } else { first_disjoint(self.starts(), self.steps(), first) };
        if first == 0 || rest == self.len() {
            return Err(Error::usage(format!(
                "cutting {} samples of {} steps at {fraction} leaves {first} before the cut and {} after it that share no row. Use another fraction, a shorter window or more data",
                self.len(),
                self.steps(),
                self.len() - rest,
            )));
        }
        Ok((self.part(0..first), self.part(rest..self.len())))
    }

    /// Keras's `validation_split`: the last `fraction` of the samples, without a shuffle and without dropping any, so that
    /// ⌊S · (1 − fraction)⌋ are left to train on. The training samples come first in the pair.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if `fraction` is not between 0 and 1, or a part would be empty.
    pub fn validation_split(&self, fraction: f64) -> Result<(Dataset, Dataset)> {
        check_fraction("the validation split", fraction)?;
        let split_at = keras_split_at(self.len(), fraction);
        if split_at == 0 || split_at == self.len() {
            return Err(Error::usage(format!(
                "a validation split of {fraction} of {} samples leaves {split_at} to train on and {} to validate with. Use another fraction or more data",
                self.len(),
                self.len() - split_at,
            )));
        }
        Ok((self.part(0..split_at), self.part(split_at..self.len())))
    }
}

/// The first sample after the first `samples` that shares no row with any of them.
///
/// `starts` is ascending and every window has `length` rows; `samples` is at least 1 and at most `starts.len()`.
fn first_disjoint(starts: &[u32], length: usize, samples: usize) -> usize {
    let cut = starts[samples - 1] as usize + length;
    starts.partition_point(|&start| (start as usize) < cut)
}

/// Keras's `validation_split`: how many of `samples` are trained on, the rest being for validation.
fn keras_split_at(samples: usize, fraction: f64) -> usize {
    (samples as f64 * (1.0 - fraction)).floor() as usize
}

fn check_fraction(name: &str, fraction: f64) -> Result<()> {
    if fraction > 0.0 && fraction < 1.0 {
        return Ok(());
    }
    Err(Error::usage(format!("{name} is {fraction}. Give a fraction between 0 and 1, such as 0.2")))
}

#[cfg(test)]
mod tests {
    use super::{super::window::Windows, *};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_cut_drops_exactly_the_windows_that_straddle_it(rows in 1usize..300, length in 1usize..40, stride in 1usize..20, at in 0.0f64..1.0) {
            let windows = Windows { length, stride };
            let starts = windows.starts(rows);
            prop_assume!(!starts.is_empty());
            let samples = 1 + (at * (starts.len() - 1) as f64) as usize;
            let rest = first_disjoint(&starts, length, samples);
            let last_used = windows.last_row(starts[samples - 1]);
            prop_assert!(rest >= samples);
            prop_assert!(starts[rest..].iter().all(|&s| s as usize > last_used));
            prop_assert!(starts[samples..rest].iter().all(|&s| s as usize <= last_used));
        }
    }

    #[test]
    fn validation_split_rounds_as_keras_does() {
        assert_eq!(keras_split_at(10, 0.2), 8);
        assert_eq!(keras_split_at(11, 0.2), 8); // 8.8
        assert_eq!(keras_split_at(10, 0.9), 0); // 1 - 0.9 is a little below 0.1 in f64
        assert_eq!(keras_split_at(8134, 0.2), 6507);
    }

    /// Five samples of two steps of three features, counted up from 0.
    fn five() -> Dataset {
        let x = (0..30).map(|i| i as f32).collect();
        Dataset::from_arrays(x, &[5, 2, 3], vec![0.0, 1.0, 1.0, 0.0, 1.0], &[5, 1]).unwrap()
    }

    #[test]
    fn parts_share_the_rows_and_can_be_cut_again() {
        let data = five();
        let (train, test) = data.split_by_time(0.6).unwrap();
        assert_eq!((train.len(), test.len()), (3, 2));
        assert!(std::ptr::eq(data.rows(), test.rows()));
        assert_eq!(test.starts(), [6, 8]);
        assert_eq!(test.targets(), [0.0, 1.0]);
        let (_, last) = test.split_by_time(0.5).unwrap();
        assert_eq!((last.starts(), last.targets()), (&[8][..], &[1.0][..]));
        assert_eq!(last.sample(0), data.sample(4));
        assert_eq!(last.last_rows().collect::<Vec<_>>(), [4]);
    }

    #[test]
    fn a_split_that_leaves_nothing_is_an_error() {
        let data = five();
        for fraction in [0.0, 1.0, -0.5, f64::NAN] {
            let message = data.split_by_time(fraction).unwrap_err().to_string();
            assert!(message.contains("between 0 and 1"), "{message}");
            assert!(data.validation_split(fraction).is_err());
        }
        let message = data.split_by_time(0.05).unwrap_err().to_string();
        assert!(message.contains("0 before the cut") && message.contains("Use another fraction"), "{message}");
        let message = data.validation_split(0.9).unwrap_err().to_string();
        assert!(message.contains("leaves 0 to train on and 5 to validate"), "{message}");
    }
}
