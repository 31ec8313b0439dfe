//! `--model` with a file that describes a model, without weights: Keras's JSON, or TOML.

use std::fs;
use std::path::{Path, PathBuf};

use gatenorm::exec::Device;
use gatenorm::formats::{Compile, Description};
use gatenorm::model::Network;
use gatenorm::train::{Loss, Model};
use gatenorm::{Error, Result};
use serde_json::Value;

use super::options::one_input_and_output;

/// A file that describes a model.
pub struct Described {
    path: PathBuf,
    source: Source,
}

enum Source {
    Keras(Description),
    /// The shape of its inputs comes from the data.
    ByHand(Value),
}

impl Described {
    /// Reads a file, if its name is that of a description.
    pub fn read(path: &Path) -> Result<Option<Described>> {
        let is = |end: &str| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(end));
        if !is("json") && !is("toml") {
            return Ok(None);
        }
        let text = fs::read_to_string(path).map_err(|e| Error::io(path, "read", e))?;
        let source = if is("json") {
            Source::Keras(Description::from_json(&text).map_err(|error| blame(path, error))?)
        } else {
            let value = toml::from_str(&text).map_err(|e| Error::input(path, e.to_string().trim_end()))?;
            Source::ByHand(value)
        };
        Ok(Some(Described { path: path.to_owned(), source }))
    }

    /// Whether it says loss and optimizer itself.
    pub fn is_compiled(&self) -> bool {
        match &self.source {
            Source::Keras(description) => description.is_compiled(),
            Source::ByHand(value) => value.get("compile").is_some(),
        }
    }

    /// The loss that it says.
    pub fn loss(&self) -> Result<Option<Loss>> {
        // No loss depends on the shape.
        self.description(&[1, 1]).and_then(|description| description.loss()).map_err(|error| self.blame(error))
    }

    fn description(&self, input_shape: &[usize]) -> Result<Description> {
        match &self.source {
            Source::Keras(description) => Ok(description.clone()),
            Source::ByHand(value) => Description::by_hand(value, input_shape),
        }
    }

    /// Its layers, for inputs of this shape where it does not say one itself.
    pub fn network(&self, input_shape: Option<&[usize]>) -> Result<Network> {
        let shape = match (&self.source, input_shape) {
            (Source::ByHand(_), None) => {
                return Err(Error::usage(format!(
                    "{} does not say what its inputs are; say it with --input-shape, such as --input-shape 10,5 for 10 steps of 5 features",
                    self.path.display()
                )));
            }
            (Source::Keras(_), Some(_)) => {
                let path = self.path.display();
                return Err(Error::usage(format!("{path} says itself what its inputs are. Leave --input-shape out")));
            }
            (_, shape) => shape.unwrap_or_default(),
        };
        self.description(shape).and_then(|description| description.network()).map_err(|error| self.blame(error))
    }

    /// A model with fresh weights, and whether its Normalization has yet to be adapted.
    pub fn model(&self, input_shape: &[usize], device: Device, seed: u64, compile: Compile) -> Result<(Model, bool)> {
        let build = || {
            let description = self.description(input_shape)?;
            one_input_and_output(&description.network()?, &self.path)?;
            let adapts = description.must_adapt()?;
            Ok((description.model(device, seed, compile)?, adapts))
        };
        build().map_err(|error| self.blame(error))
    }

    fn blame(&self, error: Error) -> Error {
        blame(&self.path, error)
    }
}

/// Wrong use that a file is to blame for.
fn blame(path: &Path, error: Error) -> Error {
    match error {
        Error::Usage(message) => Error::input(path, message),
        other => other,
    }
}
