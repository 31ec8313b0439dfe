//! What `evaluate` and `predict` are asked about.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};
use gatenorm::Error;
use gatenorm::data::{Dataset, TargetOf};
use gatenorm::exec::Device;
use gatenorm::train::{DataSpec, Model};

use super::memory::MemoryFlags;
use super::options::{DeviceFlags, Read, TableFlags, tell_device};
use super::report;

/// A saved model, and data for it.
#[derive(Args)]
pub struct ModelAndData {
    /// The model.
    #[arg(value_name = "MODEL.keras")]
    pub model: PathBuf,
    /// A CSV file with the model's columns, or, for a model of series, a .ts file. To evaluate, it needs the target, too.
    #[arg(required = true)]
    pub data: Vec<PathBuf>,
    /// What a category is that the model's training did not meet.
    #[arg(long, value_name = "WHAT", default_value = "error")]
    new_categories: NewCategories,
    #[command(flatten, next_help_heading = "Only for models that do not hold this, such as Keras's own")]
    table: TableFlags,
    #[command(flatten, next_help_heading = "Where and how")]
    device: DeviceFlags,
    #[command(flatten)]
    memory: MemoryFlags,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum NewCategories {
    /// An error that names it
    Error,
    /// None of those that it met
    None,
}

impl ModelAndData {
    /// The model on the CPU, where rows are predicted one by one, and how it reads them.
    pub fn load_for_stream(&self) -> Result<(Model, DataSpec)> {
        if !["auto", "cpu"].contains(&self.device.device.as_str()) {
            return Err(Error::usage(
                "rows are predicted one by one on the CPU, where it is fastest: leave --device out",
            )
            .into());
        }
        if self.device.is_of_products() {
            let text = "rows are predicted one by one in f32, without products of matrices: leave --precision and --cooperative-matrices out";
            return Err(Error::usage(text).into());
        }
        if self.memory.is_given() {
            return Err(
                Error::usage("rows that are predicted one by one take no memory: leave --device-memory out").into()
            );
        }
        let model = Model::load(&self.model, Device::Cpu)?;
        let Some(spec) = model.data_spec().cloned() else {
            let text = format!(
                "{} does not say what its columns are, as a model that was trained here does",
                self.model.display()
            );
            return Err(Error::usage(text).into());
        };
        Ok((model, DataSpec { new_categories: self.new_categories == NewCategories::None, ..spec }))
    }

    /// Opens the device, the model and the data, with their targets or without, and tells of them.
    pub fn load(&self, targets: bool) -> Result<(Model, Dataset)> {
        let (device, why) = self.device.open()?;
        let mut model = Model::load(&self.model, device)?;
        self.memory.apply(&mut model);
        let read = Read { targets, new_categories: self.new_categories == NewCategories::None };
        let mut data = self.table.load_for(&self.data, &model, &self.model, read)?;
        if data.reading().target_of == TargetOf::Input {
            data = model.with_reconstruction(&data)?;
        }
        match report::rows(&data) {
            _ if targets => report::tell_data(&data),
            // What there is no prediction of must be told.
            Some(rows) => report::talk!("data     {rows}"),
            None => {}
        }
        tell_device(model.device(), why.as_deref());
        Ok((model, data))
    }
}
