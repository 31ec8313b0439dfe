//! `gatenorm tune`

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use gatenorm::Error;
use gatenorm::data::Dataset;
use gatenorm::exec::Device;
use gatenorm::formats::atomic;
use gatenorm::model::Stack;
use gatenorm::search::{Ended, Event, Folder, Found, Method, Objective, Sampled, Search, Setting, Trial};
use gatenorm::train::{Adam, DataSpec, Model};
use serde_json::json;

use super::head::Head;
use super::held_out::HeldOutFlags;
use super::new_model::{LossName, NewModel, is_masked};
use super::options::{DeviceFlags, TableFlags, at_least_one, keep_apart};
use super::report::{self, Interrupted, talk};
use super::tune_progress::Progress;
use super::tune_space::SpaceFlags;
use super::{interrupt, run_config, run_folder, tune_tables as tables};

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

/// How it is searched.
#[derive(Args)]
#[command(next_help_heading = "Search")]
struct CourseFlags {
    /// How many models.
    #[arg(long, value_name = "N", default_value = "30", value_parser = at_least_one, allow_negative_numbers = true)]
    trials: usize,
    /// How epochs are shared out among them.
    #[arg(long, value_name = "HOW", default_value = "halving")]
    search: SearchName,
    /// The most epochs of a trial.
    #[arg(long, value_name = "N", default_value = "27", value_parser = at_least_one, allow_negative_numbers = true)]
    epochs: usize,
    /// Epochs of all trials, before the best third goes on to three times as many [default: a ninth of --epochs].
    #[arg(long, value_name = "N", value_parser = at_least_one, allow_negative_numbers = true)]
    first_epochs: Option<usize>,
    /// The most time that epochs may take, such as 20m, 1h30m or 90s: the epoch that is under way then is the last.
    #[arg(long, value_name = "TIME", value_parser = time, allow_negative_numbers = true)]
    budget: Option<Duration>,
    /// What trials are judged by, such as val_accuracy; whether less or more is better is known.
    #[arg(long, value_name = "SCORE", default_value = "val_loss")]
    objective: String,
    /// What each trial minimises [default: as `train` does].
    #[arg(long)]
    loss: Option<LossName>,
    /// Seed of all drawing. What trial k draws, and its own seed, depend on this and k alone.
    #[arg(long, value_name = "N", default_value = "0")]
    seed: u64,
    /// A folder for the search: its options (tune.toml), what came of its trials (trials.jsonl), their models and the best
    /// (best.keras), and what it needs to go on with --resume.
    #[arg(long, value_name = "FOLDER", conflicts_with = "resume")]
    folder: Option<PathBuf>,
    /// Go on with the search in this folder: nothing else needs to be said. A --budget is for all sittings together.
    #[arg(long, value_name = "FOLDER")]
    resume: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum SearchName {
    /// Successive halving (Jamieson and Talwalkar 2016): all trials train for a few epochs, the best third for three times as many, and
    /// so on. The default, since it finds in the same time about as good models among several times as many
    Halving,
    /// All epochs for every trial: for trainings whose beginning says little of their end
    Random,
}

/// `20m`, `1h30m`, `90s`
fn time(text: &str) -> Result<Duration, String> {
    let wrong = || "give a time above 0, such as 20m, 1h30m or 90s".to_owned();
    let (mut seconds, mut number) = (0.0, String::new());
    for c in text.trim().chars() {
        let unit = match c {
            'h' => 3600.0,
            'm' => 60.0,
            's' => 1.0,
            _ => {
                number.push(c);
                continue;
            }
        };
        seconds += unit * std::mem::take(&mut number).trim().parse::<f64>().map_err(|_| wrong())?;
    }
    let all_said = number.is_empty() && seconds > 0.0;
    Duration::try_from_secs_f64(seconds).ok().filter(|_| all_said).ok_or_else(wrong)
}

/// Checks, trains all trials, reports.
pub fn run(args: &Tune) -> Result<()> {
    let course = &args.course;
    if course.first_epochs.is_some() && course.search == SearchName::Random {
        return Err(Error::usage("--first-epochs is for --search halving. Leave it out").into());
    }
    let method = course.method();
    let rungs = method.rungs(course.trials, course.epochs)?;
    if let Some(out) = &args.out {
        let read: Vec<Option<&PathBuf>> =
            args.data.iter().map(Some).chain([args.held_out.validation.as_ref()]).collect();
        keep_apart("--out", out, &read)?;
        atomic::check(out)?;
    }
    let Prepared { data, specs, head } = prepare(args)?;
    let windows = args.space.windows.clone();
    let space = args.space.space(windows, data.iter().any(|data| is_masked(&data.train)))?;
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
    let done = Done { search: &search, found, folder: &folder, data: &data[0], seconds: began.elapsed().as_secs_f64() };
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
    if !args.space.windows.is_empty() && args.data.first().is_some_and(|data| Dataset::is_series(data)) {
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
        let (train, validation) = args.held_out.split(all, Some(SHARE), args.course.seed)?;
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
    seconds: f64,
}

fn finish(args: &Tune, done: &Done<'_>) -> Result<()> {
    let Done { search, found, folder, seconds, .. } = done;
    let name = &search.objective.name;
    let best = found.best(&search.objective);
    let kept = args.course.folder.as_ref().or(args.course.resume.as_ref());
    let model = args.out.clone().or(kept.map(|folder| folder.join(Folder::BEST)));
    if let (Some(_), Some(out)) = (best, &args.out) {
        let from = folder.join(Folder::BEST);
        let mut read = std::fs::File::open(&from).map_err(|e| Error::io(&from, "read", e))?;
        atomic::write_file(out, |file| std::io::copy(&mut read, file).map(|_| ()))?;
    }
    let again = best.map(|best| args.again(best, done.data));
    if args.json {
        let value = |best: &Trial| json!({ "trial": best.trial, "epoch": best.best_epoch, "name": name, "value": best.score(name) });
        report::json(&json!({
            "search": search, "rungs": search.rungs()?, "trials": found.trials, "cut": found.cut,
            "best": best.map(value), "model": best.and(model.as_ref()), "command": again, "seconds": seconds,
        }))?;
    } else {
        report::print(tables::trials(found, search))?;
    }
    if let (Some(best), Some(again), Some(model)) = (best, &again, &model) {
        let value = best.score(name).map(|value| gatenorm::train::Scores::figure(name, value)).unwrap_or_default();
        talk!("best {name} {value}: trial {} after {} epochs; saved {}", best.trial, best.best_epoch, model.display());
        talk!("note: the best of many looks better on what chose it than it is; measure it on other data");
        let words: Vec<String> = again.iter().map(|word| report::typed(Path::new(word))).collect();
        talk!("again: {}", words.join(" "));
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
    /// Tells what ended the search before its end, and how it goes on.
    fn tell_cut(&self, found: &Found, search: &Search, seconds: f64) {
        let kept = self.course.folder.as_ref().or(self.course.resume.as_ref()).map(|folder| report::typed(folder));
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

    /// The command that trains a trial's best epoch again.
    fn again(&self, best: &Trial, data: &Sampled) -> Vec<String> {
        const OF_TRIALS: [&str; 12] = [
            "out",
            "units",
            "learning-rate",
            "dropout",
            "recurrent-dropout",
            "epochs",
            "seed",
            "batch-size",
            "report",
            "layers",
            "window",
            "data",
        ];
        let drawn = &best.hyperparameters;
        let mut words: Vec<String> = ["gatenorm", "train"].map(str::to_owned).to_vec();
        let only_data =
            self.options.iter().filter(|(key, _)| *key == "data").map(|(k, v)| (k.clone(), v.clone())).collect();
        words.extend(run_config::for_train(&only_data, &[]));
        words.extend(run_config::for_train(&self.options, &OF_TRIALS));
        let mut add = |flag: &str, value: String| words.extend([flag.to_owned(), value]);
        if let Some(window) = drawn.window.or(self.table.window) {
            add("--window", window.to_string());
        }
        if !self.held_out.is_given() {
            add("--validation-split", SHARE.to_string());
        }
        if self.held_out.draws(&data.train) {
            add("--split-seed", self.course.seed.to_string());
        }
        add("--units", drawn.units());
        add("--learning-rate", drawn.learning_rate.to_string());
        for (flag, share) in [("--dropout", drawn.dropout), ("--recurrent-dropout", drawn.recurrent_dropout)] {
            if share > 0.0 {
                add(flag, share.to_string());
            }
        }
        add("--batch-size", drawn.batch_size.to_string());
        add("--epochs", best.best_epoch.to_string());
        add("--seed", best.seed.to_string());
        add("--out", "again.keras".to_owned());
        words.extend(norm_flags(drawn.norm).iter().map(|flag| flag.to_string()));
        words
    }
}

/// A way to normalise as `train` takes it.
fn norm_flags(norm: gatenorm::ablate::Variant) -> &'static [&'static str] {
    use gatenorm::ablate::Variant::{BatchNorm, LayerNorm, Plain, RecurrentBatchNorm};
    match norm {
        Plain => &["--no-batch-norm"],
        BatchNorm => &[],
        RecurrentBatchNorm => &["--recurrent-bn", "--no-batch-norm"],
        LayerNorm => &["--layer-norm", "--no-batch-norm"],
    }
}

impl CourseFlags {
    fn method(&self) -> Method {
        match (self.search, Method::halving(self.epochs), self.first_epochs) {
            (SearchName::Random, ..) => Method::Random,
            (_, Method::Halving { factor, .. }, Some(first_epochs)) => Method::Halving { factor, first_epochs },
            (_, halving, _) => halving,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit() {
        let seconds = |text: &str| time(text).map(|time| time.as_secs_f64());
        assert_eq!(
            ["90s", "20m", "1h30m", "0.5h", " 1m 30s "].map(seconds),
            [90.0, 1200.0, 5400.0, 1800.0, 90.0].map(Ok)
        );
        for wrong in ["", "20", "m", "1h30", "-5m", "0s", "1d", "nanm", "infs", "1e300h"] {
            time(wrong).unwrap_err();
        }
    }
}
