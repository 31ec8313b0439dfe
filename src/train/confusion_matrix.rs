//! Which class a model takes for which.

use super::model::Model;
use crate::data::Dataset;
use crate::error::{Error, Result};

/// Counts of samples, or of rows that have a class each, by their true and their predicted class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfusionMatrix {
    /// `[true class][predicted class]`
    pub counts: Vec<Vec<u64>>,
}

impl ConfusionMatrix {
    /// How many classes there are.
    pub fn classes(&self) -> usize {
        self.counts.len()
    }

    /// The share of samples whose class was found.
    pub fn accuracy(&self) -> f64 {
        let right: u64 = self.counts.iter().enumerate().map(|(class, row)| row[class]).sum();
        right as f64 / self.counts.iter().flatten().sum::<u64>() as f64
    }
}

impl Model {
    /// How often each true class is taken for each class. A single output predicts class 1 above 0.5 (of logits, above 0), several
    /// predict the class of the largest; truths are numbers of classes, or rows whose largest label is the class. Every sample counts
    /// once, whatever its weight; where every row of a sample has a class, each row that [counts](Dataset::counted_steps).
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if the model has several outputs, if the target is several labels, or numbers are judged, not classes; and those of
    /// [`Model::predict`].
    pub fn confusion_matrix(&mut self, data: &Dataset) -> Result<ConfusionMatrix> {
        self.check_data(data, true)?;
        if data.labels().is_some() {
            let text = "a confusion matrix needs one class for each sample, but the target is several labels: use Model::label_scores";
            return Err(Error::usage(text));
        }
        let loss = self.loss();
        let shapes = self.network.output_shapes();
        let [shape] = shapes[..] else {
            return Err(Error::usage(format!(
                "a confusion matrix is of one output, but the model has {}",
                shapes.len()
            )));
        };
        let outputs = shape.last().copied().unwrap_or(1);
        if !loss.judges_classes() {
            return Err(Error::usage(format!(
                "a confusion matrix needs classes, but the loss {} judges numbers",
                loss.name()
            )));
        }
        let threshold = if loss.takes_logits() { 0.0 } else { 0.5 };
        let of_targets = data.target_shape().last().copied().unwrap_or(1);
        let rows = self.judged_rows(data)?;
        let classes = outputs.max(2);
        let mut counts = vec![vec![0; classes]; classes];
        for (target, prediction) in rows.truth.chunks(of_targets).zip(rows.predicted.chunks(outputs)) {
            let class = match target {
                [number] => (number.round().max(0.0) as usize).min(classes - 1),
                labels => first_largest(labels),
            };
            let predicted = match prediction {
                [one] => usize::from(*one > threshold),
                several => first_largest(several),
            };
            counts[class][predicted] += 1;
        }
        Ok(ConfusionMatrix { counts })
    }
}

fn first_largest(values: &[f32]) -> usize {
    (1..values.len()).fold(0, |at, i| if values[i] > values[at] { i } else { at })
}
