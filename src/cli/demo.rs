//! `gatenorm demo`

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use gatenorm::formats::atomic;
use gatenorm::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::options::{DeviceFlags, at_least_one, tell_device};
use super::progress::Show;
use super::report;
use super::report::talk;

/// Trains the textbook model, two LSTMs with batch normalisation, on random data: no file needed.
#[derive(Args)]
#[command(after_help = "Example:\n  gatenorm demo --device cpu --epochs 3")]
pub struct Demo {
    /// Passes over the data.
    #[arg(long, value_name = "N", default_value = "10", value_parser = at_least_one, allow_negative_numbers = true)]
    epochs: usize,
    /// Seed of the data, the first weights and the shuffling.
    #[arg(long, value_name = "N", default_value = "0")]
    seed: u64,
    /// Where to save the model; otherwise it is not kept.
    #[arg(long, value_name = "FILE.keras")]
    out: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceFlags,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

const STEPS: usize = 10;
const TRAIN: usize = 1000;
const TEST: usize = 200;
const NEW: usize = 3;
const NOTE: &str = "The targets are coin flips that no model can foresee: an accuracy of about 0.5 is right, and a better one on the training data is learned by heart.";
/// Of the seeded generator; apart from those of the first weights and the shuffling, which count up from 0 and 2^32.
const DATA_STREAM: u64 = 1 << 48;

/// Makes the data, trains, tests, predicts, reports.
pub fn run(args: &Demo) -> Result<()> {
    if let Some(out) = &args.out {
        atomic::check(out)?;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(args.seed);
    rng.set_stream(DATA_STREAM);
    let (train, test) = (random(TRAIN, true, &mut rng)?, random(TEST, true, &mut rng)?);
    let new = random(NEW, false, &mut rng)?;
    let (device, why) = args.device.open()?;
    let mut model = Sequential::new(train.input_shape())
        .seed(args.seed)
        .add_lstms(&[64, 32])
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .compile(device, Loss::BinaryCrossentropy, Adam::default(), [Metric::Accuracy])?;
    talk!("data     {TRAIN} windows of {STEPS} x 1, uniform in 0..1 -> 0 or 1 at random");
    tell_device(model.device(), why.as_deref());
    talk!("model    {}", model.network().line());

    let (began, mut show) = (Instant::now(), Show::new());
    let fit = Fit::epochs(args.epochs).batch_size(32).callback(&mut show);
    let history = model.fit(&train, fit).context("the demo stopped")?;
    talk!("done in {}", report::duration(began.elapsed().as_secs_f64()));
    let scores = model.evaluate(&test)?;
    let predictions = model.predict(&new)?;
    if let Some(out) = &args.out {
        model.save(out)?;
        talk!("saved {}", out.display());
    }
    let (loss, accuracy) = (scores.get("loss"), scores.get("accuracy"));
    if args.json {
        return report::json(&json!({
            "test_loss": loss, "test_accuracy": accuracy, "predictions": predictions, "history": history,
            "device": model.device().to_string(), "out": args.out, "note": NOTE,
        }));
    }
    let (loss, accuracy) = (loss.unwrap_or(f64::NAN), accuracy.unwrap_or(f64::NAN));
    let predictions: Vec<String> = predictions.iter().map(|p| format!("{p:.4}")).collect();
    let predictions = predictions.join(", ");
    report::print(format!(
        "Test Loss: {loss:.4}\nTest Accuracy: {accuracy:.4}\nPredictions for {NEW} new windows: {predictions}\n{NOTE}"
    ))
}

/// Uniform inputs `[samples, 10, 1]` and, where asked for, targets that are 0 or 1 with equal chances.
fn random(samples: usize, targets: bool, rng: &mut ChaCha8Rng) -> gatenorm::Result<Dataset> {
    let x = (0..samples * STEPS).map(|_| rng.random::<f32>()).collect();
    let y: Vec<f32> = (0..samples).filter(|_| targets).map(|_| f32::from(u8::from(rng.random::<bool>()))).collect();
    let y_shape: &[usize] = if targets { &[samples, 1] } else { &[] };
    Dataset::from_arrays(x, &[samples, STEPS, 1], y, y_shape)
}
