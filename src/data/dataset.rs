//! Sequences and targets in host memory.

use super::csv::CsvOptions;
use crate::{Error, Result};
use std::{fmt, ops::Range, path::Path, sync::Arc};

/// Sequences and their targets in host memory.
///
/// The rows are kept once; a sample is a start offset into them, never a copy. Clones and splits share the rows, so both
/// are cheap. S is the number of samples, T of steps, F of features, R of rows.
#[derive(Clone)]
pub struct Dataset {
    source: Arc<Source>,
    /// The samples of `source` that this data set has.
    samples: Range<usize>,
    /// Inputs behind the first, for models with several.
    more_inputs: Arc<Vec<SampleArray>>,
    /// Targets behind the first.
    more_targets: Arc<Vec<SampleArray>>,
}

/// Values for each sample of a source.
#[derive(Clone)]
struct SampleArray {
    /// Without the sample axis.
    shape: Vec<usize>,
    /// `[S, ..shape]`
    values: Vec<f32>,
}

impl SampleArray {
    fn part(&self, samples: &Range<usize>) -> &[f32] {
        let size: usize = self.shape.iter().product();
        &self.values[samples.start * size..samples.end * size]
    }
}

/// What all splits of a data set share.
pub(super) struct Source {
    /// `[T, F]`, or `[F]` where a sample is a single row without a time axis.
    pub input_shape: Vec<usize>,
    /// `[O]`, `[T, O]`, or `[]` without targets.
    pub target_shape: Vec<usize>,
    /// T
    pub steps: usize,
    /// `[R, F]`
    pub rows: Vec<f32>,
    /// `[S]`, ascending: every sample's first row.
    pub starts: Vec<u32>,
    /// `[S, ..target_shape]`
    pub targets: Vec<f32>,
    /// `[F]`
    pub columns: Vec<String>,
    /// `[R]`: the line of every row in its file.
    pub lines: Option<Vec<u32>>,
    pub target_name: Option<String>,
    pub classes: Option<Vec<String>>,
}

impl Dataset {
    /// Starts reading a CSV file: `Dataset::csv("room.csv").target("Occupancy").window(10).load()?`.
    pub fn csv(path: impl AsRef<Path>) -> CsvOptions {
        CsvOptions::new(path.as_ref())
    }

    /// Samples given whole: `x` is `[S, T, F]` or `[S, F]` in C order; `y` is `[S, O]` or `[S, T, O]`, and `[S]` is
    /// taken as `[S, 1]`. Without targets both `y` and `y_shape` are empty.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if a shape does not fit its values or the other shape, if there is no sample, if a value is not
    /// finite, or if there are more rows than u32 counts.
    pub fn from_arrays(x: Vec<f32>, x_shape: &[usize], y: Vec<f32>, y_shape: &[usize]) -> Result<Dataset> {
        let (samples, steps, features) = match *x_shape {
            [samples, steps, features] => (samples, steps, features),
            [samples, features] => (samples, 1, features),
            _ => {
                let message =
                    format!("x has the shape {x_shape:?}. Give [samples, steps, features] or [samples, features]");
                return Err(Error::usage(message));
            }
        };
        check_values("x", &x, x_shape)?;
        let target_shape = target_shape(x_shape, y_shape)?;
        if !target_shape.is_empty() {
            check_values("y", &y, y_shape)?;
        } else if !y.is_empty() {
            return Err(Error::usage(format!(
                "y holds {} values but has no shape. Give [{samples}, outputs]",
                y.len()
            )));
        }
        if samples.checked_mul(steps).is_none_or(|rows| u32::try_from(rows).is_err()) {
            let message =
                format!("{samples} samples of {steps} steps are more than {} rows. Use fewer samples", u32::MAX);
            return Err(Error::usage(message));
        }
        Ok(Dataset::new(Source {
            input_shape: x_shape[1..].to_vec(),
            target_shape,
            steps,
            rows: x,
            starts: (0..samples).map(|i| (i * steps) as u32).collect(),
            targets: y,
            columns: (0..features).map(|i| format!("x{i}")).collect(),
            lines: None,
            target_name: None,
            classes: None,
        }))
    }

