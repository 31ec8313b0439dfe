//! `gatenorm ablate`

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use gatenorm::Error;
use gatenorm::ablate::{Ablation, Judged, Run, Summary, Variant};
use gatenorm::data::Dataset;
use gatenorm::exec::Device;
use gatenorm::formats::atomic;
use gatenorm::train::{Adam, Model, Optimizer, Sgd};
use serde_json::json;

use super::ablate_tables as tables;
use super::head::Head;
use super::held_out::HeldOutFlags;
use super::new_model::{LossName, NewModel};
use super::options::{DeviceFlags, TableFlags, above_zero, at_least_one, units};
use super::report;
use super::report::talk;

/// Measures what normalisation is worth on your data: trains the same model without it and with each kind of it, at several
/// learning rates and from several seeds.
///
/// The models are Normalization (which scales the columns), an LSTM for each of --units, normalised or not, and Dense. Two tables
/// are printed, and the curves drawn. A learning rate at which training diverges is a result, not an error.
#[derive(Args)]
#[command(
    after_help = "Example:\n  gatenorm ablate data/occupancy/datatraining.txt --target Occupancy --window 10 --stride 5 \\\n    \
                        --validation data/occupancy/datatest.txt --out ablation"
)]
pub struct Ablate {
    /// A CSV file, as `train` takes it, or a .ts file of labelled series.
    #[arg(required = true)]
    data: Vec<PathBuf>,
    /// A folder for curves.svg, curves.png and ablation.json with all figures. It is made if it is missing.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    #[command(flatten, next_help_heading = "Data")]
    table: TableFlags,
    #[command(flatten)]
    held_out: HeldOutFlags,
    #[command(flatten)]
    compared: Compared,
    #[command(flatten, next_help_heading = "Where and how")]
    device: DeviceFlags,
    /// Print one JSON object: all runs, epoch by epoch, and what the tables say.
    #[arg(long)]
    json: bool,
}

/// What is compared, and how it trains.
#[derive(Args)]
#[command(next_help_heading = "Comparison")]
struct Compared {
    /// Ways to normalise, separated by commas [default: all there are].
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', value_parser = variant)]
    variants: Option<Vec<Variant>>,
    /// Learning rates, separated by commas.
    #[arg(long, value_name = "RATE,...", value_delimiter = ',', default_value = "1e-3,1e-2,1e-1", value_parser = above_zero, allow_negative_numbers = true)]
    learning_rates: Vec<f64>,
    /// How many seeds each variant trains from at each rate: 0, 1, 2, ...
    #[arg(long, value_name = "N", default_value = "3", value_parser = at_least_one, allow_negative_numbers = true)]
    seeds: usize,
    /// Passes over the data of each run.
    #[arg(long, value_name = "N", default_value = "10", value_parser = at_least_one, allow_negative_numbers = true)]
    epochs: usize,
    /// Samples of one training step.
    #[arg(long, value_name = "N", default_value = "32", value_parser = at_least_one, allow_negative_numbers = true)]
    batch_size: usize,
    /// Sizes of the LSTMs, separated by commas.
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "64,32", value_parser = units, allow_negative_numbers = true)]
    units: Vec<usize>,
    /// What to minimise [default: as `train` does].
    #[arg(long)]
    loss: Option<LossName>,
    /// How gradients change the weights.
    #[arg(long, default_value = "adam")]
    optimizer: OptimizerName,
    /// The training loss that the epochs are counted to [default: the lowest, rounded up to two digits, that every variant reaches at
    /// its best rate from every seed].
    #[arg(long, value_name = "LOSS", value_parser = above_zero, allow_negative_numbers = true)]
    goal: Option<f64>,
}

/// Optimizers, each with Keras's arguments.
#[derive(Clone, Copy, ValueEnum)]
enum OptimizerName {
    Adam,
    Sgd,
}

fn variant(name: &str) -> Result<Variant, String> {
    Variant::from_name(name.trim()).map_err(|error| error.to_string())
}

/// The files of --out.
const FIGURES: &str = "ablation.json";
const FILES: &[&str] = if cfg!(feature = "plots") { &[FIGURES, "curves.svg", "curves.png"] } else { &[FIGURES] };

