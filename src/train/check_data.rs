//! Whether a data set fits a model.

use super::model::Model;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::model::{ANY_LENGTH, Shape};

impl Model {
    /// Checks that a data set fits the model.
    pub(super) fn check_data(&self, data: &Dataset, targets: bool) -> Result<()> {
        if data.is_empty() {
            return Err(Error::usage("the data set has no samples"));
        }
        let wanted: Vec<&Shape> = self.network.inputs.iter().map(|input| &input.shape).collect();
        let padded = [self.padded_steps(data), data.features()];
        let mut given = data.input_shapes();
        if data.lengths().is_some() {
            given[0] = &padded;
        }
        check_shapes("takes inputs of shape", &wanted, "the data set has", &given)?;
        self.check_numbers(data)?;
        if targets {
            let outputs = self.compiled.scoring.outputs.iter();
            let wanted: Vec<Shape> =
                outputs.clone().zip(self.network.output_shapes()).map(|(o, shape)| o.target_shape(shape)).collect();
            let wanted: Vec<&Shape> = wanted.iter().collect();
            let padded: Vec<Vec<usize>> =
                data.target_shapes().into_iter().map(|of| self.padded_target(data, of)).collect();
            let given: Vec<&[usize]> = padded.iter().map(Vec::as_slice).collect();
            check_shapes("gives outputs of shape", &wanted, "the data set's targets have", &given)?;
            outputs.zip(data.all_targets()).try_for_each(|(output, values)| output.check_targets(values))?;
            check_weights(data)?;
        }
        Ok(())
    }
}

/// Whether weights of steps have steps to weigh.
fn check_weights(data: &Dataset) -> Result<()> {
    let Some((_, Some(steps))) = data.sample_weights() else { return Ok(()) };
    let fits = |shape: &&[usize]| shape.len() == 2 && shape[0] == steps;
    match data.target_shapes().iter().find(|shape| !fits(shape)) {
        Some(shape) => Err(Error::usage(format!(
            "the sample weights are for sequences of {steps} steps, but targets have the shape {shape:?}: give one weight for each sample"
        ))),
        None => Ok(()),
    }
}

/// Whether data have the model's shapes, one by one; a T of the model may be any.
fn check_shapes(verb: &str, wanted: &[&Shape], data: &str, given: &[&[usize]]) -> Result<()> {
    let fits = |wanted: &Shape, given: &[usize]| match (wanted.as_slice(), given) {
        ([ANY_LENGTH, features], [_, of_data]) => features == of_data,
        (wanted, given) => wanted == given,
    };
    if wanted.len() == given.len() && wanted.iter().zip(given).all(|(wanted, given)| fits(wanted, given)) {
        return Ok(());
    }
    let of_rows = |wanted: &Shape, given: &[usize]| wanted.len() == 1 && given.len() == 2;
    let cure = match wanted.iter().zip(given).any(|(wanted, given)| of_rows(wanted, given)) && verb.contains("outputs")
    {
        true => ". A target for every step needs a model whose last recurrent layer has `return_sequences`",
        false => "",
    };
    // A model of one input and one output is the rule: no list of one.
    let words = |shapes: Vec<String>| shapes.join(", ");
    let (wanted, given) = (wanted.iter().map(|s| format!("{s:?}")), given.iter().map(|s| format!("{s:?}")));
    let (wanted, given) = (words(wanted.collect()), words(given.collect()));
    Err(Error::usage(format!("the model {verb} {wanted}, but {data} {given}{cure}")))
}
