//! Samples given whole, as arrays.

use super::{
    dataset::Dataset,
    source::{SampleArray, Source},
};
use crate::{Error, Result};
use std::sync::Arc;

impl Dataset {
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
            steps,
            target_shape,
            rows: x.into(),
            starts: (0..samples).map(|i| (i * steps) as u32).collect(),
            lengths: None,
            targets: y,
            ..Source::of_series(samples, (0..features).map(|i| format!("x{i}")).collect())
        }))
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
}

/// The target's shape without the batch axis, once it is known to fit the input's.
pub(super) fn target_shape(x_shape: &[usize], y_shape: &[usize]) -> Result<Vec<usize>> {
    let fits = match (y_shape, x_shape) {
        ([], _) => return Ok(Vec::new()),
        ([samples], [s, ..]) if samples == s => return Ok(vec![1]),
        ([samples, _], [s, ..]) => samples == s,
        // Their number may be another: a decoder's sequences are not the encoder's.
        ([samples, steps, _], [s, ..]) => samples == s && *steps > 0,
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
pub(super) fn check_values(name: &str, values: &[f32], shape: &[usize]) -> Result<()> {
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
        assert_eq!(data.class_balance(), Some(vec![2, 3]));
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
        let other_rank = error(vec![1.0; 4], &[2, 2, 1], vec![1.0; 6], &[2, 3, 1, 1]);
        assert!(other_rank.contains("does not fit x"), "{other_rank}");
        let no_shape = error(vec![1.0; 4], &[2, 2], vec![1.0; 2], &[]);
        assert!(no_shape.contains("Give [2, outputs]"), "{no_shape}");
        let not_finite = error(vec![1.0, 2.0, 3.0, f32::NAN], &[2, 2], vec![], &[]);
        assert!(not_finite.contains("NaN in sample 1") && not_finite.contains("Remove or fill"), "{not_finite}");
    }
}
