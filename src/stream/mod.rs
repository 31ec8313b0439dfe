//! Predictions row by row as they come, on the CPU, without a plan: the state of recurrent layers is carried from row to row.
//!
//! ```no_run
//! use gatenorm::prelude::*;
//!
//! let mut predictor = Model::load("room.keras", Device::Cpu)?.predictor()?;
//! for row in [[20.5, 27.1, 430.0, 712.0, 0.0047], [20.4, 27.0, 428.0, 715.0, 0.0047]] {
//!     println!("{:?}", predictor.step(&row)?);
//! }
//! # Ok::<(), gatenorm::Error>(())
//! ```

mod arithmetic;
mod build;
mod layers;
mod rows;

use crate::error::{Error, Result};
use layers::Stage;

pub use rows::RowReader;

/// A model that takes one row at a time.
///
/// After n rows it gives what [`Model::predict`](crate::train::Model::predict) gives for the sequence of these n rows, so a model that was trained
/// on short windows sees more of the past here than it was trained with; [`Predictor::reset`] begins anew. A step allocates nothing, takes no lock
/// and wakes no thread; several streams need a clone each.
#[derive(Clone, Debug)]
pub struct Predictor {
    stages: Vec<Stage>,
    features: usize,
    outputs: usize,
    /// A row on its way through the layers, from one to the other.
    values: [Vec<f32>; 2],
}

impl Predictor {
    fn new(stages: Vec<Stage>, features: usize, outputs: usize) -> Self {
        let widest = stages.iter().map(Stage::outputs).chain([features]).max().unwrap_or(1);
        Predictor { stages, features, outputs, values: [vec![0.0; widest], vec![0.0; widest]] }
    }

    /// Numbers of a row.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Numbers of a prediction.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// What the model says after this row `[features]`: `[outputs]`.
    ///
    /// Errors: a row of another length.
    pub fn step(&mut self, row: &[f32]) -> Result<&[f32]> {
        if row.len() != self.features {
            let (wanted, given) = (self.features, row.len());
            return Err(Error::usage(format!("a row has {wanted} numbers, one for each column, not {given}")));
        }
        let [from, to] = &mut self.values;
        let (mut from, mut to) = (from, to);
        from[..row.len()].copy_from_slice(row);
        let (mut width, mut counts) = (row.len(), true);
        for stage in &mut self.stages {
            counts = stage.step(&from[..width], &mut to[..stage.outputs()], counts);
            width = stage.outputs();
            std::mem::swap(&mut from, &mut to);
        }
        Ok(&from[..width])
    }

    /// Forgets all rows so far.
    pub fn reset(&mut self) {
        self.stages.iter_mut().for_each(Stage::reset);
    }
}
