//! Cutting a data set in two.

use super::Dataset;
use crate::{Error, Result};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

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
        let last_used = self.spans().nth(first.wrapping_sub(1)).map_or(0, |span| span.end);
        let rest = first_disjoint(self.starts(), last_used);
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

    /// Draws `fraction` of the samples (rounded) to train on, and leaves the rest to test on; both keep the order of the
    /// samples. The same seed draws the same samples.
    ///
    /// For samples that stand for themselves; windows of one series that overlap would put rows of one part into the other.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if samples share rows, `fraction` is not between 0 and 1, or a part would be empty.
    pub fn split_random(&self, fraction: f64, seed: u64) -> Result<(Dataset, Dataset)> {
        self.draw(fraction, seed, vec![(0..self.len()).collect()])
    }

    /// The same, but drawn from each class by itself, so that both parts hold the classes in nearly the same shares: of each
    /// class `fraction` (rounded) goes to train on; a class of two samples or more has one in either part at least, and a
    /// class of a single one is trained on.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] as of [`split_random`](Dataset::split_random), and if the targets are no classes.
    pub fn split_stratified(&self, fraction: f64, seed: u64) -> Result<(Dataset, Dataset)> {
        let Some(counts) = self.class_balance() else {
            return Err(Error::usage(
                "a stratified split needs a target of classes. Use `split_random`, or read the target as classes",
            ));
        };
        let mut of_class: Vec<Vec<usize>> = counts.iter().map(|&count| Vec::with_capacity(count)).collect();
        self.targets().iter().enumerate().for_each(|(i, &class)| of_class[class as usize].push(i));
        self.draw(fraction, seed, of_class)
    }

    /// Draws `fraction` of the samples of each group.
    fn draw(&self, fraction: f64, seed: u64, groups: Vec<Vec<usize>>) -> Result<(Dataset, Dataset)> {
        check_fraction("the part to train on", fraction)?;
        let overlap = self.spans().zip(self.starts().iter().skip(1)).any(|(span, &next)| (next as usize) < span.end);
        if overlap {
            return Err(Error::usage(format!(
                "windows of {} rows that start every {} overlap, so a random split would test on rows that were trained on. Use `split_by_time`, or a stride of {0} or more",
                self.steps(),
                self.stride(),
            )));
        }
        let stratified = groups.len() > 1;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(SPLIT_STREAM);
        let (mut train, mut test) = (Vec::new(), Vec::new());
        for mut group in groups {
            group.shuffle(&mut rng);
            let rounded = (group.len() as f64 * fraction).round() as usize;
            let share = if stratified { rounded.min(group.len().saturating_sub(1)).max(1) } else { rounded };
            let share = share.min(group.len());
            train.extend_from_slice(&group[..share]);
            test.extend_from_slice(&group[share..]);
        }
        if train.is_empty() || test.is_empty() {
            return Err(Error::usage(format!(
                "splitting {} samples at {fraction} leaves {} to train on and {} to test on. Use another fraction or more data",
                self.len(),
                train.len(),
                test.len(),
            )));
        }
        train.sort_unstable();
        test.sort_unstable();
        Ok((self.pick(&train), self.pick(&test)))
    }
}

/// Of the seeded generator; apart from those of the first weights and the shuffling.
const SPLIT_STREAM: u64 = 1 << 49;

