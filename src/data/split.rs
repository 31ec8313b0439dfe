//! Cutting a data set in two.

use super::{Dataset, SampleKind, axis::on_calendar};
use crate::{Error, Result};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use std::ops::Range;

/// How a data set is cut in two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitBy {
    /// The first in time, and the last.
    Time,
    /// Whole series, drawn.
    Group,
    /// Samples, drawn.
    Random,
}

impl Dataset {
    /// Cuts in time order: the first `fraction` of the samples (rounded), and those of the rest that share no row with
    /// them. Windows that straddle the cut are dropped, so that nothing of the first part, its targets included, leaks into the
    /// second.
    ///
    /// Several series with a time axis are all cut at the same moment; without one each is cut by itself.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if `fraction` is not between 0 and 1, or a part would be empty.
    pub fn split_by_time(&self, fraction: f64) -> Result<(Dataset, Dataset)> {
        check_fraction("the part to train on", fraction)?;
        let (train, test) = match (self.times(), self.groups()) {
            (Some(times), _) => {
                let mut ends: Vec<i64> = times.iter().map(|&(_, end)| end).collect();
                let first = (ends.len() as f64 * fraction).round() as usize;
                ends.sort_unstable();
                parted_at(times, first.checked_sub(1).and_then(|last| ends.get(last)).copied().unwrap_or(i64::MIN))
            }
            (None, Some(groups)) if self.sample_kind() == SampleKind::Window => {
                let mut parts = (Vec::new(), Vec::new());
                for group in groups.chunk_by(|a, b| a == b) {
                    let begin = (group.as_ptr() as usize - groups.as_ptr() as usize) / size_of::<u32>();
                    self.cut_rows(begin..begin + group.len(), fraction, &mut parts);
                }
                parts
            }
            (None, _) => {
                let mut parts = (Vec::new(), Vec::new());
                self.cut_rows(0..self.len(), fraction, &mut parts);
                parts
            }
        };
        if train.is_empty() || test.is_empty() {
            return Err(Error::usage(format!(
                "cutting {} samples of {} steps at {fraction} leaves {} before the cut and {} after it that share no row. Use another fraction, a shorter window or more data",
                self.len(),
                self.steps(),
                train.len(),
                test.len(),
            )));
        }
        Ok((self.picked(&train), self.picked(&test)))
    }

    /// Cuts at a moment, in milliseconds since 1970: samples whose rows and targets all lie before it, and those whose rows all lie at
    /// or after it.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if the data have no time axis, or a part would be empty.
    pub fn split_at(&self, moment: i64) -> Result<(Dataset, Dataset)> {
        let Some(times) = self.times() else {
            return Err(Error::usage("a split at a moment needs a time axis. Name its column with `--time`"));
        };
        let (train, test) = parted_at(times, moment - 1);
        if train.is_empty() || test.is_empty() {
            return Err(Error::usage(format!(
                "a cut at {} leaves {} of {} samples before it and {} behind it. Choose a moment between {} and {}",
                on_calendar(moment),
                train.len(),
                self.len(),
                test.len(),
                on_calendar(times.iter().map(|&(begin, _)| begin).min().unwrap_or(0)),
                on_calendar(times.iter().map(|&(_, end)| end).max().unwrap_or(0)),
            )));
        }
        Ok((self.picked(&train), self.picked(&test)))
    }

    /// Cuts in one of these ways: `fraction` of the samples, or of the series, is trained on. Drawing depends on the seed alone, and
    /// keeps the shares of classes.
    ///
    /// # Errors
    ///
    /// As of [`split_by_time`](Dataset::split_by_time), [`split_by_group`](Dataset::split_by_group) and
    /// [`split_random`](Dataset::split_random).
    pub fn split(&self, by: SplitBy, fraction: f64, seed: u64) -> Result<(Dataset, Dataset)> {
        match by {
            SplitBy::Time => self.split_by_time(fraction),
            SplitBy::Group => self.split_by_group(fraction, seed),
            SplitBy::Random if self.classes().is_some() && self.target_shape().len() == 1 => {
                self.split_stratified(fraction, seed)
            }
            SplitBy::Random => self.split_random(fraction, seed),
        }
    }

