//! Callbacks of one's own: one measures how far an epoch moved the weights, one ends training once a score is good enough.
//!
//!     cargo run --release --example callback [-- OUT.keras]
//!
//! It shows how a callback looks into the model, adds a score to the epoch's, which later callbacks and the history see, and stops training; and
//! how it is looked at afterwards.

use gatenorm::prelude::*;
use gatenorm::train::{Better, Callback, DataSpec, EarlyStopping, Scores, Training};

/// Adds `moved` to each epoch's scores: the distance between its first and last weights, of those that are trained, as a share of
/// their length.
#[derive(Default)]
struct Movement {
    before: Vec<f32>,
}

fn trained_weights(model: &mut Model) -> Result<Vec<f32>> {
    Ok(model.weights()?.into_iter().filter(|weight| weight.trainable).flat_map(|weight| weight.values).collect())
}

fn length(values: impl Iterator<Item = f32>) -> f64 {
    values.map(|v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt()
}

impl Callback for Movement {
    fn adds(&self) -> Vec<String> {
        vec!["moved".to_owned()]
    }

    fn on_epoch_begin(&mut self, _epoch: usize, training: &mut Training<'_>) -> Result<()> {
        self.before = trained_weights(training.model)?;
        Ok(())
    }

    fn on_epoch_end(&mut self, _epoch: usize, logs: &mut Scores, training: &mut Training<'_>) -> Result<()> {
        let after = trained_weights(training.model)?;
        let moved = length(after.iter().zip(&self.before).map(|(a, b)| a - b));
        logs.set("moved", moved / length(self.before.iter().copied()));
        Ok(())
    }
}

/// Ends training once a score reaches a value.
struct StopAt {
    name: &'static str,
    value: f64,
    /// The epoch, from 1, in which it was reached.
    reached: Option<usize>,
}

impl Callback for StopAt {
    fn on_epoch_end(&mut self, epoch: usize, logs: &mut Scores, training: &mut Training<'_>) -> Result<()> {
        if logs.get(self.name).is_some_and(|value| value >= self.value) {
            self.reached = Some(epoch + 1);
            training.stop();
        }
        Ok(())
    }
}

fn main() -> Result<()> {
    let train = Dataset::csv("data/occupancy/datatraining.txt").target("Occupancy").window(10).load()?;
    let spec = DataSpec::of(&train);
    let test = spec.load("data/occupancy/datatest.txt")?;
    let mut model = Sequential::new(train.input_shape())
        .add(Normalization::new())
        .add(Lstm::new(32))
        .add(BatchNormalization::new())
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .compile(Device::auto()?, Loss::BinaryCrossentropy, Adam::default(), [Metric::Accuracy])?;
    model.adapt(&train)?;

    let mut stop = StopAt { name: "accuracy", value: 0.988, reached: None };
    // They are called in this order, so Keras's own can monitor what the first adds: it ends training where the weights hardly move any more.
    let still = EarlyStopping::new().monitor("moved").mode(Better::Min).min_delta(0.001).patience(3);
    let fit = Fit::epochs(20).validation(&test).callback(Movement::default()).callback(still).callback(&mut stop);
    let history = model.fit(&train, fit)?;
    for epoch in &history.epochs {
        println!("epoch {}  {}", epoch.epoch, epoch.scores);
    }
    match stop.reached {
        Some(epoch) => println!("{} reached {} in epoch {epoch}", stop.name, stop.value),
        None => println!("{} did not reach {} in {} epochs", stop.name, stop.value, history.epochs.len()),
    }
    if let Some(path) = std::env::args().nth(1) {
        model.set_data_spec(Some(spec));
        model.save(path)?;
    }
    Ok(())
}
