//! One batch, looked at from inside: every layer's output and every gradient.

use super::history::Scores;
use super::model::Model;
use super::programs::Place;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::kernels::StepScalars;
use crate::model::{Mode, buffers};

/// A named tensor in batch-major C order.
#[derive(Clone, Debug, PartialEq)]
pub struct Traced {
    /// A layer's name, or `layer/variable`.
    pub name: String,
    /// With the batch axis, for outputs.
    pub shape: Vec<usize>,
    /// In the executor's precision.
    pub values: Vec<f64>,
}

/// What [`Model::trace`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// The mean loss of the batch.
    pub loss: f64,
    /// Loss and metrics of the batch.
    pub scores: Scores,
    /// The output of every layer.
    pub outputs: Vec<Traced>,
    /// d loss / d variable for every trainable variable; empty in inference.
    pub gradients: Vec<Traced>,
    /// d loss / d input for every input; empty in inference.
    pub input_gradients: Vec<Traced>,
}

impl Model {
    /// Runs the samples `rows` as one batch and looks inside. In training mode batch statistics are used, gradients computed and
    /// moving statistics updated, but no weight changes; in inference mode nothing changes.
    pub fn trace(&mut self, data: &Dataset, rows: &[u32], training: bool) -> Result<Trace> {
        self.check_data(data, true)?;
        if rows.is_empty() || rows.len() > data.len() || rows.iter().any(|&r| r as usize >= data.len()) {
            return Err(Error::usage(format!("a batch to trace must name 1 to {} samples that there are", data.len())));
        }
        let feed = self.feed("trace", data, rows.len())?;
        self.set_order(&feed, rows.to_vec())?;
        let mode = if training { Mode::Gradients } else { Mode::Evaluate };
        let program = self.program(&feed, mode, rows.len())?;
        self.bring(&feed, 0)?;
        self.executor.set_scalars(&[StepScalars { step: 1, ..StepScalars::default() }])?;
        self.executor.run(&program.plan, 0..1)?;
        let mut tally = self.tally();
        tally.add_all(&self.read_log(vec![program.measured], &[rows.len()])?);
        let scores = tally.scores("");
        let mut outputs = Vec::new();
        for (name, place) in &program.outputs {
            outputs.push(self.traced(name, place, rows.len())?);
        }
        let mut input_gradients = Vec::new();
        for (i, place) in program.input_gradients.iter().enumerate() {
            let name = self.network.inputs[i].name.clone().unwrap_or_else(|| "x".to_owned());
            input_gradients.push(self.traced(&name, place, rows.len())?);
        }
        let gradients = if training { self.gradients()? } else { Vec::new() };
        let loss = scores.get("loss").unwrap_or(f64::NAN);
        Ok(Trace { loss, scores, outputs, gradients, input_gradients })
    }

    fn gradients(&mut self) -> Result<Vec<Traced>> {
        let table = self.network.table.clone();
        let trainable = table.variables().iter().filter(|v| v.spec.trainable);
        let read = |variable: &crate::model::Variable| {
            let values = self.read_variable(buffers::GRADIENTS, variable)?;
            Ok(Traced { name: variable.path.clone(), shape: variable.spec.shape.clone(), values })
        };
        trainable.map(read).collect()
    }

    fn traced(&mut self, name: &str, place: &Place, samples: usize) -> Result<Traced> {
        let shape = std::iter::once(samples).chain(place.steps).chain([place.features]).collect();
        Ok(Traced { name: name.to_owned(), shape, values: self.read_place(place, samples)? })
    }

    /// A tensor of the last run, turned from time-major to batch-major.
    pub(super) fn read_place(&mut self, place: &Place, samples: usize) -> Result<Vec<f64>> {
        let values = self.executor.read(&place.buffer, place.range(samples))?;
        Ok(place.by_sample(&values, samples))
    }
}
