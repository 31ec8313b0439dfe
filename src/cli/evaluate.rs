//! `gatenorm evaluate`

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use gatenorm::train::Model;
use serde_json::{Map, Value};

use super::options::{DeviceFlags, TableFlags, at_least_one};
use super::report;
use super::report::talk;

/// Measures a model on data with known targets: loss and metrics.
#[derive(Args)]
#[command(after_help = "Example:\n  gatenorm evaluate room.keras data/occupancy/datatest2.txt")]
pub struct Evaluate {
    /// The model.
    #[arg(value_name = "MODEL.keras")]
    model: PathBuf,
    /// A CSV file with the model's columns and its target, or, for a model of series, a .ts file.
    data: PathBuf,
    /// Samples at once.
    #[arg(long, value_name = "N", default_value = "256", value_parser = at_least_one, allow_negative_numbers = true)]
    batch_size: usize,
    #[command(flatten, next_help_heading = "Only for models that do not hold this, such as Keras's own")]
    table: TableFlags,
    #[command(flatten, next_help_heading = "Where and how")]
    device: DeviceFlags,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Evaluates and reports.
pub fn run(args: &Evaluate) -> Result<()> {
    let (device, why) = args.device.open()?;
    let mut model = Model::load(&args.model, device)?;
    let data = args.table.load_for(&args.data, &model, &args.model, true)?;
    talk!("data     {}", report::data(&data));
    super::options::tell_device(model.device(), why.as_deref());
    let scores = model.evaluate_in_batches(&data, args.batch_size)?;
    if !args.json {
        return report::print(scores);
    }
    let mut object = Map::from(scores);
    object.insert("samples".into(), data.len().into());
    report::json(&Value::Object(object))
}