    pub(super) fn new(source: Source) -> Dataset {
        let samples = 0..source.starts.len();
        Dataset { samples, source: Arc::new(source), more_inputs: Arc::default(), more_targets: Arc::default() }
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there are no samples; never so for a data set that was loaded or split.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// The shape of a sample without the batch axis: `[T, F]`, or `[F]`. From a file it is always `[T, F]`.
    pub fn input_shape(&self) -> &[usize] {
        &self.source.input_shape
    }

    /// The shape of a target without the batch axis: `[O]` or `[T, O]`; `[]` when there are no targets.
    pub fn target_shape(&self) -> &[usize] {
        &self.source.target_shape
    }

    /// Whether every sample has a target.
    pub fn has_targets(&self) -> bool {
        !self.source.target_shape.is_empty()
    }

    /// The resident rows, `[R, F]`. Splits share them: some may belong to no sample of this data set.
    pub fn rows(&self) -> &[f32] {
        &self.source.rows
    }

    /// The first row of each sample in [`rows`](Dataset::rows), ascending, `[S]`.
    pub fn starts(&self) -> &[u32] {
        &self.source.starts[self.samples.clone()]
    }

    /// The targets, `[S, ..target_shape]`; empty when there are none. Of two classes they are 0 and 1.
    pub fn targets(&self) -> &[f32] {
        let size = self.target_size();
        &self.source.targets[self.samples.start * size..self.samples.end * size]
    }

    /// Adds an input behind those there are, for a model with several: `[S, T, F]` or `[S, F]` in C order, in the order of the
    /// samples.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if a shape does not fit its values or the samples, a value is not finite, or this is a part of a data set.
    pub fn with_input(mut self, values: Vec<f32>, shape: &[usize]) -> Result<Dataset> {
        let array = self.sample_array("the further input", values, shape)?;
        Arc::make_mut(&mut self.more_inputs).push(array);
        Ok(self)
    }

    /// Adds a target behind those there are, for a model with several outputs: `[S, O]` or `[S, T, O]`.
    ///
    /// # Errors
    ///
    /// As of [`Dataset::with_input`], and if there is no first target.
    pub fn with_target(mut self, values: Vec<f32>, shape: &[usize]) -> Result<Dataset> {
        if !self.has_targets() {
            return Err(Error::usage("a further target needs a first one"));
        }
        let array = self.sample_array("the further target", values, shape)?;
        Arc::make_mut(&mut self.more_targets).push(array);
        Ok(self)
    }

    fn sample_array(&self, name: &str, values: Vec<f32>, shape: &[usize]) -> Result<SampleArray> {
        check_values(name, &values, shape)?;
        let whole = self.source.starts.len();
        if !(2..=3).contains(&shape.len()) || shape[0] != whole || self.len() != whole {
            return Err(Error::usage(format!(
                "{name} has the shape {shape:?}. Give [{whole}, features] or [{whole}, steps, features], before the data set is split"
            )));
        }
        Ok(SampleArray { shape: shape[1..].to_vec(), values })
    }

    /// The shapes of all inputs without the batch axis.
    pub fn input_shapes(&self) -> Vec<&[usize]> {
        std::iter::once(self.input_shape()).chain(self.more_inputs.iter().map(|array| &array.shape[..])).collect()
    }

    /// The shapes of all targets without the batch axis; none where there are no targets.
    pub fn target_shapes(&self) -> Vec<&[usize]> {
        let first = self.has_targets().then(|| self.target_shape());
        first.into_iter().chain(self.more_targets.iter().map(|array| &array.shape[..])).collect()
    }

    /// The inputs behind the first, each `[S, ..shape]`.
    pub fn more_inputs(&self) -> impl Iterator<Item = &[f32]> {
        self.more_inputs.iter().map(|array| array.part(&self.samples))
    }

    /// All targets, each `[S, ..shape]`.
    pub fn all_targets(&self) -> impl Iterator<Item = &[f32]> {
        let first = self.has_targets().then(|| self.targets());
        first.into_iter().chain(self.more_targets.iter().map(|array| array.part(&self.samples)))
    }

    /// T, the number of steps of a sample; 1 for samples without a time axis.
    pub fn steps(&self) -> usize {
        self.source.steps
    }

    /// F, the number of features of a row.
    pub fn features(&self) -> usize {
        self.source.columns.len()
    }

    /// The names of the features, `[F]`; `x0`, `x1`, ... for arrays.
    pub fn columns(&self) -> &[String] {
        &self.source.columns
    }

    /// The name of the target's column, if it came from a file.
    pub fn target_name(&self) -> Option<&str> {
        self.source.target_name.as_deref()
    }

    /// The names of the classes 0 and 1, such as `["0", "1"]` or `["no", "yes"]`, if the target is a column of two
    /// classes.
    pub fn classes(&self) -> Option<&[String]> {
        self.source.classes.as_deref()
    }

    /// Where each sample ends: the line of its last row in the file, counted from 1 with the header; for arrays the
    /// index of the sample in them.
    pub fn last_rows(&self) -> impl ExactSizeIterator<Item = u64> + '_ {
        let steps = self.source.steps;
        self.starts().iter().map(move |&start| match &self.source.lines {
            Some(lines) => u64::from(lines[start as usize + steps - 1]),
            None => (start as usize / steps) as u64,
        })
    }

