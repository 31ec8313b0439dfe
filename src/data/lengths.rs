//! Samples of unequal lengths.

use super::{
    arrays::{check_values, target_shape},
    dataset::Dataset,
    source::{SampleArray, Source},
};
use crate::{Error, Result, model::ANY_LENGTH};
use std::sync::Arc;

impl Dataset {
    /// Sequences given whole, of any lengths: each of `x` is `[its steps, features]` in C order; `y` is `[S, O]`, and `[S]` is
    /// taken as `[S, 1]`; or, with a target for every step, `[S, T, O]`, where T is that of the longest and what stands behind a sample's
    /// own steps counts for nothing. Without targets both `y` and `y_shape` are empty.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if a sequence has no step or none that `features` divides, if `y_shape` does not fit, if there is no
    /// sample, if a value is not finite, or if there are more steps than u32 counts.
    pub fn from_sequences(x: &[Vec<f32>], features: usize, y: Vec<f32>, y_shape: &[usize]) -> Result<Dataset> {
        let (samples, mut steps) = (x.len(), 0u32);
        let (mut starts, mut lengths) = (Vec::with_capacity(samples), Vec::with_capacity(samples));
        for (i, sequence) in x.iter().enumerate() {
            if features == 0 || sequence.is_empty() || !sequence.len().is_multiple_of(features) {
                let len = sequence.len();
                return Err(Error::usage(format!(
                    "sequence {i} (counted from 0) holds {len} values, which are not one or more steps of {features} features"
                )));
            }
            check_values(&format!("sequence {i}"), sequence, &[sequence.len() / features, features])?;
            let length = u32::try_from(sequence.len() / features).unwrap_or(u32::MAX);
            let Some(end) = steps.checked_add(length) else {
                return Err(Error::usage(format!(
                    "more than {} steps in all are too many. Use fewer samples",
                    u32::MAX
                )));
            };
            starts.push(steps);
            lengths.push(length);
            steps = end;
        }
        let longest = lengths.iter().max().copied().unwrap_or(0) as usize;
        let target_shape = target_shape(&[samples, longest, features], y_shape)?;
        if let [steps, outputs] = target_shape[..]
            && steps != longest
        {
            return Err(Error::usage(format!(
                "y has the shape {y_shape:?}, but the longest sequence has {longest} steps. Give [{samples}, {longest}, {outputs}], padded behind the shorter ones' steps"
            )));
        }
        check_values("x", &vec![0.0; samples], &[samples])?;
        match target_shape.is_empty() {
            true if !y.is_empty() => {
                return Err(Error::usage("y holds values but has no shape. Give [samples, outputs]"));
            }
            true => {}
            false => check_values("y", &y, y_shape)?,
        }
        let unequal = lengths.iter().any(|&length| length as usize != longest);
        Ok(Dataset::new(Source {
            input_shape: vec![if unequal { ANY_LENGTH } else { longest }, features],
            steps: longest,
            target_shape,
            rows: x.concat().into(),
            starts,
            lengths: unequal.then_some(lengths),
            targets: y,
            ..Source::of_series(samples, (0..features).map(|i| format!("x{i}")).collect())
        }))
    }

