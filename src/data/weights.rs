//! What samples count for in training.

use super::{dataset::Dataset, source::SampleArray};
use crate::{Error, Result};
use std::sync::Arc;

impl Dataset {
    /// Says what each sample counts for in losses and in weighted metrics: `weights` is `[S]`, or `[S, T]` with a weight for every
    /// step of sequences of targets. As in Keras, the weighted sum of losses is divided by the number of samples, not by the sum of
    /// weights.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if the shape does not fit the values or the samples, or a weight is not finite.
    pub fn with_sample_weight(mut self, weights: Vec<f32>, shape: &[usize]) -> Result<Dataset> {
        let samples = self.len();
        let step_shape = match *shape {
            [s] if s == samples && weights.len() == samples => vec![1],
            [s, steps] if s == samples && steps > 0 && weights.len() == samples * steps => vec![steps, 1],
            _ => {
                return Err(Error::usage(format!(
                    "{} sample weights of the shape {shape:?} do not fit {samples} samples. Give [{samples}], or [{samples}, steps]",
                    weights.len()
                )));
            }
        };
        if let Some(at) = weights.iter().position(|weight| !weight.is_finite()) {
            return Err(Error::usage(format!("sample weight {at} (counted from 0) is {}. Give a number", weights[at])));
        }
        let size: usize = step_shape.iter().product();
        // Kept for all samples of the source, so that parts and copies find theirs.
        let mut values = vec![1.0; self.source.starts.len() * size];
        let first = self.first() * size;
        values[first..first + weights.len()].copy_from_slice(&weights);
        self.sample_weights = Some(Arc::new(SampleArray { shape: step_shape, values }));
        Ok(self)
    }

    /// The weights of the samples, where they have some: `[S]`, or with the number of steps `[S, T]`.
    pub fn sample_weights(&self) -> Option<(&[f32], Option<usize>)> {
        let array = self.sample_weights.as_deref()?;
        let steps = if array.shape.len() > 1 { Some(array.shape[0]) } else { None };
        Some((array.part(&self.all()), steps))
    }

    /// Weighs each sample by its class, as Keras's `class_weight`: classes that are not named count 1. Of several outputs the largest
    /// is the class. Where every row of a sample has a target, its rows are weighed, and those that count for nothing still do.
    pub(crate) fn with_class_weight(self, weights: &[(usize, f64)]) -> Result<Dataset> {
        let of_rows = self.has_targets_of_rows();
        if self.sample_weights.is_some() && !of_rows {
            return Err(Error::usage("the samples have weights: give sample weights or class weights, not both"));
        }
        if self.labels().is_some() {
            return Err(Error::usage(
                "class weights need one class for each sample, but the target is several labels: give sample weights instead",
            ));
        }
        let outputs = match *self.target_shape() {
            [outputs] => Some(outputs),
            [_, outputs] if of_rows => Some(outputs),
            _ => None,
        };
        let Some(outputs) = outputs else {
            return Err(Error::usage(format!(
                "class weights need one class for each sample, but the targets have the shape {:?}: give sample weights for each step instead",
                self.target_shape()
            )));
        };
        if let Some((class, weight)) = weights.iter().find(|(_, weight)| !weight.is_finite()) {
            return Err(Error::usage(format!("the weight of class {class} is {weight}. Give a number")));
        }
        let class = |target: &[f32]| match target {
            [class] => class.round() as i64,
            labels => (1..labels.len()).fold(0, |at, i| if labels[i] > labels[at] { i } else { at }) as i64,
        };
        let weight =
            |class: i64| weights.iter().find(|(c, _)| *c as i64 == class).map_or(1.0, |&(_, weight)| weight as f32);
        let mut weights: Vec<f32> = self.targets().chunks(outputs).map(|target| weight(class(target))).collect();
        if let Some((earlier, _)) = self.sample_weights() {
            weights.iter_mut().zip(earlier).for_each(|(weight, earlier)| *weight *= earlier);
        }
        let shape = [self.len(), weights.len() / self.len()];
        self.with_sample_weight(weights, &shape[..if of_rows { 2 } else { 1 }])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn four() -> Dataset {
        Dataset::from_arrays(vec![0.0; 8], &[4, 2, 1], vec![0.0, 1.0, 2.0, 1.0], &[4, 1]).unwrap()
    }

    #[test]
    fn parts_keep_their_samples_weights() {
        let data = four().with_sample_weight(vec![1.0, 2.0, 3.0, 4.0], &[4]).unwrap();
        let (train, test) = data.validation_split(0.5).unwrap();
        assert_eq!(train.sample_weights(), Some((&[1.0, 2.0][..], None)));
        assert_eq!(test.sample_weights(), Some((&[3.0, 4.0][..], None)));
        let of_steps = four().with_sample_weight((0..8).map(|i| i as f32).collect(), &[4, 2]).unwrap();
        let (_, test) = of_steps.validation_split(0.25).unwrap();
        assert_eq!(test.sample_weights(), Some((&[6.0, 7.0][..], Some(2))));
    }

    #[test]
    fn classes_weigh_their_samples() {
        let (train, _) = four().validation_split(0.25).unwrap();
        let weighted = train.with_class_weight(&[(1, 3.0), (2, 0.5)]).unwrap();
        assert_eq!(weighted.sample_weights(), Some((&[1.0, 3.0, 0.5][..], None)));
        let one_hot = vec![0.0, 1.0, 1.0, 0.0];
        let data = Dataset::from_arrays(vec![0.0; 2], &[2, 1], one_hot, &[2, 2]).unwrap();
        let weighted = data.with_class_weight(&[(1, 7.0)]).unwrap();
        assert_eq!(weighted.sample_weights(), Some((&[7.0, 1.0][..], None)));
        let message = weighted.with_class_weight(&[]).unwrap_err().to_string();
        assert!(message.contains("not both"), "{message}");
    }

    #[test]
    fn weights_that_do_not_fit_are_refused() {
        let message = four().with_sample_weight(vec![1.0; 3], &[3]).unwrap_err().to_string();
        assert!(message.contains("Give [4]"), "{message}");
        let message = four().with_sample_weight(vec![1.0, f32::NAN, 1.0, 1.0], &[4]).unwrap_err().to_string();
        assert!(message.contains("sample weight 1") && message.contains("NaN"), "{message}");
    }
}