    /// A copy of sample `i`: its rows `[T, F]` and its target. Both are empty if there is no such sample.
    pub fn sample(&self, i: usize) -> (Vec<f32>, Vec<f32>) {
        let Some(&start) = self.starts().get(i) else { return (Vec::new(), Vec::new()) };
        let (features, size) = (self.features(), self.target_size());
        let rows = start as usize * features..(start as usize + self.source.steps) * features;
        (self.source.rows[rows].to_vec(), self.targets()[i * size..(i + 1) * size].to_vec())
    }

    /// How many targets are 0 and how many are 1, if every sample has a single target that is one of them.
    pub fn class_balance(&self) -> Option<[usize; 2]> {
        if self.source.target_shape != [1] {
            return None;
        }
        let zeros = self.targets().iter().filter(|&&target| target == 0.0).count();
        let ones = self.targets().iter().filter(|&&target| target == 1.0).count();
        (zeros + ones == self.len()).then_some([zeros, ones])
    }

    /// The samples `range` of this data set, over the same rows.
    pub(super) fn part(&self, range: Range<usize>) -> Dataset {
        let start = self.samples.start;
        Dataset { samples: start + range.start..start + range.end, ..self.clone() }
    }

    /// Values in one target.
    fn target_size(&self) -> usize {
        if self.has_targets() { self.source.target_shape.iter().product() } else { 0 }
    }
}

impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dataset")
            .field("len", &self.len())
            .field("input_shape", &self.input_shape())
            .field("target_shape", &self.target_shape())
            .field("columns", &self.columns())
            .field("target_name", &self.target_name())
            .field("classes", &self.classes())
            .finish_non_exhaustive()
    }
}

/// The target's shape without the batch axis, once it is known to fit the input's.
fn target_shape(x_shape: &[usize], y_shape: &[usize]) -> Result<Vec<usize>> {
    let fits = match (y_shape, x_shape) {
        ([], _) => return Ok(Vec::new()),
        ([samples], [s, ..]) if samples == s => return Ok(vec![1]),
        ([samples, _], [s, ..]) => samples == s,
        ([samples, steps, _], [s, t, _]) => samples == s && steps == t,
        _ => false,
    };
    if fits {
        return Ok(y_shape[1..].to_vec());
    }
    Err(Error::usage(format!(
        "y has the shape {y_shape:?}, which does not fit x of the shape {x_shape:?}. Give [samples, outputs] or, with a target for every step, [samples, steps, outputs]"
    )))
}

