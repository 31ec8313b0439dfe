//! Microseconds of one call of `predict`, from the values of a batch to its predictions, with the lesson's model (F 1, T 10, H 64/32).
//!
//! `cargo bench --bench infer [-- json device=NAME sequences=N]`

use std::time::{Duration, Instant};

use gatenorm::data::Dataset;
use gatenorm::exec::DeviceOptions;
use gatenorm::prelude::*;

const STEPS: usize = 10;
/// How long one size is measured.
const BUDGET: Duration = Duration::from_secs(3);

fn batch(samples: usize) -> Dataset {
    let x = (0..samples * STEPS).map(|i| (i as f32 * 0.618).fract()).collect();
    let y = (0..samples).map(|i| (i % 2) as f32).collect();
    Dataset::from_arrays(x, &[samples, STEPS, 1], y, &[samples, 1]).expect("a data set")
}

fn model(device: Device) -> Result<Model> {
    Sequential::new(&[STEPS, 1])
        .add(Lstm::new(64).return_sequences(true))
        .add(BatchNormalization::new())
        .add(Lstm::new(32))
        .add(BatchNormalization::new())
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .compile(device, Loss::BinaryCrossentropy, Adam::default(), [])
}

fn main() -> Result<()> {
    // SAFETY: there is no other thread yet.
    unsafe { gatenorm::exec::prepare_environment() };
    let named = std::env::args().find_map(|a| a.strip_prefix("device=").map(str::to_owned));
    let (device, _) = Device::parse(named.as_deref().unwrap_or("cpu"), DeviceOptions::default())?;
    let json = std::env::args().any(|argument| argument == "json");
    if !json {
        println!("{:<50} {:>9} {:>14} {:>10}", "device", "sequences", "us a call", "least");
    }
    let only = std::env::args().find_map(|a| a.strip_prefix("sequences=").and_then(|n| n.parse().ok()));
    for samples in only.map_or(vec![1, 32], |n| vec![n]) {
        let (data, mut model) = (batch(samples), model(device.clone())?);
        let (mut times, began) = (Vec::new(), Instant::now());
        while began.elapsed() < BUDGET {
            let began = Instant::now();
            model.predict(&data)?;
            times.push(began.elapsed().as_secs_f64() * 1e6);
        }
        times.sort_by(f64::total_cmp);
        report(&device.to_string(), samples, &times, json);
    }
    if only.is_none() { rows(json) } else { Ok(()) }
}

/// One row at a time, with the state carried along.
fn rows(json: bool) -> Result<()> {
    let mut predictor = model(Device::Cpu)?.predictor()?;
    let (mut times, began) = (Vec::new(), Instant::now());
    while began.elapsed() < BUDGET {
        let began = Instant::now();
        for i in 0..100 {
            std::hint::black_box(predictor.step(&[i as f32])?);
        }
        times.push(began.elapsed().as_secs_f64() * 1e6 / 100.0);
    }
    times.sort_by(f64::total_cmp);
    report("CPU, one row (Predictor::step)", 1, &times, json);
    Ok(())
}

fn report(device: &str, samples: usize, times: &[f64], json: bool) {
    let name: String = device.chars().take(50).collect();
    let (median, least) = (times[times.len() / 2], times[0]);
    match json {
        true => println!(r#"{{"device": "{device}", "sequences": {samples}, "ms": {}}}"#, median / 1e3),
        false => println!("{name:<50} {samples:>9} {median:>14.1} {least:>10.1}"),
    }
}
