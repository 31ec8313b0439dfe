//! `gatenorm summary`

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use gatenorm::Error;
use gatenorm::data::{SampleKind, TargetOf};
use gatenorm::exec::Device;
use gatenorm::train::{DataSpec, LearningRate, Model};
use serde_json::json;

use super::model_file::Described;
use super::options::at_least_one;
use super::report;

/// Shows a model: its layers, its numbers, and the columns that it takes.
#[derive(Args)]
#[command(after_help = "Example:\n  gatenorm summary room.keras")]
pub struct Summary {
    /// The model; or a description of one, in .json or .toml.
    #[arg(value_name = "MODEL.keras")]
    model: PathBuf,
    /// The shape of the inputs, for a model described in .toml: steps and features.
    #[arg(long, value_name = "STEPS,FEATURES", value_delimiter = ',', value_parser = at_least_one, allow_negative_numbers = true)]
    input_shape: Option<Vec<usize>>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Reads the model and shows it.
pub fn run(args: &Summary) -> Result<()> {
    if let Some(described) = Described::read(&args.model)? {
        let network = described.network(args.input_shape.as_deref())?;
        return if args.json { report::json(&network.to_json()) } else { report::print(network) };
    }
    if args.input_shape.is_some() {
        let why =
            "--input-shape is for models described in .toml; this one says itself what its inputs are. Leave it out";
        return Err(Error::usage(why).into());
    }
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
    let labels = spec.label_classes.iter().flatten().map(|names| format!(" ({})", names.join(" or ")));
    let labels = labels.chain(std::iter::repeat(String::new()));
    let targets: Vec<String> = spec.targets.iter().zip(labels).map(|(name, classes)| name.clone() + &classes).collect();
    let target = if targets.is_empty() { String::new() } else { format!(" -> {}", targets.join(", ")) };
    let classes = spec.classes.as_ref().map(|c| format!(" ({})", c.join(" or "))).unwrap_or_default();
    let classes = classes
        + match spec.reading.target_of {
            TargetOf::Sample => "",
            TargetOf::EveryRow => " of every row",
            TargetOf::Input => " -> themselves",
        };
    match spec.samples {
        SampleKind::Window => format!("Columns: {columns}{target}{classes}\nWindow: {window} rows, stride {stride}"),
        SampleKind::Row => format!("Columns: {columns}{target}{classes}\nSample: a row of {window} steps"),
        SampleKind::Series if spec.is_table() => format!("Columns: {columns}{target}{classes}\nSample: a whole series"),
        SampleKind::Series => format!("Series of {} channels{target}{classes}", spec.columns.len()),
    }
}
