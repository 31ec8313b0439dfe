//! `gatenorm summary`

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use gatenorm::data::SampleKind;
use gatenorm::exec::Device;
use gatenorm::train::{DataSpec, LearningRate, Model};
use serde_json::json;

use super::report;

/// Shows a model: its layers, its numbers, and the columns that it takes.
#[derive(Args)]
#[command(after_help = "Example:\n  gatenorm summary room.keras")]
pub struct Summary {
    /// The model.
    #[arg(value_name = "MODEL.keras")]
    model: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Reads the model and shows it.
pub fn run(args: &Summary) -> Result<()> {
    let model = Model::load(&args.model, Device::Cpu)?;
    if args.json {
        let mut object = model.network().to_json();
        object["loss"] = model.loss().name().into();
        object["metrics"] = model.metrics().iter().map(|m| m.name()).collect();
        object["optimizer"] = model.optimizer().class_name().to_lowercase().into();
        object["learning_rate"] = model.optimizer().learning_rate().into();
        object["iterations"] = model.iterations().into();
        object["data"] = json!(model.data_spec());
        return report::json(&object);
    }
    let rate = match model.optimizer().schedule() {
        LearningRate::Constant(rate) => rate.to_string(),
        schedule => format!("{} at first, then by a schedule", schedule.at(0)),
    };
    let (loss, optimizer, steps) =
        (model.loss().name(), model.optimizer().class_name().to_lowercase(), model.iterations());
    let trained = format!("Loss: {loss}; optimizer: {optimizer}, learning rate {rate}, {steps} steps so far");
    let data = model.data_spec().map_or_else(|| "Columns: not in the file".into(), table);
    report::print(format!("{}\n{trained}\n{data}", model.network()))
}

fn table(spec: &DataSpec) -> String {
    let (columns, window, stride) = (spec.columns.join(", "), spec.window, spec.stride);
    let target = spec.target.as_ref().map(|t| format!(" -> {t}")).unwrap_or_default();
    let classes = spec.classes.as_ref().map(|c| format!(" ({})", c.join(" or "))).unwrap_or_default();
    match spec.samples {
        SampleKind::Window => format!("Columns: {columns}{target}{classes}\nWindow: {window} rows, stride {stride}"),
        SampleKind::Row => format!("Columns: {columns}{target}{classes}\nSample: a row of {window} steps"),
        SampleKind::Series => format!("Series of {} channels{target}{classes}", spec.columns.len()),
    }
}
