//! Models as `.keras` files.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::keras_archive::KerasArchive;
use super::keras_state::State;
use super::keras_weights::Arrays;
use super::{keras_compile, keras_config, keras_state, keras_weights};
use crate::error::{Error, Result};
use crate::exec::{Choices, Device};
use crate::train::{Compilation, DataSpec, Model, Progressed, RunState, UsualErrors};

/// The release whose format this is; later ones read it too. Keras writes its own release here, and reads none.
const KERAS_VERSION: &str = "3.0.5";
/// Of gatenorm.json.
const FORMAT: u32 = 1;

/// What Keras has no place for, as gatenorm.json.
#[derive(Serialize, Deserialize)]
struct Extra {
    format: u32,
    /// The version that wrote it.
    gatenorm: String,
    data: Option<DataSpec>,
    seed: u64,
    epochs: u64,
    /// Of the optimizer's weight decay, which Keras forgets in its files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    exclude_from_weight_decay: Vec<String>,
    /// By which anomalies are scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    usual_errors: Option<UsualErrors>,
    /// What computed the kernels on a GPU, so that training goes on to the bit there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    variants: Option<Choices>,
    /// Of a checkpoint, where its run was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<RunState>,
}

impl Model {
    /// Writes the model as a `.keras` file, which Keras 3 opens with `keras.models.load_model` and trains further: layers, loss,
    /// optimizer, metrics, weights, moving statistics, and the optimizer's state. The file is written whole or not at all; the
    /// same model gives the same bytes. Keras only opens names that end in `.keras`.
    ///
    /// The weights are those in 32 bits: after [`Model::load`], a model on [`Device::Cpu`] or a GPU trains on to the bit as if it
    /// had never been saved, and one on [`Device::CpuF64`] nearly so.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if a weight is not finite, or a layer's name holds a `/`; [`Error::Io`] if the file cannot be written.
    pub fn save(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let compilation = Compilation {
            losses: self.losses().to_vec(),
            optimizer: self.optimizer().clone(),
            metrics: self.metrics().to_vec(),
        };
        let weights = self.arrays(&compilation)?;
        let mut config = keras_config::write(self.network()).map_err(unsaved)?;
        config.insert("compile_config".into(), keras_compile::write(&compilation, self.network()));
        let Progressed { seed, epochs } = self.progressed();
        let extra = Extra {
            format: FORMAT,
            gatenorm: env!("CARGO_PKG_VERSION").to_owned(),
            data: self.data_spec().cloned(),
            seed,
            epochs,
            exclude_from_weight_decay: compilation.optimizer.common().exclude_from_weight_decay.clone(),
            usual_errors: self.usual_errors().cloned(),
            variants: self.choices(),
            run: self.run_state.clone(),
        };
        let extra = serde_json::to_value(extra).map_err(|e| unsaved(e.to_string()))?;
        let metadata = json!({ "keras_version": KERAS_VERSION });
        KerasArchive { config: config.into(), metadata, weights, extra: Some(extra) }.write(path.as_ref())
    }

    /// Everything that a weights file holds.
    pub(super) fn arrays(&mut self, compilation: &Compilation) -> Result<Arrays> {
        let mut arrays = Arrays::new();
        let values = self.weights()?.into_iter().map(|weight| weight.values);
        keras_weights::write(&mut arrays, self.network(), values).map_err(unsaved)?;
        let state = State { iterations: self.iterations(), moments: self.optimizer_state()? };
        keras_state::write(&mut arrays, self.network(), &compilation.optimizer, state).map_err(unsaved)?;
        Ok(arrays)
    }

