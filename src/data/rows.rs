//! Where the rows of samples are: in memory, or in a file that is larger.

use super::{missing::clean, npy_numbers::NumberFile, reading::Missing};
use crate::Result;
use std::{ops::Range, sync::Arc};

/// Values of a block that is read to be looked through.
const BLOCK: usize = 1 << 18;

/// The rows of a source, `[R, F]`.
#[derive(Clone)]
pub(super) enum Rows {
    InMemory(Arc<Vec<f32>>),
    InFile(Arc<FileRows>),
}

impl From<Vec<f32>> for Rows {
    fn from(rows: Vec<f32>) -> Self {
        Rows::InMemory(Arc::new(rows))
    }
}

impl Rows {
    /// Those in memory.
    pub fn in_memory(&self) -> &[f32] {
        match self {
            Rows::InMemory(rows) => rows,
            Rows::InFile(_) => &[],
        }
    }

    /// Hands over rows of width `features`, part by part: those of these ranges, which are of whole samples and ascending.
    pub fn visit(&self, ranges: &[Range<usize>], features: usize, mut see: impl FnMut(&[f32])) -> Result<()> {
        match self {
            Rows::InMemory(rows) => {
                ranges.iter().for_each(|range| see(&rows[range.start * features..range.end * features]));
                Ok(())
            }
            Rows::InFile(file) => ranges.iter().try_for_each(|range| {
                file.visit(range, |_, block| {
                    see(block);
                    Ok(())
                })
            }),
        }
    }
}

/// Samples of equal length in a file, of which some are read at a time: series of their own, or windows over the rows of a table.
pub(super) struct FileRows {
    numbers: NumberFile,
    steps: usize,
    channels: usize,
    /// What becomes of missing values, where there are some.
    missing: Option<Missing>,
}

impl FileRows {
    /// Series of an array `[S, T, channels]` whose missing values were not looked at yet.
    pub fn new(numbers: NumberFile, steps: usize, channels: usize) -> Self {
        FileRows { numbers, steps, channels, missing: None }
    }

    /// The same, with this done about missing values.
    pub fn cleaned(self, missing: Option<Missing>) -> Rows {
        Rows::InFile(Arc::new(FileRows { missing, ..self }))
    }

    /// Values of a sample.
    fn size(&self) -> usize {
        self.steps * self.channels
    }

    /// Reads whole samples from `row` on.
    fn read(&self, row: usize, out: &mut [f32]) -> Result<()> {
        self.numbers.read(row * self.channels, out)?;
        if let Some(missing) = self.missing {
            out.chunks_mut(self.size()).for_each(|values| {
                clean(missing, values, self.channels);
            });
        }
        Ok(())
    }

    /// Hands over each sample by its number.
    pub fn visit_samples(&self, mut see: impl FnMut(usize, &mut [f32]) -> Result<()>) -> Result<()> {
        let all = 0..self.numbers.shape[0] * self.steps;
        self.visit(&all, |row, block| {
            let samples = (row / self.steps..).zip(block.chunks_mut(self.size()));
            samples.into_iter().try_for_each(|(i, values)| see(i, values))
        })
    }

    /// Hands over the rows of a range, some samples at a time, each with the number of the first row.
    fn visit(&self, rows: &Range<usize>, mut see: impl FnMut(usize, &mut [f32]) -> Result<()>) -> Result<()> {
        let at_once = (BLOCK / self.size()).max(1) * self.steps;
        let mut block = Vec::new();
        for first in rows.clone().step_by(at_once) {
            block.resize((rows.end - first).min(at_once) * self.channels, 0.0);
            self.read(first, &mut block)?;
            see(first, &mut block)?;
        }
        Ok(())
    }

    /// Puts samples, given by their first rows, one after another into `out`. They are read in the order of the file.
    pub fn gather(&self, starts: impl Iterator<Item = usize>, out: &mut Vec<f32>) -> Result<()> {
        let (size, most) = (self.size(), (BLOCK / self.size()).max(1));
        let mut places: Vec<(usize, usize)> = starts.enumerate().map(|(at, start)| (start, at)).collect();
        places.sort_unstable();
        out.resize(places.len() * size, 0.0);
        let mut block = Vec::new();
        let neighbours = places.chunk_by(|a, b| b.0 == a.0 + self.steps).flat_map(|run| run.chunks(most));
        for run in neighbours {
            block.resize(run.len() * size, 0.0);
            self.read(run[0].0, &mut block)?;
            for (&(_, at), values) in run.iter().zip(block.chunks(size)) {
                out[at * size..(at + 1) * size].copy_from_slice(values);
            }
        }
        Ok(())
    }
}
