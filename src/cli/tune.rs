//! `gatenorm tune`

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use gatenorm::Error;
use gatenorm::data::Dataset;
use gatenorm::exec::Device;
use gatenorm::formats::atomic;
use gatenorm::model::Stack;
use gatenorm::search::{Ended, Event, Folder, Found, Objective, Sampled, Search, Setting, Trial};
use gatenorm::train::{Adam, DataSpec, Model};
use serde_json::json;

use super::head::Head;
use super::held_out::HeldOutFlags;
use super::new_model::{LossName, NewModel, is_masked};
use super::options::{DeviceFlags, TableFlags, keep_apart};
use super::report::{self, Interrupted, talk};
use super::tune_course::CourseFlags;
use super::tune_progress::Progress;
use super::tune_space::SpaceFlags;
use super::{interrupt, page, run_config, run_folder, tune_again, tune_tables as tables};

/// Searches for hyper-parameters: trains many models that draw theirs at random, and keeps the best.
///
/// The models are those of `train`: Normalization, Masking where it is needed, the LSTMs, Dense, trained by Adam. A trial is judged by the
/// best of its epochs. A trial that diverges or is refused is a line of the table, not the end.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  gatenorm tune data/occupancy/datatraining.txt --target Occupancy --windows 10,20 \\\n    \
                         --validation data/occupancy/datatest.txt --trials 30 --budget 20m --folder search --out room.keras\n  \
                         gatenorm tune --resume search\n\n\
                         `tune-kernels`, in spite of its name, has nothing to do with this: it is about how fast a GPU computes."
)]
pub struct Tune {
    /// A CSV file, as `train` takes it, or a file of labelled series.
    #[arg(required = true)]
    data: Vec<PathBuf>,
    /// Where to save the best model. It is in the folder of the search, too.
    #[arg(long, value_name = "FILE.keras", required_unless_present_any = ["folder", "resume"])]
    out: Option<PathBuf>,
    /// Write a page with the table of trials, the curves of the best, the commands and the device. It holds its pictures and opens without
    /// a network.
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    #[command(flatten, next_help_heading = "Data")]
    table: TableFlags,
    #[command(flatten)]
    held_out: HeldOutFlags,
    #[command(flatten)]
    space: SpaceFlags,
    #[command(flatten)]
    course: CourseFlags,
    /// The options that were typed, as a search's folder keeps them.
    #[arg(skip)]
    pub options: toml::Table,
    #[command(flatten, next_help_heading = "Where and how")]
    device: DeviceFlags,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Checks, trains all trials, reports.
pub fn run(args: &Tune) -> Result<()> {
    let course = &args.course;
    let read: Vec<Option<&PathBuf>> = args.data.iter().map(Some).chain([args.held_out.validation.as_ref()]).collect();
    if let Some(out) = &args.out {
        keep_apart("--out", out, &read)?;
        atomic::check(out)?;
    }
    page::check(args.report.as_deref(), &[&read[..], &[args.out.as_ref()]].concat())?;
    let Prepared { data, specs, head } = prepare(args)?;
    let windows = args.space.windows.clone();
    let space = args.space.space(windows, data.iter().any(|data| is_masked(&data.train)))?;
    let method = course.method(&space, data[0].train.len())?;
    let rungs = method.rungs(course.trials, course.epochs)?;
    let objective = Objective::of(&probe(&head, &data[0].train)?, &course.objective)?;
    let device = args.device.open_and_tell()?;
    let (folder, _temporary) = folder(args, &device)?;
    let (trials, epochs, seed, budget) = (course.trials, course.epochs, course.seed, course.budget);
    let search = Search { space, method, trials, epochs, objective, seed, budget };
    talk!("search   {}", tables::schedule(&search, &rungs));
    let setting = Setting { folder: &folder, data: &data, device: &device, interrupt: interrupt::flag()? };
    let began = Instant::now();
    let progress = Progress::new(&search);
    let build = |drawn: &gatenorm::search::Hyperparameters, seed: u64, train: &Dataset| {
        let model = NewModel { stack: drawn.stack(), head: &head, train, seed, scaling: true };
        let mut model = model.compile(device.clone(), Adam::new(drawn.learning_rate).into())?;
        let at = data.iter().position(|data| data.window == drawn.window);
        model.set_data_spec(at.map(|at| specs[at].clone()));
        Ok(model)
    };
    let found = search.run(&setting, build, |event| match event {
        Event::Epoch { trial, epoch, rung, scores } => progress.show(trial, epoch, rung, scores),
        Event::Trial { trial, best } => progress.end(trial, best),
    })?;
    progress.finish();
    let seconds = began.elapsed().as_secs_f64();
    let done = Done { search: &search, found, folder: &folder, data: &data[0], device: &device, seconds };
    finish(args, &done)
}

/// What is read before anything is trained.
struct Prepared {
    data: Vec<Sampled>,
    specs: Vec<DataSpec>,
    head: Head,
}

/// Where nothing is said of what to measure on.
const SHARE: f64 = 0.2;

/// Reads the data, once for each window, and tells of them.
fn prepare(args: &Tune) -> Result<Prepared> {
    let loss = args.course.loss.map(LossName::loss);
    if !args.space.windows.is_empty() && args.data.first().is_some_and(Dataset::is_series) {
        let why = "--windows does not fit here: a file of series says itself what its samples are. Leave --windows out";
        return Err(Error::usage(why).into());
    }
    let windows: Vec<Option<usize>> = match &args.space.windows[..] {
        [] => vec![None],
        windows => windows.iter().copied().map(Some).collect(),
    };
    let (mut data, mut specs, mut head) = (Vec::new(), Vec::new(), None);
    for window in windows {
        let all = args.table.load_windows(&args.data, loss, window.or(args.table.window))?;
        head = head.map_or_else(|| Head::of(&all, loss), Ok).map(Some)?;
        specs.push(DataSpec::of(&all));
        let (train, validation) = args.held_out.split(all, &args.table, Some(SHARE), args.course.seed)?;
        report::tell_data(&train);
        let validation = validation.context("nothing to measure on")?;
        talk!("         {} {} to validate with", validation.len(), report::samples(&validation));
        data.push(Sampled { window, train, validation });
    }
    if !args.held_out.is_given() {
        talk!("         a fifth is held out to validate with; --validation or --validation-split says otherwise");
    }
    Ok(Prepared { data, specs, head: head.context("no data")? })
}

/// A small model whose scores have the names of all.
fn probe(head: &Head, train: &Dataset) -> gatenorm::Result<Model> {
    let model = NewModel { stack: Stack::new(&[1]), head, train, seed: 0, scaling: true };
    model.compile(Device::Cpu, Adam::default().into())
}

/// The folder of the search; one that goes with the program, where none was asked for.
fn folder(args: &Tune, device: &Device) -> Result<(PathBuf, Option<tempfile::TempDir>)> {
    let course = &args.course;
    if let Some(folder) = &course.resume {
        return Ok((folder.clone(), None));
    }
    if let Some(folder) = &course.folder {
        run_folder::begin("--folder", folder, &run_config::TUNE, &args.options, device)?;
        return Ok((folder.clone(), None));
    }
    let temporary = tempfile::tempdir().context("a folder for the search cannot be made; name one with --folder")?;
    Ok((temporary.path().to_owned(), Some(temporary)))
}

/// What is to report.
struct Done<'a> {
    search: &'a Search,
    found: Found,
    folder: &'a Path,
    data: &'a Sampled,
    device: &'a Device,
    seconds: f64,
}

