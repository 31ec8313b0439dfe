//! How the time of a training step grows: with T and N as they do, with H as its square. LSTM(H) -> Dense(1), F 8, Adam.
//!
//! `cargo bench --bench scaling [-- device=NAME]`: T up to 10,000, H up to 1,024, N up to 4,096, each with the others held.

use std::time::Instant;

use gatenorm::data::Dataset;
use gatenorm::exec::DeviceOptions;
use gatenorm::prelude::*;

const FEATURES: usize = 8;
/// T, H, N that the others are held at.
const HELD: [usize; 3] = [50, 64, 32];
const GROWS: [(&str, usize, &[usize]); 3] = [
    ("T", 0, &[10, 100, 1_000, 10_000]),
    ("H", 1, &[32, 64, 128, 256, 512, 1_024]),
    ("N", 2, &[16, 64, 256, 1_024, 4_096]),
];

/// Seconds of a training step, the least of three.
fn measure([steps, units, batch]: [usize; 3], device: &Device) -> Result<f64> {
    let x = (0..batch * steps * FEATURES).map(|i| (i as f32 * 0.618).fract()).collect();
    let y = (0..batch).map(|i| (i % 2) as f32).collect();
    let data = Dataset::from_arrays(x, &[batch, steps, FEATURES], y, &[batch, 1])?;
    let mut model = Sequential::new(&[steps, FEATURES])
        .add(Lstm::new(units))
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .compile(device.clone(), Loss::BinaryCrossentropy, Adam::default(), [])?;
    let mut least = f64::INFINITY;
    for _ in 0..4 {
        let began = Instant::now();
        model.fit(&data, Fit::epochs(1).batch_size(batch))?;
        least = least.min(began.elapsed().as_secs_f64());
    }
    Ok(least)
}

fn main() -> Result<()> {
    // SAFETY: there is no other thread yet.
    unsafe { gatenorm::exec::prepare_environment() };
    let named = std::env::args().find_map(|a| a.strip_prefix("device=").map(str::to_owned));
    let (device, _) = Device::parse(named.as_deref().unwrap_or("cpu"), DeviceOptions::default())?;
    println!("{device}\n{:>7} {:>7} {:>7} {:>12} {:>22}", "T", "H", "N", "ms a step", "ns a weight");
    for (name, place, values) in GROWS {
        println!("{name} grows");
        for &value in values {
            let mut size = HELD;
            size[place] = value;
            let [steps, units, batch] = size;
            match measure(size, &device) {
                Ok(seconds) => {
                    let uses = (steps * batch * units * (units + FEATURES)) as f64;
                    println!("{steps:>7} {units:>7} {batch:>7} {:>12.3} {:>22.4}", 1e3 * seconds, 1e9 * seconds / uses);
                }
                Err(error) => println!("{steps:>7} {units:>7} {batch:>7} {error}"),
            }
        }
    }
    Ok(())
}
