//! What a file needs to know of a model, and to set in it, so that training goes on where it stopped.

use super::loss::{Loss, Losses};
use super::metric::Metric;
use super::model::Model;
use super::optimizer::Optimizer;
use super::programs::Compiled;
use crate::error::Result;
use crate::exec::Device;
use crate::model::{Network, Variable};

/// What `compile` is given beside the layers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Compilation {
    pub losses: Vec<Loss>,
    pub optimizer: Optimizer,
    pub metrics: Vec<Metric>,
}

/// What decides how the next epochs shuffle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progressed {
    pub seed: u64,
    /// Epochs begun.
    pub epochs: u64,
}

impl Model {
    /// Places a model whose variables have these values, in Keras's order, on a device.
    pub(crate) fn resume(
        network: Network,
        compilation: Compilation,
        device: Device,
        first: impl FnMut(usize, &Variable) -> Vec<f32>,
    ) -> Result<Model> {
        let Compilation { losses, optimizer, metrics } = compilation;
        let compiled = Compiled::new(&network, losses, optimizer, metrics)?;
        Model::new(network, compiled, device, first)
    }

    /// Places a model with fresh weights on a device.
    pub(crate) fn begin(network: Network, compilation: Compilation, device: Device) -> Result<Model> {
        let Compilation { losses, optimizer, metrics } = compilation;
        Model::fresh(network, (Losses(losses), optimizer, metrics), device)
    }

    /// Forgets what the optimizer has kept: training begins at its first step, as after weights from elsewhere, and a run that a
    /// checkpoint was in the middle of cannot go on.
    pub fn reset_optimizer(&mut self) -> Result<()> {
        self.compiled.optimizer.initialize(self.executor.as_mut(), &self.network.table)?;
        self.iterations = 0;
        self.run_state = None;
        Ok(())
    }

    pub(crate) fn progressed(&self) -> Progressed {
        Progressed { seed: self.network.seed, epochs: self.shuffles }
    }

    pub(crate) fn set_progressed(&mut self, progressed: Progressed) {
        self.network.seed = progressed.seed;
        self.shuffles = progressed.epochs;
    }
}