fn finish(args: &Tune, done: &Done<'_>) -> Result<()> {
    let Done { search, found, folder, seconds, .. } = done;
    let name = &search.objective.name;
    let best = found.best(&search.objective);
    let kept = args.course.kept();
    let model = args.out.clone().or(kept.map(|folder| folder.join(Folder::BEST)));
    if let (Some(_), Some(out)) = (best, &args.out) {
        let from = folder.join(Folder::BEST);
        let mut read = std::fs::File::open(&from).map_err(|e| Error::io(&from, "read", e))?;
        atomic::write_file(out, |file| std::io::copy(&mut read, file).map(|_| ()))?;
    }
    let again = best.map(|best| args.again(best, &done.data.train));
    if args.json {
        let value = |best: &Trial| json!({ "trial": best.trial, "epoch": best.best_epoch, "name": name, "value": best.score(name) });
        report::json(&json!({
            "search": search, "rungs": search.rungs()?, "trials": found.trials, "cut": found.cut,
            "best": best.map(value), "model": best.and(model.as_ref()), "command": again, "seconds": seconds,
        }))?;
    } else {
        report::print(tables::trials(found, search))?;
    }
    let again = again.map(|words| {
        let words = words.iter().map(|word| report::typed(from_here(Path::new(word))));
        words.collect::<Vec<_>>().join(" ")
    });
    if let Some(file) = &args.report {
        page::write_search(file, search, found, again.as_deref(), done.device)?;
    }
    if let (Some(best), Some(again), Some(model)) = (best, &again, &model) {
        let value = best.score(name).map(|value| gatenorm::train::Scores::figure(name, value)).unwrap_or_default();
        talk!("best {name} {value}: trial {} after {} epochs; saved {}", best.trial, best.best_epoch, model.display());
        talk!("note: the best of many looks better on what chose it than it is; measure it on other data");
        talk!("again: {again}");
        talk!("next: gatenorm evaluate {} OTHER_DATA", report::typed(model));
    }
    args.tell_cut(found, search, *seconds);
    match (&found.cut, best) {
        (Some(Ended::Interrupted), _) => Err(Interrupted.into()),
        (None, None) => Err(Error::Device(
            "no trial trained to the end of an epoch with a finite score; the lines above say why".into(),
        )
        .into()),
        _ => Ok(()),
    }
}

