//! Training trials, one rung after another.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};

use super::folder::Folder;
use super::hyperparameters::Hyperparameters;
use super::objective::Objective;
use super::schedule::{Method, Rung};
use super::space::Space;
use super::trial::{Ended, Trial, best, standing};
use super::watch::Watch;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::exec::Device;
use crate::train::{Checkpoints, Fit, History, Model, Scores, hash_of};

/// How often a trial that takes long is saved, so that it need not begin anew.
const SAVE_EVERY: Duration = Duration::from_secs(60);

/// What is searched, and how.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Search {
    /// The values that trials draw from.
    pub space: Space,
    /// How epochs are shared out.
    pub method: Method,
    /// How many trials.
    pub trials: usize,
    /// The most epochs of a trial.
    pub epochs: usize,
    /// What they are judged by.
    pub objective: Objective,
    /// Seed of all drawing. Trial k trains from the seed that is k more.
    pub seed: u64,
    /// The most time that epochs may take, all sittings together: the epoch that is under way then is the last.
    #[serde(skip)]
    pub budget: Option<Duration>,
}

/// The data for one window.
#[derive(Clone, Debug)]
pub struct Sampled {
    /// One of the space's windows; none where it has none.
    pub window: Option<usize>,
    /// What trials train on.
    pub train: Dataset,
    /// What they are measured on.
    pub validation: Dataset,
}

/// Where a search runs.
pub struct Setting<'a> {
    /// The folder that it is kept in; see [`Folder`].
    pub folder: &'a Path,
    /// The data, for each window of the space.
    pub data: &'a [Sampled],
    /// Where models are trained.
    pub device: &'a Device,
    /// Ends the search once it is set, as [`Fit::interrupt`] does. It is set, too, when the time is up.
    pub interrupt: Arc<AtomicBool>,
}

/// What a search tells as it goes.
pub enum Event<'a> {
    /// A trial has trained for so many epochs, of those that it trains for in this rung.
    Epoch {
        /// Its number, from 1.
        trial: usize,
        /// Epochs that it has trained for.
        epoch: usize,
        /// Where it stands.
        rung: Rung,
        /// The epoch's scores.
        scores: &'a Scores,
    },
    /// A trial has come to the end of a rung, or was cut off.
    Trial {
        /// What came of it.
        trial: &'a Trial,
        /// Whether it is the best so far.
        best: bool,
    },
}

/// What a search has found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Found {
    /// Each trial as far as it came: the best first, those that failed at the end.
    pub trials: Vec<Trial>,
    /// What ended the search before its end: [`Ended::Budget`] or [`Ended::Interrupted`].
    pub cut: Option<Ended>,
}

impl Found {
    /// The best trial, whose model is in the folder.
    pub fn best(&self, objective: &Objective) -> Option<&Trial> {
        self.trials.first().filter(|trial| trial.value(objective).is_some())
    }
}

/// What is trained next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub trial: usize,
    pub rung: usize,
}