    /// Reads a `.keras` file, saved here or by any release of Keras 3, onto a device, ready to predict and to train further.
    ///
    /// It may hold a `Sequential` or a `Functional` of `LSTM`, `BatchNormalization`, `Dense` and `Normalization` layers, compiled with any of the optimizers here. A
    /// model that was not compiled gets Adam, and the loss that fits its last layer: binary crossentropy for a single sigmoid, else
    /// the mean squared error. Of a file from Keras, which does not hold them,
    /// the seed is 0 and no epoch has been shuffled.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] if the file is damaged, or holds a layer, or an argument that changes results, which is not supported here:
    /// none is passed over. [`Error::Io`] if it cannot be read, [`Error::Device`] if the device cannot take it.
    pub fn load(path: impl AsRef<Path>, device: Device) -> Result<Model> {
        let path = path.as_ref();
        let archive = KerasArchive::read(path)?;
        let extra = archive.extra.as_ref().map(read_extra).transpose().map_err(|why| in_file(path, EXTRA, why))?;
        let undecayed = extra.as_ref().map(|extra| extra.exclude_from_weight_decay.as_slice()).unwrap_or_default();
        let mut model = from_archive(path, &archive, undecayed, device)?;
        if let Some(Extra { data, seed, epochs, usual_errors, variants, run, .. }) = extra {
            model.set_data_spec(data);
            model.set_usual_errors(usual_errors);
            model.set_progressed(Progressed { seed, epochs });
            if let Some(variants) = variants {
                model.set_choices(variants);
            }
            model.run_state = run;
        }
        Ok(model)
    }
}

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.weights.h5";
const EXTRA: &str = "gatenorm.json";

fn in_file(path: &Path, member: &str, why: impl std::fmt::Display) -> Error {
    Error::input(path, format!("{member}: {why}"))
}

fn unsaved(why: String) -> Error {
    Error::usage(format!("the model cannot be saved: {why}"))
}

/// Wrong use that a file is to blame for.
fn blame(path: &Path, error: Error) -> Error {
    match error {
        Error::Usage(message) => in_file(path, CONFIG, message),
        other => other,
    }
}

/// `undecayed` are words in the names of variables that keep out of the weight decay.
fn from_archive(path: &Path, archive: &KerasArchive, undecayed: &[String], device: Device) -> Result<Model> {
    let in_config = |why| in_file(path, CONFIG, why);
    let in_weights = |why| in_file(path, WEIGHTS, why);
    let version = archive.metadata.get("keras_version").and_then(Value::as_str).unwrap_or_default();
    if version.starts_with("2.") {
        let why = format!("saved by Keras {version}, whose files differ; load it in Keras 3 and save it again");
        return Err(in_file(path, "metadata.json", why));
    }
    let read = keras_config::network_from_config(&archive.config).map_err(in_config)?;
    let network = read.network;
    let compiled = keras_compile::read(archive.config.get("compile_config"), &network).map_err(in_config)?;
    let values = keras_weights::read(&archive.weights, &network, &read.scaling).map_err(in_weights)?;
    let (compilation, state) = match compiled {
        Some(mut compilation) => {
            let common = compilation.optimizer.common_mut();
            if common.weight_decay.is_some() {
                common.exclude_from_weight_decay = undecayed.to_vec();
            }
            let state =
                keras_state::read(&archive.weights, &network, &mut compilation.optimizer).map_err(in_weights)?;
            (compilation, state)
        }
        // Nothing says what an optimizer's state, if there is one, would belong to.
        None => (keras_compile::fitting(&network), None),
    };
    let mut model = Model::resume(network, compilation, device, |i, _| values.get(i).cloned().unwrap_or_default())
        .map_err(|error| blame(path, error))?;
    if let Some(State { iterations, moments }) = state {
        model.set_optimizer_state(iterations, &moments)?;
    }
    Ok(model)
}

fn read_extra(value: &Value) -> Result<Extra, String> {
    match value.get("format").and_then(Value::as_u64) {
        Some(format) if format > u64::from(FORMAT) => {
            return Err(format!(
                "written by a newer gatenorm (format {format}); this version reads {FORMAT}: update it"
            ));
        }
        _ => {}
    }
    Extra::deserialize(value).map_err(|e| format!("{e}; the file was edited: save the model again"))
}
