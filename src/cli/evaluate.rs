//! `gatenorm evaluate`

use anyhow::Result;
use clap::Args;
use serde_json::{Map, Value};

use super::model_and_data::ModelAndData;
use super::options::at_least_one;
use super::{forecasts, labels, report};

/// Measures a model on data with known targets: loss and metrics.
#[derive(Args)]
#[command(after_help = "Example:\n  gatenorm evaluate room.keras data/occupancy/datatest2.txt")]
pub struct Evaluate {
    #[command(flatten)]
    asked: ModelAndData,
    /// Samples at once.
    #[arg(long, value_name = "N", default_value = "256", value_parser = at_least_one, allow_negative_numbers = true)]
    batch_size: usize,
}

/// Evaluates and reports.
pub fn run(args: &Evaluate) -> Result<()> {
    let (mut model, data) = args.asked.load(true)?;
    let scores = model.evaluate_in_batches(&data, args.batch_size)?;
    let errors = model.forecast_errors(&data)?;
    let labels = model.label_scores(&data)?;
    if !args.asked.json {
        report::print(scores)?;
        labels::table(&labels).map_or(Ok(()), report::print)?;
        return forecasts::table(&errors, "these").map_or(Ok(()), report::print);
    }
    let mut object = Map::from(scores);
    object.insert("samples".into(), data.len().into());
    if !errors.is_empty() {
        object.insert("forecasts".into(), serde_json::to_value(&errors)?);
    }
    if !labels.is_empty() {
        object.insert("labels".into(), serde_json::to_value(&labels)?);
    }
    report::json(&Value::Object(object))
}
