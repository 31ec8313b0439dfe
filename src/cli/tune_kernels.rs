//! `gatenorm tune-kernels`

use anyhow::Result;
use clap::Args;
use gatenorm::Error;
use gatenorm::exec::{Device, DeviceOptions, Gpu, Tuned, forget, tune};
use gatenorm::model::Mode;
use gatenorm::prelude::*;
use serde_json::{Value, json};

use super::options::{DeviceFlags, at_least_one};
use super::report::{self, talk};

/// Measures on a GPU which of its variants computes each kernel of a training step fastest, and keeps the choice.
///
/// Training does the same by itself on a GPU, once for each shape; on a software driver a fixed table decides, unless this command
/// has measured.
#[derive(Args)]
#[command(
    after_help = "Example:\n  gatenorm tune-kernels --units 128,128 --features 32 --window 100 --batch-size 128\n\nThe choices are kept in the folder that GATENORM_CACHE names, or else in the user's caches; GATENORM_CACHE=off leaves choices to the table."
)]
pub struct TuneKernels {
    #[command(flatten)]
    device: DeviceFlags,
    /// Sizes of the LSTMs, separated by commas.
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = at_least_one, default_values = ["64", "32"], allow_negative_numbers = true)]
    units: Vec<usize>,
    /// Features of each time step.
    #[arg(long, value_name = "N", default_value = "1", value_parser = at_least_one, allow_negative_numbers = true)]
    features: usize,
    /// Time steps.
    #[arg(long, value_name = "ROWS", default_value = "10", value_parser = at_least_one, allow_negative_numbers = true)]
    window: usize,
    /// Samples of a batch.
    #[arg(long, value_name = "N", default_value = "32", value_parser = at_least_one, allow_negative_numbers = true)]
    batch_size: usize,
    /// Forget all choices instead, of every adapter.
    #[arg(long)]
    clear: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Measures and shows, or forgets.
pub fn run(args: &TuneKernels) -> Result<()> {
    if args.clear {
        let files = forget(&DeviceOptions::default())?;
        return match args.json {
            true => report::json(&json!({ "deleted_files": files })),
            false => report::print(format!("forgot the choices of {files} adapters")),
        };
    }
    let gpu = open(&args.device)?;
    talk!("device   {}", Device::Gpu(gpu.clone()));
    let rows = tune(&gpu, &plan(args, &gpu)?)?;
    match args.json {
        true => report::json(
            &json!({ "device": Device::Gpu(gpu).to_string(), "kernels": rows.iter().map(object).collect::<Vec<_>>() }),
        ),
        false => report::print(rows.iter().map(lines).collect::<Vec<_>>().join("\n")),
    }
}

/// The adapter: `auto` takes the best of any kind, since the CPU has nothing to choose.
fn open(flags: &DeviceFlags) -> Result<Gpu> {
    match flags.open_gpu()? {
        Device::Gpu(gpu) => Ok(gpu),
        other => Err(Error::usage(format!("tune-kernels measures a GPU, so --device cannot be `{other}`")).into()),
    }
}

/// A training step of LSTMs with batch normalisation behind each.
fn plan(args: &TuneKernels, gpu: &Gpu) -> Result<gatenorm::plan::Plan> {
    let shape = [args.batch_size, args.window, args.features];
    let x = vec![0.5; shape.iter().product()];
    let data = Dataset::from_arrays(x, &shape, vec![0.0; args.batch_size], &[args.batch_size, 1])?;
    let mut model = Sequential::new(&shape[1..])
        .add_lstms(&args.units)
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .compile(Device::Gpu(gpu.clone()), Loss::BinaryCrossentropy, Adam::default(), [Metric::Accuracy])?;
    Ok(model.plan(&data, Mode::Train, args.batch_size)?)
}

/// A kernel's shape, then a line for each variant; a star marks the choice.
fn lines(row: &Tuned) -> String {
    let line = |(name, time): &(String, std::time::Duration)| {
        let mark = if *name == row.choice { '*' } else { ' ' };
        format!("\n  {mark} {name:<14}{:>12.1} us", 1e6 * time.as_secs_f64())
    };
    std::iter::once(row.key.clone()).chain(row.times.iter().map(line)).collect()
}

fn object(row: &Tuned) -> Value {
    let seconds: serde_json::Map<String, Value> =
        row.times.iter().map(|(name, time)| (name.clone(), json!(time.as_secs_f64()))).collect();
    json!({ "kernel": row.key, "seconds": seconds, "choice": row.choice })
}
