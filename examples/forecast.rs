//! A forecast: the room's temperature two hours ahead, from the last hour.
//!
//!     cargo run --release --example forecast [-- OUT.keras]
//!
//! It shows targets that stand rows behind the window, numbers that are scaled for the loss and brought back by the model's last layer, and
//! the comparison that a forecast owes: with persistence, which says that nothing changes.

use gatenorm::model::Rescaling;
use gatenorm::prelude::*;
use gatenorm::train::DataSpec;

fn main() -> Result<()> {
    // A row is a minute, and the column of dates the time axis: no window crosses a gap. The target's own past is a feature.
    let train = Dataset::csv("data/occupancy/datatraining.txt")
        .target("Temperature")
        .numeric_target()
        .columns(["Temperature", "Humidity", "Light", "CO2"])
        .window(60)
        .horizon([120])
        .stride(3)
        .load()?;
    let spec = DataSpec::of(&train);
    let test = spec.load("data/occupancy/datatest.txt")?;

    // Errors count in units of the target's spread, and Rescaling makes degrees of the output.
    let (mean, spread) = train.target_scales()[0];
    let mut model = Sequential::new(train.input_shape())
        .add(Normalization::new())
        .add(Lstm::new(16))
        .add(Dense::new(1))
        .add(Rescaling::new(spread).offset(mean))
        .compile(
            Device::auto()?,
            Loss::MeanSquaredError.in_units_of(spread),
            Adam::new(0.003),
            [Metric::MeanAbsoluteError],
        )?;
    model.adapt(&train)?;
    let history = model.fit(&train, Fit::epochs(6).batch_size(64).validation(&test))?;
    for epoch in &history.epochs {
        println!("epoch {}  {}", epoch.epoch, epoch.scores);
    }

    println!("on {} windows of other days:", test.len());
    for error in model.forecast_errors(&test)? {
        println!("{:12} RMSE {:.3} degrees, MAE {:.3} degrees", error.by, error.rmse, error.mae);
    }
    if let Some(path) = std::env::args().nth(1) {
        model.set_data_spec(Some(spec));
        model.save(path)?;
    }
    Ok(())
}
