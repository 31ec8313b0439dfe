//! Whole numbers of a data set that name rows of a table: checked before they reach the device.

use super::model::Model;
use crate::data::Dataset;
use crate::error::{Error, Result};

impl Model {
    /// Whether the inputs of layers that take whole numbers hold such numbers, and none too large.
    pub(super) fn check_numbers(&self, data: &Dataset) -> Result<()> {
        let limits = self.network.number_limits();
        if limits.is_empty() {
            return Ok(());
        }
        for (input, layer, limit) in limits {
            let fits = |value: f32| value >= 0.0 && value < limit as f32 && value.fract() == 0.0;
            let wrong = |(sample, values): (usize, &[f32])| {
                let place = values.iter().position(|&value| !fits(value))?;
                Some((sample, place, values[place]))
            };
            let found = match input.checked_sub(1) {
                None => rows_of_first(data).enumerate().find_map(wrong),
                Some(more) => {
                    let width = data.input_shapes()[input].iter().product::<usize>().max(1);
                    let values = data.more_inputs().nth(more).unwrap_or(&[]);
                    values.chunks(width).enumerate().find_map(wrong)
                }
            };
            if let Some((sample, place, value)) = found {
                return Err(Error::usage(format!(
                    "sample {sample} (from 0) has {value} at place {place} of its input {input}, but the layer `{layer}` takes whole numbers from 0 to {}: give it more rows (input_dim) or mend the data",
                    limit - 1
                )));
            }
        }
        Ok(())
    }
}

/// The row of each sample in the first input, whose samples are rows.
fn rows_of_first(data: &Dataset) -> impl Iterator<Item = &[f32]> {
    let width = data.features();
    data.starts().iter().map(move |&start| &data.rows()[start as usize * width..][..width])
}
