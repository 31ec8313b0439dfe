//! What a model says of a data set, line by line.

use gatenorm::data::Dataset;
use gatenorm::train::Model;
use gatenorm::{Error, Result};

/// Predictions, one after another.
pub struct Predictions {
    /// The sample that each is of.
    pub samples: Vec<usize>,
    /// The line of each in its file.
    pub lines: Vec<u64>,
    /// The numbers of all outputs of each.
    pub values: Vec<f32>,
}

impl Predictions {
    /// One of each sample; or of each row, where every row has a target: from the first sample that it stands in.
    pub fn of(model: &mut Model, data: &Dataset) -> Result<Predictions> {
        let outputs = model.predict_all(data)?;
        let of_rows = data.has_targets_of_rows();
        let shapes = model.network().output_shapes();
        if of_rows && let Some(shape) = shapes.iter().find(|shape| shape.len() != 2) {
            return Err(Error::usage(format!(
                "the model gives {shape:?} for a sample, not an output for every row. Leave `--return-sequences` out"
            )));
        }
        // How many numbers of each output belong to a line, and how many lines to a sample.
        let widths = outputs.iter().zip(shapes).map(|(values, shape)| {
            let of_sample = values.len() / data.len();
            let width = if of_rows { shape.last().copied().unwrap_or(1) } else { of_sample };
            (width, of_sample / width)
        });
        let widths: Vec<(usize, usize)> = widths.collect();
        let mut all = Predictions { samples: Vec::new(), lines: Vec::new(), values: Vec::new() };
        let mut add = |sample: usize, step: usize, line: u64| {
            all.samples.push(sample);
            all.lines.push(line);
            for (values, &(width, steps)) in outputs.iter().zip(&widths) {
                all.values.extend_from_slice(&values[(sample * steps + step) * width..][..width]);
            }
        };
        for (sample, line) in data.last_rows().enumerate() {
            match data.row_lines(sample).filter(|_| of_rows) {
                Some((lines, shared)) => {
                    let new = lines.iter().enumerate().skip(shared);
                    new.for_each(|(step, &line)| add(sample, step, u64::from(line)));
                }
                None => add(sample, 0, line),
            }
        }
        Ok(all)
    }
}
