//! A model's whole state on the host, to go back to.

use super::model::Model;
use crate::error::Result;
use crate::model::buffers;

/// Weights, moving statistics and the optimiser's state at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    arenas: Vec<(&'static str, Vec<f32>)>,
    iterations: u64,
}

impl Model {
    /// Copies the model's state to the host.
    pub fn snapshot(&mut self) -> Result<Snapshot> {
        let names: Vec<&'static str> = [buffers::PARAMETERS, buffers::STATE]
            .into_iter()
            .chain(self.optimizer().moments().iter().map(|moment| moment.buffer))
            .collect();
        let arenas = names.iter().copied().zip(self.read_arenas(&names)?).collect();
        Ok(Snapshot { arenas, iterations: self.iterations })
    }

    /// Goes back to a state of this model.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<()> {
        let table = self.network.table.clone();
        for (name, values) in &snapshot.arenas {
            let spec = if *name == buffers::STATE { buffers::state(&table) } else { buffers::trainable(name, &table) };
            self.executor.write(&spec, values)?;
        }
        self.iterations = snapshot.iterations;
        Ok(())
    }
}
