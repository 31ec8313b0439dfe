//! Targets of every row of a sample, and which of them count.

use super::{
    dataset::Dataset,
    reading::{Reading, TargetOf},
    source::{SampleArray, Source},
};
use crate::{Error, Result};
use std::{ops::Range, sync::Arc};

/// The targets of rows.
pub(super) struct RowTargets<'a> {
    /// `[R]` for each target, NaN where it is missing.
    pub labels: &'a [Vec<f32>],
    /// `[R]`: whether a model sees nothing of it.
    pub masked: &'a [bool],
}

impl RowTargets<'_> {
    /// Whether a row's targets are all there, and the model sees the row.
    pub fn count(&self, row: usize) -> bool {
        !self.masked[row] && self.labels.iter().all(|labels| !labels[row].is_nan())
    }

    /// `[S, T, 1]` of each target; several labels are one array, `[S, T, labels]`. 0 where there is none.
    pub fn arrays(&self, samples: &[Range<usize>], are_labels: bool) -> Vec<SampleArray> {
        let steps = longest(samples);
        let at = |labels: &[f32], row: Option<usize>| row.map_or(0.0, |row| labels[row]);
        let known = |value: f32| if value.is_nan() { 0.0 } else { value };
        if are_labels {
            let values = stepped(samples, steps).flat_map(|row| self.labels.iter().map(move |of| known(at(of, row))));
            return vec![SampleArray { shape: vec![steps, self.labels.len()], values: values.collect() }];
        }
        let array = |of: &Vec<f32>| SampleArray {
            shape: vec![steps, 1],
            values: stepped(samples, steps).map(|row| known(at(of, row))).collect(),
        };
        self.labels.iter().map(array).collect()
    }

    /// `[S, T, 1]`: 1 where a step counts, else 0; none where all do.
    pub fn weights(&self, samples: &[Range<usize>], new_from: &[usize]) -> Option<SampleArray> {
        if self.labels.is_empty() {
            return None;
        }
        let steps = longest(samples);
        let firsts = new_from.iter().flat_map(|&first| std::iter::repeat_n(first, steps));
        let counts = |row: usize, first: usize| row >= first && self.count(row);
        let weights = stepped(samples, steps).zip(firsts).map(|(row, first)| row.is_some_and(|row| counts(row, first)));
        let values: Vec<f32> = weights.map(|counts| f32::from(u8::from(counts))).collect();
        values.contains(&0.0).then_some(SampleArray { shape: vec![steps, 1], values })
    }
}

/// T of the longest.
fn longest(samples: &[Range<usize>]) -> usize {
    samples.iter().map(Range::len).max().unwrap_or(0)
}

/// The row of each step of each sample, `[S · T]`; none behind the ends of shorter ones.
fn stepped(samples: &[Range<usize>], steps: usize) -> impl Iterator<Item = Option<usize>> + '_ {
    samples.iter().flat_map(move |rows| {
        let behind = std::iter::repeat_n(None, steps - rows.len());
        rows.clone().map(Some).chain(behind)
    })
}

impl Dataset {
    /// Whether every row of a sample has a target of its own, by how its table was read
    /// ([`TableOptions::return_sequences`](super::TableOptions::return_sequences)).
    pub fn has_targets_of_rows(&self) -> bool {
        self.source.reading.target_of == TargetOf::EveryRow
    }

    /// The lines of a sample's rows in its file, `[its length]`, of a table whose rows are moments; and how many
    /// rows at its front stand in the sample before it too.
    pub fn row_lines(&self, sample: usize) -> Option<(&[u32], usize)> {
        if sample >= self.len() {
            return None;
        }
        let span = self.span(sample);
        let before = sample.checked_sub(1).map_or(0, |before| self.span(before).end);
        let shared = before.saturating_sub(span.start).min(span.len());
        Some((self.source.row_lines.get(span)?, shared))
    }

    /// The line in its file of the last row that each sample tells of, `[S]`: of a forecast that of its last target, else
    /// that of its own last row.
    pub fn last_judged_rows(&self) -> impl ExactSizeIterator<Item = u64> + '_ {
        let reach = self.source.reach;
        let judged = move |sample: usize| self.source.row_lines.get(self.span(sample).end - 1 + reach).copied();
        self.last_rows().enumerate().map(move |(sample, last)| match reach {
            0 => last,
            _ => judged(sample).map_or(last, u64::from),
        })
    }

    /// The same samples with their own rows as the target, scaled.
    pub(crate) fn with_own_rows_as_target(mut self, mean: &[f64], deviation: &[f64]) -> Result<Dataset> {
        let features = self.features();
        let cannot = [
            ("have targets", self.has_targets()),
            ("have unequal lengths", self.lengths().is_some()),
            ("have no time axis", self.input_shape().len() != 2),
            ("lack values that the model masks", self.has_masked_rows()),
            ("stay in a file (`--host-memory`)", self.is_in_file()),
        ];
        if let Some((what, _)) = cannot.iter().find(|(_, is)| *is) {
            return Err(Error::usage(format!("the samples {what}, so they are nothing that a model can give back")));
        }
        let scaled = |(i, x): (usize, &f32)| ((f64::from(*x) - mean[i % features]) / deviation[i % features]) as f32;
        let all = Dataset { samples: 0..self.source.starts.len(), ..self.clone() };
        let rows: Vec<f32> = self.rows().iter().enumerate().map(scaled).collect();
        let targets = all.spans().flat_map(|span| rows[span.start * features..span.end * features].iter().copied());
        let targets: Vec<f32> = targets.collect();
        let reading = Reading { target_of: TargetOf::Input, ..self.source.reading.clone() };
        let source = Source { target_shape: self.input_shape().to_vec(), targets, reading, ..(*self.source).clone() };
        self.source = Arc::new(source);
        Ok(self)
    }

    /// Whether each step of sequences of targets counts, `[S · T]`: it is not behind its sample's end, not masked for
    /// its missing values, and its weight is not 0. None where a sample has one target.
    pub fn counted_steps(&self) -> Option<Vec<bool>> {
        let [steps, _] = *self.target_shape() else { return None };
        let weights = self.sample_weights().and_then(|(weights, per_step)| per_step.map(|_| weights));
        let (rows, features) = (self.rows(), self.features());
        let masked = |row: usize| self.has_masked_rows() && rows[row * features].is_nan();
        // A decoder's sequences are as long as they are, not as those that the model takes.
        let own = |sample: usize| if steps == self.steps() { self.span(sample) } else { 0..0 };
        let counts = |sample: usize, step: usize| {
            let (span, weight) = (own(sample), weights.map_or(1.0, |weights| weights[sample * steps + step]));
            weight != 0.0 && (span.is_empty() || (step < span.len() && !masked(span.start + step)))
        };
        Some(
            (0..self.len())
                .flat_map(|sample| (0..steps).map(move |step| (sample, step)))
                .map(|(a, b)| counts(a, b))
                .collect(),
        )
    }
}