/// Whether `values` are as many as `shape` says, at least one, and all finite.
fn check_values(name: &str, values: &[f32], shape: &[usize]) -> Result<()> {
    let wanted = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
    if wanted == Some(0) {
        return Err(Error::usage(format!(
            "{name} has the shape {shape:?}, which holds nothing. Give at least one sample"
        )));
    }
    if wanted != Some(values.len()) {
        let message = format!(
            "{name} holds {} values, which do not fill the shape {shape:?}. Pass all values in C order, or correct the shape",
            values.len()
        );
        return Err(Error::usage(message));
    }
    if let Some(i) = values.iter().position(|value| !value.is_finite()) {
        let message = format!(
            "{name} of the shape {shape:?} holds {} in sample {} (counted from 0). Remove or fill missing values",
            values[i],
            i / (values.len() / shape[0]),
        );
        return Err(Error::usage(message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Five samples of two steps of three features, counted up from 0.
    fn five() -> Dataset {
        let x = (0..30).map(|i| i as f32).collect();
        Dataset::from_arrays(x, &[5, 2, 3], vec![0.0, 1.0, 1.0, 0.0, 1.0], &[5, 1]).unwrap()
    }

    #[test]
    fn arrays_become_samples_in_order() {
        let data = five();
        assert_eq!((data.len(), data.steps(), data.features()), (5, 2, 3));
        assert_eq!((data.input_shape(), data.target_shape()), (&[2, 3][..], &[1][..]));
        assert_eq!(data.starts(), [0, 2, 4, 6, 8]);
        assert_eq!(data.sample(1), (vec![6.0, 7.0, 8.0, 9.0, 10.0, 11.0], vec![1.0]));
        assert_eq!(data.sample(5), (vec![], vec![]));
        assert_eq!(data.columns(), ["x0", "x1", "x2"]);
        assert_eq!(data.last_rows().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        assert_eq!(data.class_balance(), Some([2, 3]));
        assert_eq!((data.classes(), data.target_name()), (None, None));
    }

    #[test]
    fn arrays_need_neither_a_time_axis_nor_targets() {
        let data = Dataset::from_arrays(vec![1.0, 2.0, 3.0, 4.0], &[2, 2], vec![], &[]).unwrap();
        assert_eq!((data.input_shape(), data.steps(), data.features()), (&[2][..], 1, 2));
        assert!(!data.has_targets() && data.target_shape().is_empty() && data.targets().is_empty());
        assert_eq!(data.sample(1), (vec![3.0, 4.0], vec![]));
        assert_eq!(data.class_balance(), None);
    }

    #[test]
    fn targets_may_stand_for_every_step_or_alone() {
        let data = Dataset::from_arrays(vec![0.0; 6], &[2, 3, 1], (0..12).map(|i| i as f32).collect(), &[2, 3, 2]);
        let data = data.unwrap();
        assert_eq!(data.target_shape(), [3, 2]);
        assert_eq!(data.sample(1).1, [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]);
        let alone = Dataset::from_arrays(vec![0.0; 2], &[2, 1], vec![3.0, 4.0], &[2]).unwrap();
        assert_eq!((alone.target_shape(), alone.sample(1).1), (&[1][..], vec![4.0]));
        assert_eq!(alone.class_balance(), None);
    }

    #[test]
    fn a_wrong_shape_or_value_is_named_with_its_cure() {
        let error = |x: Vec<f32>, x_shape: &[usize], y: Vec<f32>, y_shape: &[usize]| {
            let error = Dataset::from_arrays(x, x_shape, y, y_shape).unwrap_err();
            assert_eq!(error.exit_status(), 2);
            error.to_string()
        };
        let wrong_rank = error(vec![1.0], &[1], vec![], &[]);
        assert!(wrong_rank.contains("[1]") && wrong_rank.contains("Give [samples, steps, features]"), "{wrong_rank}");
        let too_few = error(vec![1.0; 5], &[2, 3], vec![], &[]);
        assert!(too_few.contains("x holds 5 values") && too_few.contains("[2, 3]"), "{too_few}");
        let nothing = error(vec![], &[0, 3], vec![], &[]);
        assert!(nothing.contains("holds nothing") && nothing.contains("at least one sample"), "{nothing}");
        let huge = error(vec![], &[usize::MAX, 2, 2], vec![], &[]);
        assert!(huge.contains("do not fill the shape"), "{huge}");
        let other_samples = error(vec![1.0; 4], &[2, 2], vec![1.0; 3], &[3, 1]);
        assert!(other_samples.contains("[3, 1]") && other_samples.contains("[2, 2]"), "{other_samples}");
        let other_steps = error(vec![1.0; 4], &[2, 2, 1], vec![1.0; 6], &[2, 3, 1]);
        assert!(other_steps.contains("does not fit x"), "{other_steps}");
        let no_shape = error(vec![1.0; 4], &[2, 2], vec![1.0; 2], &[]);
        assert!(no_shape.contains("Give [2, outputs]"), "{no_shape}");
        let not_finite = error(vec![1.0, 2.0, 3.0, f32::NAN], &[2, 2], vec![], &[]);
        assert!(not_finite.contains("NaN in sample 1") && not_finite.contains("Remove or fill"), "{not_finite}");
    }
}
