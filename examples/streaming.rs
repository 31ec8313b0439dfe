//! Rows as they come: a model that was trained on windows answers each minute's row at once, with the state of its layers carried along.
//!
//!     cargo run --release --example streaming [-- OUT.keras]
//!
//! It shows `RowReader`, which makes a model's row of the fields of a line, and `Predictor`, whose step allocates nothing and wakes no
//! thread. The rows of a file stand in for a sensor here.

use std::time::{Duration, Instant};

use gatenorm::prelude::*;
use gatenorm::stream::RowReader;
use gatenorm::train::DataSpec;

const SENSOR: &str = "data/occupancy/datatest.txt";

fn main() -> Result<()> {
    // A model that carries its state on sees all rows so far, so it is trained on windows as long as what matters: two hours.
    let train = Dataset::csv("data/occupancy/datatraining.txt").target("Occupancy").window(120).stride(10).load()?;
    let spec = DataSpec::of(&train);
    let mut model = Sequential::new(train.input_shape())
        .add(Normalization::new())
        .add(Lstm::new(32))
        .add(BatchNormalization::new())
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .compile(Device::auto()?, Loss::BinaryCrossentropy, Adam::new(0.003), [Metric::Accuracy])?;
    model.adapt(&train)?;
    let history = model.fit(&train, Fit::epochs(8))?;
    if let Some(last) = history.epochs.last() {
        println!("trained on {} windows: {}", train.len(), last.scores);
    }

    let text =
        std::fs::read_to_string(SENSOR).map_err(|source| Error::Io { path: SENSOR.into(), action: "read", source })?;
    let mut lines = text.lines().map(fields);
    let header = lines.next().unwrap_or_default();
    let mut reader = RowReader::new(&spec, &header)?;
    let mut predictor = model.predictor()?;
    let (mut somebody, mut right, mut rows, mut spent) = (false, 0, 0, Duration::ZERO);
    for line in lines {
        // The file's lines begin with a number that its header does not name.
        let line = &line[1..];
        let begin = Instant::now();
        let chance = predictor.step(reader.row(|i| line.get(i).copied())?)?[0];
        spent += begin.elapsed();
        let found = chance > 0.5;
        if found != somebody {
            println!("{}  {} ({chance:.3})", line[0], if found { "somebody came" } else { "everybody left" });
            somebody = found;
        }
        right += usize::from((line[line.len() - 1] == "1") == found);
        rows += 1;
    }
    let each = spent.as_secs_f64() * 1e6 / f64::from(rows);
    println!("{right} of {rows} rows were answered rightly, in {each:.1} us each");

    if let Some(path) = std::env::args().nth(1) {
        model.set_data_spec(Some(spec));
        model.save(path)?;
    }
    Ok(())
}

/// The fields of a line, without their quotes.
fn fields(line: &str) -> Vec<&str> {
    line.split(',').map(|field| field.trim_matches('"')).collect()
}
