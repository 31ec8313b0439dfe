//! Series of unequal lengths: nine men say two vowels, in 7 to 29 frames of speech; who speaks?
//!
//!     cargo run --release --example variable_length [-- OUT.keras]
//!
//! It shows `.ts` files, a model for sequences of any length, the mask that keeps padding out of everything, classes by softmax, training
//! in two parts with a learning rate each, and which class is taken for which.

use gatenorm::prelude::*;
use gatenorm::train::DataSpec;

fn main() -> Result<()> {
    let train = Dataset::ts("data/japanese_vowels/JapaneseVowels_TRAIN.ts").load()?;
    let spec = DataSpec::of(&train);
    let test = spec.load("data/japanese_vowels/JapaneseVowels_TEST.ts")?;
    let shortest = train.lengths().and_then(|lengths| lengths.iter().min()).copied().unwrap_or_default();
    println!("{} utterances of {shortest} to {} steps to train on", train.len(), train.steps());
    let speakers = train.classes().map_or(1, <[String]>::len);

    // Shorter samples are padded on their way to the device, with what the Masking masks: LSTMs pass it over, and BatchNormalization
    // leaves it out of its statistics.
    let mut model = Sequential::new(train.input_shape())
        .add(Normalization::new())
        .add(Masking::new())
        .add(Lstm::new(64).return_sequences(true))
        .add(BatchNormalization::new())
        .add(Lstm::new(32))
        .add(BatchNormalization::new())
        .add(Dense::new(speakers).activation(Activation::Softmax))
        .compile(Device::auto()?, Loss::SparseCategoricalCrossentropy, Adam::default(), [Metric::Accuracy])?;
    model.adapt(&train)?;

    for (epochs, rate) in [(50, 1e-3), (20, 1e-4)] {
        model.set_learning_rate(rate)?;
        let history = model.fit(&train, Fit::epochs(epochs).batch_size(16))?;
        if let Some(last) = history.epochs.last() {
            println!("{epochs} epochs at {rate}: {}", last.scores);
        }
    }

    println!("{} other utterances: {}", test.len(), model.evaluate(&test)?);
    println!("rows: who spoke; columns: who was heard");
    for (speaker, counts) in model.confusion_matrix(&test)?.counts.iter().enumerate() {
        let counts: String = counts.iter().map(|count| format!("{count:4}")).collect();
        println!("{} {counts}", speaker + 1);
    }
    if let Some(path) = std::env::args().nth(1) {
        model.set_data_spec(Some(spec));
        model.save(path)?;
    }
    Ok(())
}
