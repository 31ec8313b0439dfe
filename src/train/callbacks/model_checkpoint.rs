//! Saving the model as it trains.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::super::history::Scores;
use super::monitor::{Better, Monitor, monitored};
use super::path_template::PathTemplate;
use super::state::{self, exact};
use super::{Callback, Training};
use crate::error::{Error, Result};
use crate::formats::atomic;

const NAME: &str = "ModelCheckpoint";
const WEIGHTS: &str = ".weights.h5";

/// Saves the model after each epoch, or after each that is the best so far: Keras's `ModelCheckpoint`, with its `save_freq` of an
/// epoch. A file is written whole or not at all; folders that are missing are made.
#[derive(Clone, Debug)]
pub struct ModelCheckpoint {
    filepath: String,
    monitor: Monitor,
    save_best_only: bool,
    save_weights_only: bool,
    seen: Seen,
    template: Option<PathTemplate>,
}

/// What it has seen of a training.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Seen {
    #[serde(with = "exact")]
    best: Option<f64>,
    best_epoch: Option<usize>,
}

impl ModelCheckpoint {
    /// The name of the file may hold fields as in Python: `{epoch}`, counted from 1, and any of an epoch's scores, as in
    /// `models/{epoch:02d}-{val_loss:.3f}.keras`. It must end in `.keras`, or in `.weights.h5` for weights only.
    pub fn new(filepath: impl Into<String>) -> Self {
        ModelCheckpoint {
            filepath: filepath.into(),
            monitor: Monitor::new(NAME, 0.0),
            save_best_only: false,
            save_weights_only: false,
            seen: Seen::default(),
            template: None,
        }
    }

    monitored!();

    /// Saves only where the score is better than in all epochs before.
    pub fn save_best_only(self, best_only: bool) -> Self {
        ModelCheckpoint { save_best_only: best_only, ..self }
    }

    /// Saves by [`Model::save_weights`](crate::train::Model::save_weights): weights, moving statistics and the optimizer's state, but
    /// no layers.
    pub fn save_weights_only(self, weights_only: bool) -> Self {
        ModelCheckpoint { save_weights_only: weights_only, ..self }
    }

    /// What must be beaten from the first epoch on, with `save_best_only`.
    pub fn initial_value_threshold(self, threshold: f64) -> Self {
        let seen = Seen { best: Some(threshold), ..self.seen };
        ModelCheckpoint { seen, ..self }
    }

    /// The epoch, from 0, that `save_best_only` saved last.
    pub fn best_epoch(&self) -> Option<usize> {
        self.seen.best_epoch
    }

    fn refuse(&self, why: impl std::fmt::Display) -> Error {
        Error::usage(format!("{NAME} to `{}`: {why}", self.filepath))
    }

    /// Refuses a name that cannot be written, before anything was trained for it.
    fn check(&self, template: &PathTemplate, training: &Training<'_>) -> Result<()> {
        let ending = if self.save_weights_only { WEIGHTS } else { ".keras" };
        if !self.filepath.ends_with(ending) {
            let what = if self.save_weights_only { "weights" } else { "a model" };
            return Err(self.refuse(format!("the name of {what} must end in `{ending}`")));
        }
        let known = |field: &str| field == "epoch" || training.names.iter().any(|name| name == field);
        if let Some(field) = template.fields().find(|field| !known(field)) {
            let names = training.names.join(", ");
            return Err(self.refuse(format!("no score `{field}` will be there; fields may be: epoch, {names}")));
        }
        if template.fields().next().is_none() {
            let path = template.fill(0, &Scores::default()).map_err(|e| self.refuse(e))?;
            make_folder(path.as_ref())?;
            atomic::check(path.as_ref())?;
        }
        Ok(())
    }
}

fn make_folder(path: &Path) -> Result<()> {
    match path.parent() {
        Some(folder) => std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, "make the folder", e)),
        None => Ok(()),
    }
}

impl Callback for ModelCheckpoint {
    fn on_train_begin(&mut self, training: &mut Training<'_>) -> Result<()> {
        if self.save_best_only {
            self.monitor.begin(training)?;
        }
        let template = PathTemplate::parse(&self.filepath).map_err(|why| self.refuse(why))?;
        self.check(&template, training)?;
        self.template = Some(template);
        Ok(())
    }

