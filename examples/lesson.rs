//! The lesson: two LSTMs, each with batch normalisation behind it, learn from an office room's sensors whether somebody is in.
//!
//!     cargo run --release --example lesson [-- OUT.keras]
//!
//! It shows the whole way: a CSV file to windows, layers to a model, training, figures, a file that Keras opens, too.

use gatenorm::prelude::*;
use gatenorm::train::DataSpec;

fn main() -> Result<()> {
    // A sample is ten minutes, a row each; its label is that of the last. The other file is of other days.
    let train = Dataset::csv("data/occupancy/datatraining.txt").target("Occupancy").window(10).load()?;
    let spec = DataSpec::of(&train);
    let test = spec.load("data/occupancy/datatest.txt")?;

    let mut model = Sequential::new(train.input_shape())
        .add(Normalization::new())
        .add(Lstm::new(64).return_sequences(true))
        .add(BatchNormalization::new())
        .add(Lstm::new(32))
        .add(BatchNormalization::new())
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .compile(Device::auto()?, Loss::BinaryCrossentropy, Adam::default(), [Metric::Accuracy])?;
    // The Normalization takes mean and variance from the training data, so that the model is given raw rows.
    model.adapt(&train)?;

    let history = model.fit(&train, Fit::epochs(5).validation(&test).keep_best(true))?;
    for epoch in &history.epochs {
        println!("epoch {}  {}", epoch.epoch, epoch.scores);
    }
    if let Some(epoch) = history.best_epoch {
        println!("kept the weights of epoch {epoch}");
    }
    println!("{} windows of days not trained on: {}", test.len(), model.evaluate(&test)?);

    let chances = model.predict(&test)?;
    for i in [0, test.len() / 2, test.len() - 1] {
        println!("window {i}: somebody is in with probability {:.3}, in truth {}", chances[i], test.targets()[i]);
    }
    if let Some(path) = std::env::args().nth(1) {
        // What the columns are goes with the model: `gatenorm predict OUT.keras rows.csv` reads new files alike.
        model.set_data_spec(Some(spec));
        model.save(path)?;
    }
    Ok(())
}
