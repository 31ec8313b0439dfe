//! Milliseconds per training step of LSTM -> BN -> LSTM -> BN -> Dense(1) with Adam, on every device of this machine.
//!
//! `cargo bench --bench train_step [-- SIZE ... device=NAME]`, with sizes seed, small, medium, large (default: the first three), and a
//! device as `gatenorm --device` takes it (default: the CPU and every adapter); with `gru`, GRUs instead of LSTMs; with `chunks=N`, data
//! that pass through the device, which holds two chunks of 1/N of them together; with `f16`, matrix products of half precision; with
//! `cooperative`, those by cooperative matrices; with `json`, a line of JSON for each.

use std::time::{Duration, Instant};

use gatenorm::data::Dataset;
use gatenorm::exec::{DeviceOptions, adapters};
use gatenorm::kernels::Precision;
use gatenorm::model::Gru;
use gatenorm::prelude::*;

struct Size {
    name: &'static str,
    features: usize,
    steps: usize,
    units: [usize; 2],
    batch: usize,
}

const SIZES: [Size; 4] = [
    Size { name: "seed", features: 1, steps: 10, units: [64, 32], batch: 32 },
    Size { name: "small", features: 8, steps: 100, units: [64, 32], batch: 64 },
    Size { name: "medium", features: 32, steps: 100, units: [128, 128], batch: 128 },
    Size { name: "large", features: 64, steps: 100, units: [512, 512], batch: 128 },
];

/// How long one size is measured on one device, at least three steps.
const BUDGET: Duration = Duration::from_secs(5);

fn data(size: &Size, batches: usize) -> Dataset {
    let samples = size.batch * batches;
    let x = (0..samples * size.steps * size.features).map(|i| (i as f32 * 0.618).fract()).collect();
    let y = (0..samples).map(|i| (i % 2) as f32).collect();
    Dataset::from_arrays(x, &[samples, size.steps, size.features], y, &[samples, 1]).expect("a data set")
}

/// The recurrent layers of the model.
#[derive(Clone, Copy)]
enum Cell {
    Lstm,
    Gru,
}

impl Cell {
    fn add(self, model: Sequential, units: usize, sequences: bool) -> Sequential {
        match self {
            Cell::Lstm => model.add(Lstm::new(units).return_sequences(sequences)),
            Cell::Gru => model.add(Gru::new(units).return_sequences(sequences)),
        }
    }
}

fn model(size: &Size, cell: Cell, device: &Device) -> Result<Model> {
    let first = cell.add(Sequential::new(&[size.steps, size.features]), size.units[0], true);
    cell.add(first.add(BatchNormalization::new()), size.units[1], false)
        .add(BatchNormalization::new())
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .compile(device.clone(), Loss::BinaryCrossentropy, Adam::default(), [Metric::Accuracy])
}

/// Time from nothing to the end of the first step (shaders compiled), and the median time of later steps.
fn measure(size: &Size, cell: Cell, device: &Device, chunks: Option<usize>) -> Result<(Duration, Duration, u64)> {
    let began = Instant::now();
    let one = data(size, 1);
    let mut first = model(size, cell, device)?;
    first.fit(&one, Fit::epochs(1).batch_size(size.batch))?;
    let first_step = began.elapsed();
    let (began, before) = (Instant::now(), first.counters().dispatches);
    first.fit(&one, Fit::epochs(1).batch_size(size.batch))?;
    let dispatches = first.counters().dispatches - before;
    let batches = (BUDGET.as_secs_f64() / 5.0 / began.elapsed().as_secs_f64()).clamp(1.0, 200.0) as usize;
    let several = data(size, batches);
    if let Some(chunks) = chunks {
        // Of a sample its values, its target, its place in the order, its first row.
        let batch = 4 * (size.steps * size.features + 3) * size.batch;
        first.set_device_memory(Some(batch * (batches / chunks).max(2)));
        first.fit(&several, Fit::epochs(1).batch_size(size.batch))?;
    }
    let mut times = Vec::new();
    let began = Instant::now();
    while times.len() < 3 || began.elapsed() < BUDGET {
        let began = Instant::now();
        first.fit(&several, Fit::epochs(1).batch_size(size.batch))?;
        times.push(began.elapsed() / batches as u32);
    }
    times.sort();
    Ok((first_step, times[times.len() / 2], dispatches))
}

/// The device of this name, or all.
fn devices(name: Option<&str>, options: &DeviceOptions) -> Vec<Device> {
    let open = |name: &str| match Device::parse(name, options.clone()) {
        Ok((device, _)) => Some(device),
        Err(error) => {
            eprintln!("{name} is left out: {error}");
            None
        }
    };
    match name {
        Some(name) => open(name).into_iter().collect(),
        None => {
            let indices = adapters().into_iter().map(|adapter| adapter.index.to_string());
            std::iter::once("cpu".to_owned()).chain(indices).filter_map(|name| open(&name)).collect()
        }
    }
}

fn main() {
    // SAFETY: there is no other thread yet.
    unsafe { gatenorm::exec::prepare_environment() };
    let mut arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let mut take = |word: &str| {
        let before = arguments.len();
        arguments.retain(|argument| argument != word);
        arguments.len() < before
    };
    let json = take("json");
    let cell = if take("gru") { Cell::Gru } else { Cell::Lstm };
    let precision = if take("f16") { Precision::F16 } else { Precision::F32 };
    let options = DeviceOptions { precision, cooperative_matrices: take("cooperative"), ..DeviceOptions::default() };
    let chunks = arguments.iter().find_map(|argument| argument.strip_prefix("chunks=")?.parse().ok());
    arguments.retain(|argument| !argument.starts_with("chunks="));
    let (device, wanted): (Vec<&str>, Vec<&str>) =
        arguments.iter().map(String::as_str).partition(|argument| argument.starts_with("device="));
    let is_wanted = |size: &&Size| if wanted.is_empty() { size.name != "large" } else { wanted.contains(&size.name) };
    let device = device.first().map(|argument| &argument["device=".len()..]);
    if !json {
        println!(
            "{:<50} {:<7} {:>12} {:>14} {:>14} {:>10}",
            "device", "size", "ms per step", "sequences/s", "first step ms", "dispatches"
        );
    }
    for device in devices(device, &options) {
        for size in SIZES.iter().filter(is_wanted) {
            match measure(size, cell, &device, chunks) {
                Ok((first, step, dispatches)) if json => println!(
                    r#"{{"device": "{device}", "size": "{}", "ms": {}, "first_step_ms": {}, "dispatches": {dispatches}}}"#,
                    size.name,
                    1e3 * step.as_secs_f64(),
                    1e3 * first.as_secs_f64()
                ),
                Ok((first, step, dispatches)) => println!(
                    "{:<50} {:<7} {:>12.3} {:>14.0} {:>14.1} {:>10}",
                    device.to_string().chars().take(50).collect::<String>(),
                    size.name,
                    1e3 * step.as_secs_f64(),
                    size.batch as f64 / step.as_secs_f64(),
                    1e3 * first.as_secs_f64(),
                    dispatches
                ),
                Err(error) => println!("{device:<50} {:<7} {error}", size.name),
            }
        }
    }
}