/// The first of the samples at `starts` (ascending) that begins after the first `rows` rows.
fn first_disjoint(starts: &[u32], rows: usize) -> usize {
    starts.partition_point(|&start| (start as usize) < rows)
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
            let last_used = windows.last_row(starts[samples - 1]);
            let rest = first_disjoint(&starts, last_used + 1);
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

    /// 100 samples of two steps, numbered by their first value; class 0, 1, 2 for 60, 38 and 2 of them, sorted by class.
    fn sorted_by_class() -> Dataset {
        let x = (0..200).map(|i| i as f32).collect();
        let y = (0..100)
            .map(|i| {
                if i < 60 {
                    0.0
                } else if i < 98 {
                    1.0
                } else {
                    2.0
                }
            })
            .collect();
        Dataset::from_arrays(x, &[100, 2, 1], y, &[100]).unwrap()
    }

    /// Every sample is in one part, with its own target and rows, in the old order.
    fn assert_parted(data: &Dataset, (train, test): &(Dataset, Dataset)) {
        let mut starts = [train.starts(), test.starts()].concat();
        assert!(train.starts().is_sorted() && test.starts().is_sorted());
        starts.sort_unstable();
        assert_eq!(starts, data.starts());
        for part in [train, test] {
            for (i, index) in part.last_rows().enumerate() {
                assert_eq!(part.sample(i), data.sample(index as usize));
            }
            assert!(std::ptr::eq(part.rows(), data.rows()), "the rows are not copied");
        }
    }

    #[test]
    fn a_random_split_parts_all_samples_and_depends_on_the_seed_alone() {
        let data = sorted_by_class();
        let parts = data.split_random(0.75, 3).unwrap();
        assert_eq!((parts.0.len(), parts.1.len()), (75, 25));
        assert_parted(&data, &parts);
        assert_eq!(data.split_random(0.75, 3).unwrap().1.starts(), parts.1.starts());
        assert_ne!(data.split_random(0.75, 4).unwrap().1.starts(), parts.1.starts());
        let halves = parts.1.split_random(0.5, 3).unwrap();
        assert_eq!((halves.0.len(), halves.1.len()), (13, 12));
        assert!(halves.0.last_rows().all(|index| parts.1.last_rows().any(|other| other == index)));
    }

    #[test]
    fn a_stratified_split_keeps_the_shares_of_the_classes() {
        let data = sorted_by_class();
        let parts = data.split_stratified(0.8, 1).unwrap();
        assert_parted(&data, &parts);
        assert_eq!(parts.0.class_balance(), Some(vec![48, 30, 1]));
        assert_eq!(parts.1.class_balance(), Some(vec![12, 8, 1]));
        assert_eq!(data.split_stratified(0.8, 1).unwrap().0.starts(), parts.0.starts());
        assert_ne!(data.split_stratified(0.8, 2).unwrap().0.starts(), parts.0.starts());
        let rare = data.split_stratified(0.999, 1).unwrap();
        assert_eq!(rare.1.class_balance(), Some(vec![1, 1, 1]), "every class is tested");
        let single = Dataset::from_arrays(vec![0.0; 4], &[4, 1], vec![0.0, 1.0, 1.0, 1.0], &[4]).unwrap();
        assert_eq!(single.split_stratified(0.3, 1).unwrap().0.class_balance(), Some(vec![1, 1]), "of one sample");
    }

    #[test]
    fn further_inputs_and_targets_go_with_their_samples() {
        let data = sorted_by_class();
        let numbers = |factor: f32| (0..100).map(|i| i as f32 * factor).collect::<Vec<_>>();
        let data = data.with_input(numbers(2.0), &[100, 1]).unwrap().with_target(numbers(3.0), &[100, 1]).unwrap();
        let (_, test) = data.split_stratified(0.8, 1).unwrap();
        let indices: Vec<f32> = test.last_rows().map(|index| index as f32).collect();
        let times = |factor: f32| indices.iter().map(|i| i * factor).collect::<Vec<_>>();
        assert_eq!(test.more_inputs().collect::<Vec<_>>(), [times(2.0)]);
        assert_eq!(test.all_targets().nth(1), Some(&times(3.0)[..]));
    }

    #[test]
    fn a_random_split_that_would_leak_or_has_no_classes_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        std::fs::write(&path, "a,y\n1,0\n2,1\n3,0\n4,1\n5,0\n").unwrap();
        let windows = Dataset::csv(&path).target("y").window(2).load().unwrap();
        for split in [windows.split_random(0.5, 0), windows.split_stratified(0.5, 0)] {
            let message = split.unwrap_err().to_string();
            assert!(message.contains("windows of 2 rows that start every 1 overlap"), "{message}");
            assert!(message.contains("split_by_time") && message.contains("stride of 2"), "{message}");
        }
        let apart = Dataset::csv(&path).target("y").window(2).stride(2).load().unwrap();
        assert_eq!(apart.split_random(0.5, 0).unwrap().0.len(), 1);
        let numbers = Dataset::from_arrays(vec![0.0; 2], &[2, 1], vec![0.5, 1.5], &[2]).unwrap();
        let message = numbers.split_stratified(0.5, 0).unwrap_err().to_string();
        assert!(message.contains("needs a target of classes"), "{message}");
        let message = numbers.split_random(0.9, 0).unwrap_err().to_string();
        assert!(message.contains("leaves 2 to train on and 0 to test on"), "{message}");
    }

    #[test]
    fn a_split_that_leaves_nothing_is_an_error() {
        let data = five();
        for fraction in [0.0, 1.0, -0.5, f64::NAN] {
            let message = data.split_by_time(fraction).unwrap_err().to_string();
            assert!(message.contains("between 0 and 1"), "{message}");
            assert!(data.validation_split(fraction).is_err());
            assert!(data.split_random(fraction, 0).is_err() && data.split_stratified(fraction, 0).is_err());
        }
        let message = data.split_by_time(0.05).unwrap_err().to_string();
        assert!(message.contains("0 before the cut") && message.contains("Use another fraction"), "{message}");
        let message = data.validation_split(0.9).unwrap_err().to_string();
        assert!(message.contains("leaves 0 to train on and 5 to validate"), "{message}");
    }
}
