//! `gatenorm train`

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use gatenorm::data::{Dataset, TargetOf};
use gatenorm::formats::{Compile, atomic};
use gatenorm::model::{Mode, grouped};
use gatenorm::train::{DataSpec, Fit, ForecastErrors, History, LearningRateScheduler, Loss, Model, Optimizer, Scores};
use gatenorm::{Error, exec::Device};
use serde_json::json;

use super::bn_statistics::StatisticsFlags;
use super::callbacks::CallbackFlags;
use super::class_weight::numbered;
use super::course::{CourseFlags, Keep};
use super::held_out::HeldOutFlags;
use super::interrupt;
use super::memory::MemoryFlags;
use super::model_file::Described;
use super::new_model::LayerFlags;
use super::optimizer::OptimizerFlags;
use super::options::{DeviceFlags, Read, TableFlags, keep_apart};
use super::page;
use super::profile::ProfileFlags;
use super::progress::Show;
use super::report::{Interrupted, talk};
use super::run_folder::RunFlags;
use super::{anomalies, forecasts, options, report, run_config};

/// Trains a model on the windows or rows of a CSV file, or on the series of a .ts file.
///
/// A new model is Normalization (which scales the columns), Masking where series have unequal lengths, for each of --units
/// an LSTM and a BatchNormalization, then Dense. With --model an earlier one is trained on, or one that a file describes.
#[derive(Args)]
#[command(
    after_help = "Example:\n  gatenorm train data/occupancy/datatraining.txt --target Occupancy --window 10 \\\n    \
                        --validation data/occupancy/datatest.txt --keep best --out room.keras"
)]
pub struct Train {
    /// A CSV file: a line of column names, then rows of numbers, in the order of time unless with --row-steps. Or labelled series: a
    /// .ts, .arff or .npz file, or a folder or .zip of a CSV file for each.
    #[arg(required = true)]
    data: Vec<PathBuf>,
    /// Where to save the model. It is written whole, after training.
    #[arg(long, value_name = "FILE.keras")]
    out: PathBuf,
    #[command(flatten, next_help_heading = "Data")]
    table: TableFlags,
    /// Learn to give the windows back, scaled, instead of a target: an LSTM autoencoder (unless --model describes another model), whose
    /// error tells which windows are unusual; see `gatenorm predict --help`. It has no batch normalisation.
    #[arg(long, conflicts_with_all = ["target", "horizon", "return_sequences", "class_weight"])]
    reconstruct: bool,
    #[command(flatten)]
    held_out: HeldOutFlags,
    #[command(flatten)]
    layers: LayerFlags,
    #[command(flatten)]
    optimizer: OptimizerFlags,
    #[command(flatten)]
    course: CourseFlags,
    #[command(flatten, next_help_heading = "Training")]
    statistics: StatisticsFlags,
    #[command(flatten)]
    callbacks: CallbackFlags,
    /// Write a page with curves, a confusion matrix or predicted against true numbers, the data, the command and the device. It
    /// holds its pictures and opens without a network. A run's folder gets one anyhow.
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Open that page, or the run's folder's, in the browser once the training is over.
    #[arg(long)]
    open: bool,
    #[command(flatten)]
    run: RunFlags,
    /// The options that were typed, as a run's folder keeps them.
    #[arg(skip)]
    pub options: toml::Table,
    #[command(flatten, next_help_heading = "Where and how")]
    device: DeviceFlags,
    #[command(flatten)]
    memory: MemoryFlags,
    /// Print the plan of a training step, its buffers and kernels, before training.
    #[arg(long, conflicts_with = "json")]
    dump_plan: bool,
    #[command(flatten)]
    profile: ProfileFlags,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Checks, trains, saves, reports.
pub fn run(args: &Train) -> Result<()> {
    args.optimizer.check()?;
    args.course.check()?;
    let mut read: Vec<Option<&PathBuf>> = args.data.iter().map(Some).collect();
    read.extend([args.held_out.validation.as_ref(), args.table.labels.as_ref()]);
    keep_apart("--out", &args.out, &read)?;
    let (parts, schedule) = (args.course.epochs.len() > 1, args.optimizer.has_schedule());
    if parts && schedule {
        let text = "--schedule and several numbers in --learning-rate both set the learning rate. Leave one out";
        return Err(Error::usage(text).into());
    }
    let fixed = if parts { Some("several numbers in --learning-rate") } else { schedule.then_some("--schedule") };
    args.callbacks.check(&[&read[..], &[args.course.model.as_ref()]].concat(), fixed)?;
    atomic::check(&args.out)?;
    page::check(args.report.as_deref(), &read)?;
    if args.open && args.page().is_none() {
        return Err(Error::usage(
            "--open opens the page of --report FILE.html or of a run's folder, --checkpoint DIR: name one",
        )
        .into());
    }
    args.profile.check()?;
    let (mut model, train, validation) = match &args.course.model {
        Some(file) => match Described::read(file)? {
            Some(described) => begin_described(args, file, &described)?,
            None => {
                args.layers.leave_out(file, true, true)?;
                resume(args, file)?
            }
        },
        None => begin(args)?,
    };
    args.run.begin(&args.options, model.device())?;
    if let Some(last) = args.run.last() {
        model = go_on(&last, model)?;
    }
    args.memory.apply(&mut model);
    args.statistics.check(&mut model, &train)?;
    let plan = model.plan(&train, Mode::Train, args.course.batch_size.min(train.len()))?;
    let (trainable, others) = model.network().table.count();
    let (parameters, memory) = (grouped(trainable + others), model.memory_of(&plan));
    talk!("model    {}; {parameters} parameters, {memory}", model.network().line());
    if args.dump_plan {
        report::print(&plan)?;
    }
    if args.profile.wanted() {
        model.start_profile();
    }
    let began = Instant::now();
    let history = fit(args, &mut model, &train, validation.as_ref())?;
    if history.interrupted {
        return interrupted(args, &mut model, &history, &train, validation.as_ref());
    }
    let population = args.statistics.estimate(&mut model, &train, validation.as_ref(), args.course.batch_size)?;
    let found = model.find_usual_errors(validation.as_ref().unwrap_or(&train));
    // What was trained is kept whether or not that went well.
    model.save(&args.out)?;
    found?;
    let seconds = began.elapsed().as_secs_f64();
    let forecasts = model.forecast_errors(validation.as_ref().unwrap_or(&train))?;
    let trained = Trained { history, population, forecasts, seconds };
    model.profile().map_or(Ok(()), |profile| args.profile.save(profile))?;
    args.write_pages(&mut model, &trained.history, &train, validation.as_ref())?;
    finish(args, &model, &trained, &train, validation.as_ref())
}

/// What came of it.
struct Trained {
    history: History,
    /// Figures with statistics of the whole training data.
    population: Option<Scores>,
    /// Errors of forecasts, the model's and those without one.
    forecasts: Vec<ForecastErrors>,
    seconds: f64,
}

type Prepared = (Model, Dataset, Option<Dataset>);

/// The model of a checkpoint, on the device of this one.
fn go_on(last: &Path, model: Model) -> Result<Model> {
    let device = model.device().clone();
    drop(model);
    Ok(Model::load(last, device)?)
}

/// What is left of a run that was interrupted.
fn interrupted(
    args: &Train,
    model: &mut Model,
    history: &History,
    train: &Dataset,
    validation: Option<&Dataset>,
) -> Result<()> {
    model.save(&args.out)?;
    args.write_pages(model, history, train, validation)?;
    talk!("interrupted after {} epochs; saved {}", history.epochs.len(), args.out.display());
    if let Some(folder) = args.run.folder() {
        talk!("go on: gatenorm train --resume {}", report::typed(folder));
    }
    Err(Interrupted.into())
}

/// A new model, and the data that it is made for.
fn begin(args: &Train) -> Result<Prepared> {
    let data = args.load(args.layers.named_loss())?;
    let head = args.layers.head(&data)?;
    let (spec, seed) = (DataSpec::of(&data), args.layers.seed());
    let (train, validation) = args.held_out.split(data, &args.table, None, seed)?;
    let device = open(args, &train, validation.as_ref())?;
    let mut model = args.layers.compile(&head, &train, device, args.optimizer(train.len())?)?;
    model.set_data_spec(Some(spec));
    reconstructing(model, train, validation)
}

/// The data with what the model is to give back, where that is themselves.
fn reconstructing(mut model: Model, mut train: Dataset, mut validation: Option<Dataset>) -> Result<Prepared> {
    if train.reading().target_of == TargetOf::Input {
        train = model.with_reconstruction(&train)?;
        validation = validation.map(|data| model.with_reconstruction(&data)).transpose()?;
    }
    Ok((model, train, validation))
}

/// A new model of described layers, and the data that it is made for.
fn begin_described(args: &Train, file: &Path, described: &Described) -> Result<Prepared> {
    let compiled = described.is_compiled();
    args.layers.leave_out(file, compiled, false)?;
    let data = args.load(args.layers.named_loss().or(described.loss()?))?;
    let rate = args.course.learning_rate.first().copied();
    let (spec, seed) = (DataSpec::of(&data), args.layers.seed());
    let (train, validation) = args.held_out.split(data, &args.table, None, seed)?;
    let compile = match compiled {
        true => Compile::default(),
        false => args.layers.compiled(&train, args.optimizer(train.len())?)?,
    };
    let device = open(args, &train, validation.as_ref())?;
    let (mut model, adapts) = described.model(train.input_shape(), device, seed, compile)?;
    if let Some(rate) = rate.filter(|_| compiled) {
        model.set_learning_rate(rate)?;
    }
    if adapts {
        model.adapt(&train)?;
    }
    model.set_data_spec(Some(spec));
    reconstructing(model, train, validation)
}

/// An earlier model, and data read as it says.
fn resume(args: &Train, file: &Path) -> Result<Prepared> {
    let (device, why) = args.device.open()?;
    let mut model = Model::load(file, device)?;
    let reconstructs = model.data_spec().is_some_and(|spec| spec.reading.target_of == TargetOf::Input);
    if args.reconstruct && !reconstructs {
        return Err(Error::usage(format!(
            "--reconstruct does not fit here: {} was not trained with it. Leave it out, or train a new model without --model",
            file.display()
        ))
        .into());
    }
    if let Some(&rate) = args.course.learning_rate.first() {
        model.set_learning_rate(rate)?;
    }
    let read = Read { targets: true, new_categories: false };
    let data = args.table.load_for(&args.data, &model, file, read)?;
    let spec = DataSpec::of(&data);
    let (train, validation) = args.held_out.split(data, &args.table, None, model.network().seed)?;
    tell_data(&train, validation.as_ref());
    options::tell_device(model.device(), why.as_deref());
    model.set_data_spec(Some(spec));
    reconstructing(model, train, validation)
}

fn open(args: &Train, train: &Dataset, validation: Option<&Dataset>) -> Result<Device> {
    tell_data(train, validation);
    Ok(args.device.open_and_tell()?)
}

fn tell_data(train: &Dataset, validation: Option<&Dataset>) {
    report::tell_data(train);
    if let Some(data) = validation {
        let balance = report::balance(data).map(|b| format!(": {b}")).unwrap_or_default();
        talk!("         {} {} to validate with{balance}", grouped(data.len()), report::samples(data));
    }
}

fn fit(args: &Train, model: &mut Model, train: &Dataset, validation: Option<&Dataset>) -> Result<History> {
    let mut show = Show::new();
    let mut stopping = args.callbacks.early_stopping(validation.is_some());
    let mut fit = Fit::epochs(args.course.all_epochs())
        .batch_size(args.course.batch_size)
        .shuffle(!args.course.no_shuffle)
        .keep_best(args.course.keep == Keep::Best);
    if let Some(weights) = &args.course.class_weight {
        fit = fit.class_weight(numbered(weights, train)?);
    }
    if args.course.epochs.len() > 1 {
        fit = fit.callback(LearningRateScheduler::new(|epoch, _| args.course.rate_at(epoch)));
    }
    if let Some(data) = validation {
        fit = fit.validation(data);
    }
    fit = args.callbacks.add(fit, validation.is_some(), args.run.begins_again()).interrupt(interrupt::flag()?);
    fit = args.run.add(fit, &args.callbacks.monitor(validation.is_some()));
    if args.run.last().is_some() {
        fit = fit.resume();
    }
    if let Some(stopping) = &mut stopping {
        fit = fit.callback(stopping);
    }
    fit = fit.callback(&mut show);
    let history = model.fit(train, fit).with_context(|| format!("nothing was saved to {}", args.out.display()))?;
    if let Some(epoch) = stopping.and_then(|stopping| stopping.stopped_epoch()) {
        talk!("stopped after epoch {}: no improvement any more", epoch + 1);
    }
    Ok(history)
}

fn finish(args: &Train, model: &Model, trained: &Trained, train: &Dataset, validation: Option<&Dataset>) -> Result<()> {
    let Trained { history, population, forecasts, seconds } = trained;
    let saved = history.best_epoch.unwrap_or(history.epochs.len());
    let best = history.best();
    if args.json {
        let (name, value, epoch) = best.unwrap_or(("loss", f64::NAN, 0));
        let (trainable, others) = model.network().table.count();
        return report::json(&json!({
            "out": args.out,
            "device": model.device().to_string(),
            "samples": train.len(),
            "validation_samples": validation.map(Dataset::len),
            "parameters": trainable + others,
            "seconds": seconds,
            "best": { "epoch": epoch, "name": name, "value": value },
            "saved_epoch": saved,
            "population": population,
            "epochs": history.epochs,
            "forecasts": (!forecasts.is_empty()).then_some(forecasts),
            "usual_errors": model.usual_errors(),
            "profile": model.profile().map(|profile| super::profile::object(profile, model.device())).transpose()?,
        }));
    }
    let best_text = best.map(|(name, value, epoch)| format!("; best {name} {value:.4} at epoch {epoch}"));
    let which = match best {
        Some((_, _, epoch)) if epoch != saved => {
            format!(" as after epoch {saved} (--keep best saves the best epoch's)")
        }
        _ => String::new(),
    };
    let (took, best_text) = (report::duration(*seconds), best_text.unwrap_or_default());
    if let Some(profile) = model.profile() {
        report::print(super::profile::table(profile, model.device())?)?;
    }
    if let Some(scores) = population {
        report::print(format!("with the training data's statistics in batch normalisation: {scores}"))?;
    }
    if let Some(table) = forecasts::table(forecasts, validation.map_or("training", |_| "validation")) {
        report::print(table)?;
    }
    if let Some(usual) = model.usual_errors() {
        let which = validation.map_or("training", |_| "validation");
        report::print(anomalies::usual(usual, which))?;
    }
    report::print(format!("done in {took}{best_text}; saved {}{which}", args.out.display()))?;
    if args.out.extension().is_none_or(|e| e != "keras") {
        talk!("note: Keras opens only files whose names end in .keras");
    }
    if let Some(folder) = args.run.folder() {
        let config = folder.join(run_config::TRAIN.file);
        talk!("again: gatenorm train --config {} --out again.keras", report::typed(&config));
    }
    let (out, data) = (
        report::typed(&args.out),
        args.held_out.validation.as_deref().map_or_else(|| report::typed_all(&args.data), report::typed),
    );
    let reconstructs = train.reading().target_of == TargetOf::Input;
    let command = if validation.is_some() && !reconstructs { "evaluate" } else { "predict" };
    talk!("next: gatenorm {command} {out} {data}");
    Ok(())
}

impl Train {
    /// Reads the data of a new model.
    fn load(&self, loss: Option<Loss>) -> gatenorm::Result<Dataset> {
        match self.reconstruct {
            true => self.table.load_to_reconstruct(&self.data),
            false => self.table.load(&self.data, loss),
        }
    }

    /// Writes the pages that tell of the training.
    fn write_pages(
        &self,
        model: &mut Model,
        history: &History,
        train: &Dataset,
        validation: Option<&Dataset>,
    ) -> Result<()> {
        let of_run = self.run.folder().map(|folder| folder.join(page::FILE));
        let files: Vec<&Path> = self.report.as_deref().into_iter().chain(of_run.as_deref()).collect();
        page::write(&files, &self.out, model, page::Told { history, train, validation })?;
        if let Some(page) = self.page().filter(|_| self.open) {
            page::open(&page);
        }
        Ok(())
    }

    /// A page that tells of the training, where one is written.
    fn page(&self) -> Option<PathBuf> {
        self.report.clone().or_else(|| self.run.folder().map(|folder| folder.join(page::FILE)))
    }

    /// The optimizer of a new model for so many samples.
    fn optimizer(&self, samples: usize) -> gatenorm::Result<Optimizer> {
        let steps = self.course.all_epochs() * samples.div_ceil(self.course.batch_size);
        self.optimizer.optimizer(self.course.learning_rate.first().copied(), steps as u64)
    }
}
