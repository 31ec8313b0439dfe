//! What stateful layers keep from batch to batch.

use super::model::Model;
use crate::error::{Error, Result};
use crate::plan::BufferSpec;

impl Model {
    /// Begins the states of stateful layers that are new with zeros.
    pub(super) fn place_states(&mut self, states: &[BufferSpec]) -> Result<()> {
        for spec in states {
            match self.states.get(&spec.name) {
                Some(known) if known == spec => {}
                Some(known) => {
                    return Err(Error::usage(format!(
                        "a stateful model needs batches of one size, but after batches of {} there is one of {}: use a batch size that divides the samples, or call reset_states before another",
                        known.shape[0], spec.shape[0]
                    )));
                }
                None => {
                    self.executor.write(spec, &vec![0.0; spec.len()])?;
                    self.states.insert(spec.name.clone(), spec.clone());
                }
            }
        }
        Ok(())
    }

    /// What a stateful layer keeps from batch to batch, `[N, units]`, by its path, as `lstm/state_h`; nothing before the first batch.
    pub fn state(&mut self, path: &str) -> Result<Option<Vec<f64>>> {
        let name = format!("states/{path}");
        match self.states.get(&name) {
            Some(spec) => self.executor.read(&name, 0..spec.len()).map(Some),
            None => Ok(None),
        }
    }

    /// Forgets what stateful layers keep: the next batch begins with zeros, and may be of another size.
    pub fn reset_states(&mut self) -> Result<()> {
        for spec in std::mem::take(&mut self.states).into_values() {
            self.executor.write(&spec, &vec![0.0; spec.len()])?;
        }
        Ok(())
    }
}
