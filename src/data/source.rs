//! What all parts of a data set share: its rows, and where samples begin in them.

use super::{baselines::Baseline, dataset::SampleKind, reading::Reading, rows::Rows, samples::RowCounts};
use std::{ops::Range, path::PathBuf, sync::Arc};

/// What all parts of a data set share.
#[derive(Clone)]
pub(super) struct Source {
    pub kind: SampleKind,
    /// Rows from one window to the next; 1 for samples that are no windows.
    pub stride: usize,
    /// `[T, F]`, or `[F]` where a sample is a single row without a time axis; T is [`ANY_LENGTH`](crate::model::ANY_LENGTH) with `lengths`.
    pub input_shape: Vec<usize>,
    /// T: of the longest sample, or what all are padded to.
    pub steps: usize,
    /// `[O]`, `[T, O]`, or `[]` without targets.
    pub target_shape: Vec<usize>,
    /// `[R, F]`
    pub rows: Rows,
    /// `[S]`, ascending: every sample's first row.
    pub starts: Vec<u32>,
    /// `[S]`: every sample's own number of steps, where they are not all T.
    pub lengths: Option<Vec<u32>>,
    /// `[S, ..target_shape]`
    pub targets: Vec<f32>,
    /// Whether some rows are NaN all over, for the model to mask.
    pub masked: bool,
    /// `[F]`, or `[T · F]` where a sample is a row.
    pub columns: Vec<String>,
    /// The columns of the table that they come from.
    pub sources: Vec<String>,
    /// `[S]`: the line where every sample ends in its file, or its index in arrays.
    pub places: Vec<u32>,
    /// `[R]`: the line of every row of a table, unless these are whole samples; else empty.
    pub row_lines: Arc<Vec<u32>>,
    /// `[S]`: which file every sample comes from; empty where it is one.
    pub files: Vec<u32>,
    pub file_names: Arc<Vec<PathBuf>>,
    /// `[S]`: which series every sample belongs to, where several are told apart.
    pub groups: Option<Vec<u32>>,
    pub group_names: Arc<Vec<String>>,
    /// `[S]`: when every sample begins, and when its last target is, in milliseconds since 1970.
    pub times: Option<Vec<(i64, i64)>>,
    /// How many rows behind a window its last target stands.
    pub reach: usize,
    pub target_names: Vec<String>,
    pub classes: Option<Vec<String>>,
    pub labels: Option<Vec<[String; 2]>>,
    pub reading: Reading,
    pub counts: RowCounts,
    pub baselines: Vec<Baseline>,
}

impl Source {
    /// Samples that are no rows of a table, `[S]`.
    pub(super) fn of_series(samples: usize, columns: Vec<String>) -> Source {
        Source {
            kind: SampleKind::Series,
            stride: 1,
            input_shape: Vec::new(),
            steps: 0,
            target_shape: Vec::new(),
            rows: Vec::new().into(),
            starts: Vec::new(),
            lengths: None,
            targets: Vec::new(),
            masked: false,
            sources: columns.clone(),
            columns,
            places: (0..samples as u32).collect(),
            row_lines: Arc::default(),
            files: Vec::new(),
            file_names: Arc::default(),
            groups: None,
            group_names: Arc::default(),
            times: None,
            reach: 0,
            target_names: Vec::new(),
            classes: None,
            labels: None,
            reading: Reading::default(),
            counts: RowCounts::default(),
            baselines: Vec::new(),
        }
    }
}

/// Values for each sample of a source.
#[derive(Clone, Debug)]
pub(super) struct SampleArray {
    /// Without the sample axis.
    pub shape: Vec<usize>,
    /// `[S, ..shape]`
    pub values: Vec<f32>,
}

impl SampleArray {
    pub(super) fn size(&self) -> usize {
        self.shape.iter().product()
    }

    /// With zeros behind the steps that there are, up to so many; as it is where it has no steps.
    pub(super) fn lengthened(self, steps: usize) -> SampleArray {
        let [own, outputs] = self.shape[..] else { return self };
        let mut values = Vec::with_capacity(self.values.len() / own.max(1) * steps);
        for sample in self.values.chunks((own * outputs).max(1)) {
            values.extend_from_slice(sample);
            values.resize(values.len() + (steps - own) * outputs, 0.0);
        }
        SampleArray { shape: vec![steps, outputs], values }
    }

    pub(super) fn part(&self, samples: &Range<usize>) -> &[f32] {
        &self.values[samples.start * self.size()..samples.end * self.size()]
    }
}
