//! What `evaluate` and `predict` are asked about.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use gatenorm::data::Dataset;
use gatenorm::train::Model;

use super::options::{DeviceFlags, TableFlags, tell_device};
use super::report;
use super::report::talk;

/// A saved model, and data for it.
#[derive(Args)]
pub struct ModelAndData {
    /// The model.
    #[arg(value_name = "MODEL.keras")]
    pub model: PathBuf,
    /// A CSV file with the model's columns, or, for a model of series, a .ts file. To evaluate, it needs the target, too.
    pub data: PathBuf,
    #[command(flatten, next_help_heading = "Only for models that do not hold this, such as Keras's own")]
    table: TableFlags,
    #[command(flatten, next_help_heading = "Where and how")]
    device: DeviceFlags,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

impl ModelAndData {
    /// Opens the device, the model and the data, with their targets or without, and tells of them.
    pub fn load(&self, targets: bool) -> Result<(Model, Dataset)> {
        let (device, why) = self.device.open()?;
        let model = Model::load(&self.model, device)?;
        let data = self.table.load_for(&self.data, &model, &self.model, targets)?;
        if targets {
            talk!("data     {}", report::data(&data));
        }
        tell_device(model.device(), why.as_deref());
        Ok((model, data))
    }
}