    fn state(&mut self) -> Result<String> {
        state::write(&self.seen)
    }

    fn on_train_resume(&mut self, state: &str, training: &mut Training<'_>) -> Result<()> {
        self.on_train_begin(training)?;
        self.seen = state::read(NAME, state)?;
        Ok(())
    }

    fn on_epoch_end(&mut self, epoch: usize, logs: &mut Scores, training: &mut Training<'_>) -> Result<()> {
        let Some(template) = &self.template else { return Ok(()) };
        if self.save_best_only {
            match self.monitor.value(logs) {
                Some(value) if self.monitor.improves(value, self.seen.best) => self.seen.best = Some(value),
                _ => return Ok(()),
            }
            self.seen.best_epoch = Some(epoch);
        }
        let lacking = |field| self.refuse(format!("epoch {} has no score `{field}`", epoch + 1));
        let path = template.fill(epoch + 1, logs).map_err(lacking)?;
        make_folder(path.as_ref())?;
        if self.save_weights_only { training.model.save_weights(&path) } else { training.model.save(&path) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{feed, model, training};
    use super::*;

    /// The files that a script of `val_loss` leaves.
    fn files(name: &str, set: impl Fn(ModelCheckpoint) -> ModelCheckpoint, values: &[f64]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name).to_str().unwrap().to_owned();
        feed(&mut set(ModelCheckpoint::new(path)), &mut model(), "val_loss", values, |_, _| {});
        let entries = std::fs::read_dir(folder.path().join("m")).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_epochs_that_keras_would_save_are_saved() {
        let values = [0.5, 0.625, 0.25, 0.25, f64::NAN, 0.125];
        let named = "m/{epoch:02d}-{val_loss:.2f}.keras";
        let all = ["01-0.50.keras", "02-0.62.keras", "03-0.25.keras", "04-0.25.keras", "05-nan.keras", "06-0.12.keras"];
        assert_eq!(files(named, |c| c, &values), all);
        let best = |c: ModelCheckpoint| c.save_best_only(true);
        assert_eq!(files(named, best, &values), ["01-0.50.keras", "03-0.25.keras", "06-0.12.keras"]);
        assert_eq!(files(named, |c| best(c).initial_value_threshold(0.25), &values), ["06-0.12.keras"]);
        assert_eq!(files(named, |c| best(c).mode(Better::Max), &values), ["01-0.50.keras", "02-0.62.keras"]);
        assert_eq!(files("m/best.keras", best, &values), ["best.keras"]);
    }

    #[test]
    fn the_file_is_the_model_of_its_epoch() {
        use crate::exec::Device;
        use crate::train::Model;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("best.keras");
        let mut checkpoint = ModelCheckpoint::new(path.to_str().unwrap()).save_best_only(true);
        feed(&mut checkpoint, &mut model(), "val_loss", &[0.5, 0.25, 0.5, 0.75], |epoch, training| {
            training.model.set_weights([("dense/bias", [10.0 + epoch as f32].as_slice())]).unwrap();
        });
        // An epoch's weights are those that the epoch before left.
        assert_eq!(Model::load(&path, Device::Cpu).unwrap().variable("dense/bias").unwrap(), [10.0]);
        assert_eq!(checkpoint.best_epoch(), Some(1));
    }

    #[test]
    fn names_that_cannot_be_are_refused_before_training() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |name: &str, weights_only: bool, words: &str| {
            let (path, mut model) = (folder.path().join(name), model());
            let mut checkpoint = ModelCheckpoint::new(path.to_str().unwrap()).save_weights_only(weights_only);
            let error = checkpoint.on_train_begin(&mut training(&mut model, 1)).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        };
        refused("a.h5", false, "must end in `.keras`");
        refused("a.keras", true, "must end in `.weights.h5`");
        refused("{val_acc}.keras", false, "no score `val_acc` will be there; fields may be: epoch, loss, accuracy");
        refused("{epoch.keras", false, "without `}`");
        std::fs::create_dir(folder.path().join("folder.keras")).unwrap();
        refused("folder.keras", false, "is a folder");
    }
}
