//! Where a training is, so that another process can go on from there to the same bits.

use serde::{Deserialize, Serialize};

use super::history::{Epoch, History, Scores};
use super::model::Model;
use super::optimizer::LearningRate;
use crate::error::{Error, Result};
use crate::plan::BufferSpec;

/// The bits of a number: JSON knows neither NaN nor infinity, which losses may be.
type Bits = u64;

/// What a model's file needs beside the model. Of an epoch that is under way, what it has added up so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunState {
    /// The epoch that comes next or is under way, from 0.
    pub epoch: usize,
    /// Batches of the pass over the data that are done.
    pub next_batch: usize,
    /// Batches of the epoch that are done, and what they gave.
    pub batches: usize,
    pub tally: Vec<Vec<Bits>>,
    /// Seconds spent on that.
    pub seconds: f64,
    /// Epochs that are done.
    pub history: Vec<SavedEpoch>,
    /// The best of them, where `keep_best` asks for it.
    pub best: Option<BestEpoch>,
    /// Whether something has ended training before its last epoch.
    pub stopped: bool,
    /// What callbacks keep, in their order.
    pub callbacks: Vec<String>,
    /// Samples and batches of a pass over the data that it was, and what stands in some of them.
    pub data: (usize, usize, u64),
    pub learning_rate: Bits,
    /// What stateful layers keep: name, shape and values.
    pub states: Vec<(String, Vec<usize>, Vec<u32>)>,
}

/// An [`Epoch`] with its scores' bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedEpoch {
    epoch: usize,
    scores: Vec<(String, Bits)>,
    seconds: f64,
}

/// An epoch whose weights are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct BestEpoch {
    pub loss: Bits,
    /// From 1.
    pub epoch: usize,
    /// The file with the model of that epoch, beside this one.
    pub file: String,
}

impl RunState {
    /// The epochs that are done.
    pub fn set_history(&mut self, history: &History) {
        let of_epoch = |e: &Epoch| {
            let scores = e.scores.0.iter().map(|(name, value)| (name.clone(), value.to_bits())).collect();
            SavedEpoch { epoch: e.epoch, scores, seconds: e.seconds }
        };
        self.history = history.epochs.iter().map(of_epoch).collect();
    }

    /// The same.
    pub fn history(&self) -> History {
        let of_epoch = |saved: &SavedEpoch| {
            let scores = saved.scores.iter().map(|(name, bits)| (name.clone(), f64::from_bits(*bits))).collect();
            Epoch { epoch: saved.epoch, scores: Scores(scores), seconds: saved.seconds }
        };
        History { epochs: self.history.iter().map(of_epoch).collect(), ..History::default() }
    }
}

impl Model {
    /// What of the model itself a `.keras` file rounds or leaves out.
    pub(super) fn add_to_state(&mut self, state: &mut RunState) -> Result<()> {
        state.learning_rate = self.learning_rate().to_bits();
        let mut specs: Vec<BufferSpec> = self.states.values().cloned().collect();
        specs.sort_by(|a, b| a.name.cmp(&b.name));
        let mut of = |spec: BufferSpec| {
            let values = self.executor.read(&spec.name, 0..spec.len())?;
            let bits = values.into_iter().map(|value| (value as f32).to_bits()).collect();
            Ok((spec.name, spec.shape, bits))
        };
        state.states = specs.drain(..).map(&mut of).collect::<Result<_>>()?;
        Ok(())
    }

    /// Sets that.
    pub(super) fn take_from_state(&mut self, state: &RunState) -> Result<()> {
        if matches!(self.compiled.optimizer.schedule(), LearningRate::Constant(_)) {
            self.set_learning_rate(f64::from_bits(state.learning_rate))?;
        }
        self.reset_states()?;
        for (name, shape, bits) in &state.states {
            let spec = BufferSpec::persistent(name, shape);
            let values: Vec<f32> = bits.iter().map(|&bits| f32::from_bits(bits)).collect();
            if values.len() != spec.len() {
                return Err(Error::usage(format!("the saved state `{name}` does not have its shape {shape:?}")));
            }
            self.executor.write(&spec, &values)?;
            self.states.insert(name.clone(), spec);
        }
        Ok(())
    }
}