    /// The same samples, but padded to this number of steps at least; for a model that takes sequences of one length, or so
    /// that data sets of several lengths share what is compiled for one.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if a sample is longer, or has no time axis, or more or fewer targets than steps.
    pub fn pad_to(&self, steps: usize) -> Result<Dataset> {
        let own = self.steps();
        let fits = |shape: &&[usize]| !matches!(shape, [other, _] if *other != own);
        if self.input_shape().len() != 2 || !self.target_shapes().iter().all(fits) {
            return Err(Error::usage(
                "only samples with a time axis and a target each, or one for every step, can be padded",
            ));
        }
        if self.is_in_file() {
            return Err(Error::usage("series that stay in their file cannot be padded. Read them into memory"));
        }
        let longest = self.spans().map(|span| span.len()).max().unwrap_or(0);
        if longest > steps {
            return Err(Error::usage(format!(
                "a sample has {longest} steps, so it cannot be padded to {steps}. Pad to more"
            )));
        }
        let lengths =
            |source: &Source| source.lengths.clone().unwrap_or_else(|| vec![source.steps as u32; source.starts.len()]);
        let source = Source {
            input_shape: vec![ANY_LENGTH, self.features()],
            steps,
            lengths: Some(lengths(&self.source)),
            ..(*self.source).clone()
        };
        if steps == own {
            return Ok(Dataset { source: Arc::new(source), ..self.clone() });
        }
        let first = SampleArray { shape: source.target_shape, values: source.targets }.lengthened(steps);
        let source = Source { target_shape: first.shape, targets: first.values, ..source };
        Ok(Dataset {
            source: Arc::new(source),
            more_targets: Arc::new(self.more_targets.iter().map(|of| of.clone().lengthened(steps)).collect()),
            sample_weights: self.sample_weights.as_deref().map(|of| Arc::new(of.clone().lengthened(steps))),
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Dataset {
        Dataset::from_sequences(&[vec![1.0, 2.0, 3.0, 4.0], vec![5.0, 6.0]], 2, vec![7.0, 8.0], &[2]).unwrap()
    }

    #[test]
    fn sequences_keep_their_lengths_and_are_padded_behind_their_steps() {
        let data = two();
        assert_eq!((data.len(), data.steps(), data.features()), (2, 2, 2));
        assert_eq!((data.input_shape(), data.target_shape()), (&[ANY_LENGTH, 2][..], &[1][..]));
        assert_eq!((data.starts(), data.lengths()), (&[0, 2][..], Some(&[2, 1][..])));
        assert_eq!(data.sample(1), (vec![5.0, 6.0], vec![8.0]));
        assert_eq!(data.padded_rows(&[-1.0, -2.0]), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, -1.0, -2.0]);
        assert_eq!(data.feature_statistics().unwrap().mean, [3.0, 4.0], "padding does not count");
        let equal = Dataset::from_sequences(&[vec![1.0], vec![2.0]], 1, vec![], &[]).unwrap();
        assert_eq!((equal.lengths(), equal.input_shape(), equal.has_targets()), (None, &[1, 1][..], false));
    }

    #[test]
    fn parts_keep_the_length_that_all_are_padded_to() {
        let (first, second) = two().validation_split(0.5).unwrap();
        assert_eq!((first.lengths(), second.lengths()), (Some(&[2][..]), Some(&[1][..])));
        assert_eq!((second.steps(), second.padded_rows(&[0.0, 0.0])), (2, vec![5.0, 6.0, 0.0, 0.0]));
        let (_, drawn) = two().split_random(0.5, 0).unwrap();
        let own = drawn.lengths().unwrap()[0] as usize;
        assert_eq!(drawn.sample(0).0.len(), own * 2);
    }

    #[test]
    fn samples_can_be_padded_to_a_given_length() {
        let longer = two().pad_to(4).unwrap();
        assert_eq!(
            (longer.steps(), longer.lengths(), longer.input_shape()),
            (4, Some(&[2, 1][..]), &[ANY_LENGTH, 2][..])
        );
        assert_eq!(longer.padded_rows(&[0.0, 0.0]).len(), 16);
        assert_eq!(longer.pad_to(2).unwrap().steps(), 2);
        let equal = Dataset::from_arrays(vec![1.0, 2.0], &[2, 1, 1], vec![], &[]).unwrap().pad_to(2).unwrap();
        assert_eq!((equal.lengths(), equal.padded_rows(&[9.0])), (Some(&[1, 1][..]), vec![1.0, 9.0, 2.0, 9.0]));
        let error = two().pad_to(1).unwrap_err().to_string();
        assert!(error.contains("has 2 steps") && error.contains("Pad to more"), "{error}");
        let flat = Dataset::from_arrays(vec![1.0, 2.0], &[2, 1], vec![], &[]).unwrap();
        assert!(flat.pad_to(2).unwrap_err().to_string().contains("time axis"));
    }

    #[test]
    fn targets_of_every_step_are_padded_and_only_real_steps_count() {
        let x = [vec![1.0, 2.0], vec![3.0]];
        let data = Dataset::from_sequences(&x, 1, vec![1.0, 0.0, 1.0, 9.0], &[2, 2, 1]).unwrap();
        assert_eq!((data.target_shape(), data.counted_steps().unwrap()), (&[2, 1][..], vec![true, true, true, false]));
        let data = data.with_sample_weight(vec![1.0, 0.0, 2.0, 0.0], &[2, 2]).unwrap().pad_to(3).unwrap();
        assert_eq!((data.target_shape(), data.targets()), (&[3, 1][..], &[1.0, 0.0, 0.0, 1.0, 9.0, 0.0][..]));
        assert_eq!(data.sample_weights(), Some((&[1.0, 0.0, 0.0, 2.0, 0.0, 0.0][..], Some(3))));
        assert_eq!(data.counted_steps().unwrap(), [true, false, false, true, false, false]);
        assert_eq!((data.class_balance(), data.target_scales()), (Some(vec![0, 2]), vec![(1.0, 1.0)]));
    }

    #[test]
    fn sequences_that_cannot_be_used_are_named() {
        let error = |x: &[Vec<f32>], y: Vec<f32>, y_shape: &[usize]| {
            Dataset::from_sequences(x, 2, y, y_shape).unwrap_err().to_string()
        };
        let odd = error(&[vec![1.0, 2.0], vec![1.0]], vec![], &[]);
        assert!(odd.contains("sequence 1") && odd.contains("holds 1 values") && odd.contains("2 features"), "{odd}");
        assert!(error(&[vec![]], vec![], &[]).contains("holds 0 values"));
        assert!(error(&[], vec![], &[]).contains("at least one sample"));
        let nan = error(&[vec![1.0, f32::NAN]], vec![], &[]);
        assert!(nan.contains("sequence 0") && nan.contains("NaN"), "{nan}");
        let steps = error(&[vec![1.0; 4], vec![1.0; 2]], vec![0.0; 2], &[2, 1, 1]);
        assert!(steps.contains("longest sequence has 2 steps") && steps.contains("Give [2, 2, 1]"), "{steps}");
        assert!(error(&[vec![1.0; 2]], vec![0.0; 2], &[2]).contains("does not fit x"));
        assert!(error(&[vec![1.0; 2]], vec![0.0; 2], &[1]).contains("y holds 2 values"));
        assert!(error(&[vec![1.0; 2]], vec![0.0], &[]).contains("no shape"));
    }
}
