//! What a model takes for steps that are not there: behind the ends of samples of unequal lengths, and where values are missing.

use super::model::Model;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::model::{ANY_LENGTH, Placed};

impl Model {
    /// T once samples of unequal lengths are padded: the model's, or, where it takes any, the data's own.
    pub(super) fn padded_steps(&self, data: &Dataset) -> usize {
        match *self.network.input_shape() {
            [steps, _] if steps != ANY_LENGTH => steps.max(data.steps()),
            _ => data.steps(),
        }
    }

    /// The shape of a target once the samples are padded.
    pub(super) fn padded_target(&self, data: &Dataset, shape: &[usize]) -> Vec<usize> {
        match *shape {
            [steps, outputs] if data.lengths().is_some() && steps == data.steps() => {
                vec![self.padded_steps(data), outputs]
            }
            _ => shape.to_vec(),
        }
    }

    /// The data set, padded to as many steps as the model needs, if its samples have unequal lengths.
    pub(super) fn lengthened(&self, data: &Dataset) -> Result<Dataset> {
        match data.lengths() {
            Some(_) => data.pad_to(self.padded_steps(data)),
            None => Ok(data.clone()),
        }
    }

    /// The row that this model masks, `[F]`, for steps that are not there: the value of the `Masking` layer at its front; or, where
    /// that stands behind a `Normalization`, the mean that this holds, which becomes exactly 0.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if there is no `Masking` layer at the front, it masks another value than 0 behind a `Normalization`, or
    /// a step of the data holds this row, which would then be masked too.
    pub(super) fn padding(&mut self, data: &Dataset) -> Result<Vec<f32>> {
        let row = self.masked_row()?;
        match data.find_row(&row)? {
            None => Ok(row),
            Some((place, step)) => Err(Error::usage(format!(
                "step {step} of the sample at {place} is {row:?}, the very values that mark padding, so the model would skip it. Change a value of this step in its last digit"
            ))),
        }
    }

    fn masked_row(&mut self) -> Result<Vec<f32>> {
        let features = self.network.input_shape().last().copied().unwrap_or(0);
        if let Some(masking) = self.behind(0, "Masking").map(|(placed, _)| mask_value(placed)) {
            return Ok(vec![masking as f32; features]);
        }
        let normalization = self.behind(0, "Normalization").map(|(placed, output)| (placed.name.clone(), output));
        let masking =
            normalization.and_then(|(name, output)| Some((name, mask_value(self.behind(output, "Masking")?.0))));
        match masking {
            Some((name, 0.0)) => {
                let mean = self.variable(&format!("{name}/mean"))?;
                Ok(mean.into_iter().map(|mean| mean as f32).collect())
            }
            Some((_, value)) => Err(Error::usage(format!(
                "the Masking layer behind the Normalization masks {value}, which no padding is sure to become. Use a mask_value of 0, which the mean becomes"
            ))),
            None => Err(Error::usage(
                "the data set's samples have unequal lengths or missing values to mask, but the model does not mask them. Add a Masking layer at its front, or behind the Normalization there",
            )),
        }
    }

    /// The name of the `Normalization` that takes the model's input.
    pub(super) fn normalization_at_front(&self) -> Option<String> {
        self.behind(0, "Normalization").map(|(placed, _)| placed.name.clone())
    }

    /// The layer of a class that takes this value, and the value that it gives.
    fn behind(&self, value: usize, class: &str) -> Option<(&Placed, usize)> {
        let network = &self.network;
        let of_class = |call: &&crate::model::Call| network.layers[call.layer].layer.class_name() == class;
        let call = network.calls.iter().filter(of_class).find(|call| call.inputs == [value])?;
        Some((&network.layers[call.layer], call.outputs[0]))
    }
}

fn mask_value(masking: &Placed) -> f64 {
    masking.layer.config().get("mask_value").and_then(serde_json::Value::as_f64).unwrap_or(0.0)
}
