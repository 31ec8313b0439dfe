//! The values of samples, one sample after another, as a model takes them.

use super::{Dataset, rows::Rows};
use crate::Result;

/// Values of some samples.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// `[samples, T, F]`
    pub rows: Vec<f32>,
    /// `[samples, ..shape]` of each of [`Dataset::arrays`].
    pub arrays: Vec<Vec<f32>>,
}

impl Dataset {
    /// What belongs to each sample beside its rows: further inputs, targets, weights; each `[S, ..shape]`.
    pub(crate) fn arrays(&self) -> impl Iterator<Item = &[f32]> {
        self.more_inputs().chain(self.all_targets()).chain(self.sample_weights().map(|(weights, _)| weights))
    }

    /// Puts the values of these samples into `out`; behind a sample's own steps, and where the model is to mask them, its rows hold
    /// `padding`, `[F]`.
    pub(crate) fn gather(&self, samples: &[u32], padding: Option<&[f32]>, out: &mut Gathered) -> Result<()> {
        out.rows.clear();
        match &self.source.rows {
            Rows::InMemory(_) => samples.iter().for_each(|&i| self.add_rows(i as usize, padding, &mut out.rows)),
            Rows::InFile(file) => {
                file.gather(samples.iter().map(|&i| self.span(i as usize).start), &mut out.rows)?;
                if let Some(padding) = padding {
                    let masked = out.rows.chunks_mut(padding.len()).filter(|row| row[0].is_nan());
                    masked.for_each(|row| row.copy_from_slice(padding));
                }
            }
        }
        out.arrays.resize_with(self.arrays().count(), Vec::new);
        for (array, out) in self.arrays().zip(&mut out.arrays) {
            let size = array.len() / self.len();
            out.clear();
            samples.iter().for_each(|&i| out.extend_from_slice(&array[i as usize * size..][..size]));
        }
        Ok(())
    }

    /// The rows of all samples one after another, `[S, T, F]`, padded.
    pub(crate) fn padded_rows(&self, padding: &[f32]) -> Vec<f32> {
        let mut rows = Vec::with_capacity(self.len() * self.steps() * self.features());
        (0..self.len()).for_each(|i| self.add_rows(i, Some(padding), &mut rows));
        rows
    }

    fn add_rows(&self, sample: usize, padding: Option<&[f32]>, out: &mut Vec<f32>) {
        let (span, features) = (self.span(sample), self.features());
        let own = &self.rows()[span.start * features..span.end * features];
        let Some(padding) = padding else { return out.extend_from_slice(own) };
        let shown = own.chunks(features).map(|row| if row[0].is_nan() { padding } else { row });
        let behind = std::iter::repeat_n(padding, self.steps() - span.len());
        shown.chain(behind).for_each(|row| out.extend_from_slice(row));
    }
}