impl Search {
    /// Trains the trials that have not been trained yet, with models that `build` makes of what they drew, their seed and the data to
    /// train on.
    ///
    /// A trial that diverges, or whose model is refused, is a result like others. Errors: a space or a schedule that cannot be, a folder
    /// that cannot be used or holds another search, files that cannot be read or written.
    pub fn run(
        &self,
        setting: &Setting<'_>,
        mut build: impl FnMut(&Hyperparameters, u64, &Dataset) -> Result<Model>,
        mut watch: impl FnMut(Event<'_>),
    ) -> Result<Found> {
        self.space.check()?;
        let rungs = self.rungs()?;
        let (folder, mut records) = Folder::open(setting.folder, &self.identity(setting.data)?)?;
        let until = self.budget.map(|budget| Instant::now() + self.left(budget, &records));
        let at = Place { setting, folder, until };
        let mut cut = None;
        while let Some(job) = self.next(&rungs, &records) {
            cut = at.cut();
            if cut.is_some() {
                break;
            }
            let trial = self.train(job, rungs[job.rung], &at, &mut build, &mut watch)?;
            records.retain(|record| (record.trial, record.rung) != (job.trial, job.rung));
            records.push(trial.clone());
            at.folder.write(&records)?;
            let best = self.keep_best(&at.folder, &records)? == Some(trial.trial);
            watch(Event::Trial { trial: &trial, best });
        }
        self.keep_best(&at.folder, &records)?;
        if cut.is_none() {
            at.folder.end(&records);
        }
        Ok(Found { trials: standing(&records, &self.objective), cut })
    }

    /// The rungs of its schedule.
    pub fn rungs(&self) -> Result<Vec<Rung>> {
        self.method.rungs(self.trials, self.epochs)
    }

    /// What is left of the time after what is known of trials.
    fn left(&self, budget: Duration, records: &[Trial]) -> Duration {
        let used = standing(records, &self.objective).iter().map(|trial| trial.seconds).sum();
        budget.saturating_sub(Duration::try_from_secs_f64(used).unwrap_or_default())
    }

    /// What tells it, with its data, from other searches.
    fn identity(&self, data: &[Sampled]) -> Result<Value> {
        let of = |data: &Dataset| Ok(json!({ "samples": data.len(), "hash": hash_of(data)? }));
        let of_window =
            |d: &Sampled| Ok(json!({ "window": d.window, "train": of(&d.train)?, "validation": of(&d.validation)? }));
        let data = data.iter().map(of_window).collect::<Result<Vec<Value>>>()?;
        Ok(json!({ "search": self, "data": data }))
    }

    /// What is trained next, after what is known of trials: all of a rung before the next one, the best first.
    pub(super) fn next(&self, rungs: &[Rung], records: &[Trial]) -> Option<Job> {
        for (rung, of_rung) in rungs.iter().enumerate() {
            let entrants: Vec<usize> = match rung {
                0 => (1..=of_rung.trials).collect(),
                _ => {
                    let before = records.iter().filter(|record| record.rung + 1 == rung);
                    best(before, &self.objective).iter().take(of_rung.trials).map(|record| record.trial).collect()
                }
            };
            let done = |trial: usize| records.iter().any(|r| (r.trial, r.rung) == (trial, rung) && !r.is_cut());
            if let Some(trial) = entrants.into_iter().find(|&trial| !done(trial)) {
                return Some(Job { trial, rung });
            }
        }
        None
    }

    /// Keeps the model of the best trial so far, which is given.
    fn keep_best(&self, folder: &Folder, records: &[Trial]) -> Result<Option<usize>> {
        let best =
            standing(records, &self.objective).first().filter(|t| t.value(&self.objective).is_some()).map(|t| t.trial);
        best.map_or(Ok(()), |trial| folder.keep(trial))?;
        Ok(best)
    }

    /// Trains a trial up to the end of a rung, or as far as it comes.
    fn train(
        &self,
        job: Job,
        rung: Rung,
        at: &Place<'_>,
        build: &mut Build<'_>,
        watch: &mut Tell<'_>,
    ) -> Result<Trial> {
        let hyperparameters = self.space.draw(self.seed, job.trial);
        let seed = self.seed.wrapping_add(job.trial as u64);
        let mut tell = |epoch: usize, scores: &Scores| watch(Event::Epoch { trial: job.trial, epoch, rung, scores });
        let mut look = Watch {
            objective: &self.objective,
            best: None,
            file: at.folder.best_of(job.trial),
            epochs: 0,
            until: at.until,
            interrupt: at.setting.interrupt.clone(),
            tell: &mut tell,
        };
        let began = Instant::now();
        let fitted = at.fit(job.trial, rung, (&hyperparameters, seed), &mut look, build);
        let mut trial = Trial {
            trial: job.trial,
            rung: job.rung,
            seed,
            hyperparameters,
            epochs: look.epochs,
            best_epoch: 0,
            scores: Default::default(),
            history: Vec::new(),
            seconds: began.elapsed().as_secs_f64(),
            ended: Ended::Whole,
        };
        match fitted {
            Ok(history) => self.take(&mut trial, &history, at.cut()),
            Err(error @ (Error::Io { .. } | Error::Input { .. })) => return Err(error),
            Err(error @ Error::NonFinite { .. }) => trial.ended = Ended::Diverged(error.to_string()),
            Err(error) => trial.ended = Ended::Refused(error.to_string()),
        }
        Ok(trial)
    }

    /// What training gave.
    fn take(&self, trial: &mut Trial, history: &History, cut: Option<Ended>) {
        trial.epochs = history.epochs.len();
        trial.seconds = history.epochs.iter().map(|epoch| epoch.seconds).sum();
        let finite = |(name, value): &(String, f64)| (name.clone(), Some(*value).filter(|value| value.is_finite()));
        trial.history = history.epochs.iter().map(|epoch| epoch.scores.0.iter().map(finite).collect()).collect();
        let mut best = None;
        for (epoch, scores) in history.epochs.iter().zip(&trial.history) {
            if let Some(value) = epoch.scores.get(&self.objective.name).filter(|&v| self.objective.improves(v, best)) {
                best = Some(value);
                trial.best_epoch = epoch.epoch;
                trial.scores = scores.clone();
            }
        }
        trial.ended = match cut.filter(|_| history.interrupted) {
            Some(cut) => cut,
            None if best.is_none() => {
                Ended::Diverged(format!("`{}` was not finite after any epoch", self.objective.name))
            }
            None => Ended::Whole,
        };
    }
}

/// Makes a model of what a trial drew, its seed and the data to train on.
type Build<'a> = dyn FnMut(&Hyperparameters, u64, &Dataset) -> Result<Model> + 'a;
type Tell<'a> = dyn FnMut(Event<'_>) + 'a;

/// Where and until when trials are trained.
struct Place<'a> {
    setting: &'a Setting<'a>,
    folder: Folder,
    until: Option<Instant>,
}

impl Place<'_> {
    /// What ends the search now.
    fn cut(&self) -> Option<Ended> {
        if self.until.is_some_and(|until| Instant::now() >= until) {
            return Some(Ended::Budget);
        }
        self.setting.interrupt.load(Ordering::Relaxed).then_some(Ended::Interrupted)
    }

    /// Trains a trial, from where it was.
    fn fit(
        &self,
        trial: usize,
        rung: Rung,
        (drawn, seed): (&Hyperparameters, u64),
        look: &mut Watch<'_>,
        build: &mut Build<'_>,
    ) -> Result<History> {
        let data = self.setting.data.iter().find(|data| data.window == drawn.window);
        let data = data.ok_or_else(|| Error::usage("there are no data for a window of the space"))?;
        let folder = self.folder.of_trial(trial);
        let last = folder.join(Checkpoints::LAST);
        let resumes = last.exists();
        let mut model = match resumes {
            true => Model::load(&last, self.setting.device.clone())?,
            false => build(drawn, seed, &data.train)?,
        };
        let fit = Fit::epochs(rung.epochs)
            .batch_size(drawn.batch_size)
            .validation(&data.validation)
            .checkpoints(Checkpoints::new(folder).every_epochs(usize::MAX).every(SAVE_EVERY))
            .interrupt(self.setting.interrupt.clone())
            .callback(look);
        model.fit(&data.train, if resumes { fit.resume() } else { fit })
    }
}