/// Checks, trains all models, draws, reports.
pub fn run(args: &Ablate) -> Result<()> {
    prepare(&args.out)?;
    let compared = &args.compared;
    let loss = compared.loss.map(LossName::loss);
    let data = args.table.load(&args.data, loss)?;
    let head = Head::of(&data, loss)?;
    let (train, validation) = held_out(args, data)?;
    report::tell_data(&train);
    talk!("         {} {} to validate with", validation.len(), report::samples(&validation));
    let device = args.device.open_and_tell()?;
    let name = device.to_string();
    let ablation = compared.ablation();
    let runs = train_all(compared, &ablation, &head, device, &train, &validation)?;
    let metric = head.metrics.first().context("nothing to judge by")?;
    let judged = Judged { name: format!("val_{}", metric.name()), larger_is_better: metric.is_better_larger() };
    let summary = Summary::of(&runs, judged, compared.goal);
    let object = json!({
        "device": name, "samples": train.len(), "validation_samples": validation.len(), "units": compared.units,
        "optimizer": compared.optimizer(1.0).class_name(), "ablation": ablation, "runs": runs, "summary": summary,
    });
    save(&args.out, FIGURES, object.to_string().as_bytes())?;
    #[cfg(feature = "plots")]
    draw(args, &runs, &summary, train.len())?;
    let files = FILES.iter().map(|name| args.out.join(name).display().to_string()).collect::<Vec<_>>().join(", ");
    if args.json {
        report::json(&object)?;
    } else {
        report::print(format!("{}\n\n{}", tables::cells(&summary), tables::standings(&summary)))?;
    }
    talk!("saved {files}");
    Ok(())
}

/// Makes the folder, and finds out before long runs whether the files can be written.
fn prepare(folder: &Path) -> gatenorm::Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(Error::io(folder, "make the folder", error)),
        _ => FILES.iter().try_for_each(|name| atomic::check(&folder.join(name))),
    }
}

fn save(folder: &Path, name: &str, content: &[u8]) -> gatenorm::Result<()> {
    atomic::write_file(&folder.join(name), |file| file.write_all(content))
}

fn held_out(args: &Ablate, data: Dataset) -> Result<(Dataset, Dataset)> {
    let (train, validation) = args.held_out.split(data, &args.table, Some(0.2), 0)?;
    Ok((train, validation.context("nothing to measure on")?))
}

fn train_all(
    compared: &Compared,
    ablation: &Ablation,
    head: &Head,
    device: Device,
    train: &Dataset,
    validation: &Dataset,
) -> gatenorm::Result<Vec<Run>> {
    let build = |variant: Variant, rate: f64, seed: u64| -> gatenorm::Result<Model> {
        let stack = variant.stack(&compared.units);
        NewModel { stack, head, train, seed, scaling: true }.compile(device.clone(), compared.optimizer(rate))
    };
    let (mut done, began) = (0, Instant::now());
    ablation.run(train, validation, build, |run| {
        done += 1;
        let seconds = began.elapsed().as_secs_f64();
        let left = report::duration(seconds / done as f64 * (ablation.len() - done) as f64);
        talk!("run {done:>2}/{}  {}, {left} left", ablation.len(), tables::run(run));
    })
}

#[cfg(feature = "plots")]
fn draw(args: &Ablate, runs: &[Run], summary: &Summary, samples: usize) -> gatenorm::Result<()> {
    let compared = &args.compared;
    let file = args.data[0].file_name().unwrap_or_default().to_string_lossy();
    let title = format!("What normalisation does to the training of LSTMs on {file}");
    let note = format!(
        "{samples} samples, {} in batches of {}; lines: mean over {} seeds, bands: least to most",
        compared.optimizer(1.0).class_name(),
        compared.batch_size,
        compared.seeds
    );
    let figure = gatenorm::ablate::figure(runs, &summary.judged, &title, &note);
    save(&args.out, "curves.svg", figure.to_svg().as_bytes())?;
    save(&args.out, "curves.png", &figure.to_png())
}

impl Compared {
    fn ablation(&self) -> Ablation {
        Ablation {
            variants: self.variants.clone().unwrap_or_else(|| Variant::ALL.to_vec()),
            rates: self.learning_rates.clone(),
            seeds: (0..self.seeds as u64).collect(),
            epochs: self.epochs,
            batch_size: self.batch_size,
        }
    }

    fn optimizer(&self, rate: f64) -> Optimizer {
        match self.optimizer {
            OptimizerName::Adam => Adam::new(rate).into(),
            OptimizerName::Sgd => Sgd::new(rate).into(),
        }
    }
}