    /// Draws `fraction` of the series (rounded, one at least on either side) to train on, and leaves the others whole to test on. The
    /// same seed draws the same series.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if `fraction` is not between 0 and 1, or the samples do not come from several series.
    pub fn split_by_group(&self, fraction: f64, seed: u64) -> Result<(Dataset, Dataset)> {
        check_fraction("the part to train on", fraction)?;
        let groups = self.groups().unwrap_or_default();
        let mut all = groups.to_vec();
        all.sort_unstable();
        all.dedup();
        if all.len() < 2 {
            return Err(Error::usage(format!(
                "a split by group needs samples of two groups or more, but there are {}. Name the column that tells them apart with `--group`",
                all.len()
            )));
        }
        all.shuffle(&mut rng(seed));
        let share = (all.len() as f64 * fraction).round() as usize;
        let train = &all[..share.clamp(1, all.len() - 1)];
        let (train, test) = (0..self.len()).partition::<Vec<_>, _>(|&i| train.contains(&groups[i]));
        Ok((self.picked(&train), self.picked(&test)))
    }

    /// Adds to `parts` the first `fraction` of these samples, and those that begin behind all rows of them and their targets.
    fn cut_rows(&self, samples: Range<usize>, fraction: f64, parts: &mut (Vec<usize>, Vec<usize>)) {
        let first = samples.start + (samples.len() as f64 * fraction).round() as usize;
        let last = first.checked_sub(1).filter(|last| samples.contains(last));
        let used = last.map_or(0, |last| self.span(last).end + self.source.reach);
        parts.0.extend(samples.start..first);
        let starts = self.starts();
        parts.1.extend((first..samples.end).filter(|&i| starts[i] as usize >= used));
    }

    /// When each sample begins, and when its last target is, in milliseconds since 1970, `[S]`, where that is known.
    pub fn times(&self) -> Option<&[(i64, i64)]> {
        self.source.times.as_deref().map(|times| &times[self.all()])
    }

    /// The number of the series of each sample, `[S]`, where several are told apart.
    pub fn groups(&self) -> Option<&[u32]> {
        self.source.groups.as_deref().map(|groups| &groups[self.all()])
    }

    /// The names of the series, in the order of their numbers.
    pub fn group_names(&self) -> &[String] {
        &self.source.group_names
    }

    /// The samples of these ascending indices; where they are consecutive without a copy of anything.
    fn picked(&self, samples: &[usize]) -> Dataset {
        match (samples.first(), samples.last()) {
            (Some(&first), Some(&last)) if last - first + 1 == samples.len() => self.part(first..last + 1),
            _ => self.pick(samples),
        }
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
        let Some(counts) = self.class_balance().filter(|_| self.target_shape().len() == 1) else {
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
        let same_series = |i: usize| self.groups().is_none_or(|groups| groups[i] == groups[i + 1]);
        let overlaps = |(i, (span, &next)): (usize, (Range<usize>, &u32))| {
            (next as usize) < span.end + self.source.reach && same_series(i)
        };
        if self.spans().zip(self.starts().iter().skip(1)).enumerate().any(overlaps) {
            return Err(Error::usage(format!(
                "windows of {} rows that start every {} overlap, so a random split would test on rows that were trained on. Split by time, or use a stride of {} or more",
                self.steps(),
                self.stride(),
                self.steps() + self.source.reach,
            )));
        }
        let stratified = groups.len() > 1;
        let mut rng = rng(seed);
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

fn rng(seed: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(SPLIT_STREAM);
    rng
}

/// The samples whose last target is not later than `last`, and those that begin later.
fn parted_at(times: &[(i64, i64)], last: i64) -> (Vec<usize>, Vec<usize>) {
    let all = || times.iter().enumerate();
    let train = all().filter(|(_, (_, end))| *end <= last).map(|(i, _)| i).collect();
    (train, all().filter(|(_, (begin, _))| *begin > last).map(|(i, _)| i).collect())
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
mod tests;