impl Tune {
    /// The command that trains a trial's best epoch again.
    fn again(&self, trial: &Trial, train: &Dataset) -> Vec<String> {
        let mut more = Vec::new();
        if let Some(window) = self.table.window {
            more.push(("--window", window.to_string()));
        }
        if !self.held_out.is_given() {
            more.push(("--validation-split", SHARE.to_string()));
        }
        if self.held_out.draws(train) {
            more.push(("--split-seed", self.course.seed.to_string()));
        }
        tune_again::words(trial, &self.options, more)
    }

    /// Tells what ended the search before its end, and how it goes on.
    fn tell_cut(&self, found: &Found, search: &Search, seconds: f64) {
        let kept = self.course.kept().map(|folder| report::typed(folder));
        let whole = found
            .trials
            .iter()
            .filter(|trial| trial.ended != Ended::Budget && trial.ended != Ended::Interrupted)
            .count();
        let (took, trials) = (report::duration(seconds), search.trials);
        let what = match found.cut {
            None => return talk!("done in {took}"),
            Some(Ended::Budget) => "the time was up",
            Some(_) => "interrupted",
        };
        talk!(
            "{what} after {took}: {whole} of {trials} trials were trained, some for fewer epochs than the schedule has for them"
        );
        match (kept, &found.cut) {
            (Some(folder), Some(Ended::Budget)) => talk!("go on: gatenorm tune --resume {folder} --budget MORE"),
            (Some(folder), _) => talk!("go on: gatenorm tune --resume {folder}"),
            (None, _) => talk!("a search with --folder could be resumed"),
        }
    }
}

/// A path as it is typed in this folder, where it lies below; other words as they are.
fn from_here(word: &Path) -> &Path {
    let below = std::env::current_dir().ok().and_then(|folder| word.strip_prefix(folder).ok());
    below.unwrap_or(word)
}
