//! A training loop of one's own, where `fit` does not do what you want: here each batch is drawn half from the minutes with somebody in the room,
//! half from those without, which are four times as many.
//!
//!     cargo run --release --example training_loop [-- OUT.keras]
//!
//! It shows `train_on`, which trains on batches of samples that you name, a learning rate that the loop sets, and a snapshot of the best
//! state to go back to.

use gatenorm::prelude::*;
use gatenorm::train::DataSpec;
use rand::seq::IndexedRandom;
use rand::{SeedableRng, rngs::StdRng};

const EPOCHS: usize = 6;
const STEPS: usize = 100;
const BATCH: usize = 32;

fn main() -> Result<()> {
    let train = Dataset::csv("data/occupancy/datatraining.txt").target("Occupancy").window(10).load()?;
    let spec = DataSpec::of(&train);
    let test = spec.load("data/occupancy/datatest.txt")?;
    let mut model = Sequential::new(train.input_shape())
        .add(Normalization::new())
        .add(Lstm::new(32))
        .add(BatchNormalization::new())
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .compile(Device::auto()?, Loss::BinaryCrossentropy, Adam::new(0.003), [Metric::Accuracy])?;
    model.adapt(&train)?;

    // The numbers of the samples of either class.
    let (occupied, empty): (Vec<u32>, Vec<u32>) =
        (0..train.len() as u32).partition(|&sample| train.targets()[sample as usize] == 1.0);
    println!("{} windows with somebody in, {} without", occupied.len(), empty.len());

    let mut random = StdRng::seed_from_u64(1);
    let (mut best, mut kept) = (f64::INFINITY, None);
    for epoch in 1..=EPOCHS {
        let mut half = |of: &[u32]| of.sample(&mut random, BATCH / 2).copied().collect::<Vec<u32>>();
        let batches: Vec<Vec<u32>> = (0..STEPS).map(|_| [half(&occupied), half(&empty)].concat()).collect();
        // One step each, in this order; what comes back are the batch's scores before its step.
        let steps = model.train_on(&train, &batches)?;
        let loss = steps.iter().filter_map(|scores| scores.get("loss")).sum::<f64>() / steps.len() as f64;
        let tested = model.evaluate(&test)?;
        println!("epoch {epoch}  rate {:.4}  loss {loss:.4}  on other days: {tested}", model.learning_rate());

        match tested.get("loss") {
            Some(loss) if loss < best => (best, kept) = (loss, Some(model.snapshot()?)),
            _ => model.set_learning_rate(model.learning_rate() / 2.0)?,
        }
    }
    if let Some(snapshot) = &kept {
        model.restore(snapshot)?;
    }
    println!("went back to the best: {}", model.evaluate(&test)?);
    if let Some(path) = std::env::args().nth(1) {
        model.set_data_spec(Some(spec));
        model.save(path)?;
    }
    Ok(())
}
