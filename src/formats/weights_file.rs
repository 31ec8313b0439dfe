//! A model's variables alone, as Keras's `.weights.h5` files, or as `.safetensors` files.

use std::io::Write;
use std::path::Path;

use super::keras_state::State;
use super::safetensors::WeightNames;
use super::{atomic, keras_state, keras_weights, weights_h5};
use crate::error::{Error, Result};
use crate::train::{Compilation, LearningRate, Model};

impl Model {
    /// Writes weights, moving statistics and the optimizer's state as a `.weights.h5` file, which a model of the same
    /// layers takes by [`Model::load_weights`], here and in Keras; or, where the name ends in `.safetensors`, what
    /// [`Model::save_safetensors`] writes under Keras's names. The file is written whole or not at all.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if a weight is not finite, [`Error::Io`] if the file cannot be written.
    pub fn save_weights(&mut self, path: impl AsRef<Path>) -> Result<()> {
        if is_safetensors(path.as_ref()) {
            return self.save_safetensors(path, WeightNames::Keras);
        }
        let compilation = Compilation {
            losses: self.losses().to_vec(),
            optimizer: self.optimizer().clone(),
            metrics: self.metrics().to_vec(),
        };
        let arrays = self.arrays(&compilation)?;
        let bytes = weights_h5::write(&arrays).map_err(|why| Error::input(path.as_ref(), why))?;
        atomic::write_file(path.as_ref(), |file| file.write_all(&bytes))
    }

    /// Takes weights, moving statistics and, where the file has it, the optimizer's state from a `.weights.h5` file of
    /// a model of the same layers, saved here or by Keras; or, where the name ends in `.safetensors`, weights and
    /// moving statistics from such a file, whose tensors may have Keras's or PyTorch's names ([`WeightNames`]).
    ///
    /// # Errors
    ///
    /// [`Error::Input`] if the file is damaged, or of other layers or another optimizer; the model is then as it was.
    pub fn load_weights(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        if is_safetensors(path) {
            return self.take_safetensors(path);
        }
        let in_file = |why: String| Error::input(path, why);
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, "read", e))?;
        let arrays = weights_h5::read(bytes).map_err(in_file)?;
        let network = self.network().clone();
        let unscaled: Vec<_> = network.layers.iter().map(|_| None).collect();
        let values = keras_weights::read(&arrays, &network, &unscaled).map_err(in_file)?;
        let mut optimizer = self.optimizer().clone();
        let state = keras_state::read(&arrays, &network, &mut optimizer).map_err(in_file)?;
        let paths = network.table.variables().iter().map(|variable| variable.path.as_str());
        self.set_weights(paths.zip(values.iter().map(Vec::as_slice)))?;
        if matches!(optimizer.schedule(), LearningRate::Constant(_)) {
            self.set_learning_rate(optimizer.learning_rate())?;
        }
        match state {
            Some(State { iterations, moments }) => self.set_optimizer_state(iterations, &moments),
            None => Ok(()),
        }
    }
}

fn is_safetensors(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("safetensors"))
}
