//! `gatenorm predict`

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use gatenorm::data::Dataset;
use gatenorm::formats::atomic;
use gatenorm::train::{Loss, Model};
use serde_json::{Map, Value, json};

use super::options::{DeviceFlags, TableFlags, keep_apart};
use super::report;
use super::report::talk;

/// Predicts on the windows or rows of a CSV file, or on the series of a .ts file, which need not have the target.
///
/// Gives a line of CSV for each sample: `row`, the line in the file of its last row; then, of two classes,
/// `probability`, that of the second class, and `class`; else `prediction`.
#[derive(Args)]
#[command(after_help = "Example:\n  gatenorm predict room.keras data/occupancy/datatest2.txt --out rooms.csv")]
pub struct Predict {
    /// The model.
    #[arg(value_name = "MODEL.keras")]
    model: PathBuf,
    /// A CSV file with the model's columns, or, for a model of series, a .ts file.
    data: PathBuf,
    /// Where to write the predictions instead of stdout.
    #[arg(long, value_name = "FILE.csv")]
    out: Option<PathBuf>,
    #[command(flatten, next_help_heading = "Only for models that do not hold this, such as Keras's own")]
    table: TableFlags,
    #[command(flatten, next_help_heading = "Where and how")]
    device: DeviceFlags,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Predicts and reports.
pub fn run(args: &Predict) -> Result<()> {
    if let Some(out) = &args.out {
        keep_apart(out, &[Some(&args.data), Some(&args.model)])?;
        atomic::check(out)?;
    }
    let (device, why) = args.device.open()?;
    let mut model = Model::load(&args.model, device)?;
    let data = args.table.load_for(&args.data, &model, &args.model, false)?;
    super::options::tell_device(model.device(), why.as_deref());
    let table = Table::new(&mut model, &data)?;
    if let Some(out) = &args.out {
        let bytes = table.csv()?;
        atomic::write_file(out, |file| file.write_all(&bytes))?;
        talk!("wrote {} predictions to {}", data.len(), out.display());
    }
    match (&args.out, args.json) {
        (Some(out), true) => report::json(&json!({ "samples": data.len(), "out": out })),
        (Some(_), false) => Ok(()),
        (None, true) => report::json(&json!({ "samples": data.len(), "predictions": table.objects() })),
        (None, false) => {
            let mut stdout = io::stdout().lock();
            stdout.write_all(&table.csv()?)?;
            Ok(stdout.flush()?)
        }
    }
}

/// Predictions, a row for each sample.
struct Table {
    header: Vec<String>,
    rows: Vec<Vec<Value>>,
}

impl Table {
    fn new(model: &mut Model, data: &Dataset) -> Result<Table> {
        let values = model.predict(data)?;
        let two_classes = model.loss() == Loss::BinaryCrossentropy && model.network().output_shape() == [1];
        let numbers: &[String] = &["0".into(), "1".into()];
        let classes = model.data_spec().and_then(|s| s.classes.as_deref()).unwrap_or(numbers);
        let width = values.len() / data.len();
        let columns: Vec<String> = match width {
            1 if two_classes => ["probability", "class"].map(Into::into).to_vec(),
            1 => vec!["prediction".into()],
            _ => (0..width).map(|i| format!("prediction_{i}")).collect(),
        };
        let row = |(line, values): (u64, &[f32])| {
            let class = two_classes.then(|| classes[usize::from(values[0] > 0.5)].as_str().into());
            std::iter::once(line.into()).chain(values.iter().map(|&v| shortest(v))).chain(class).collect()
        };
        let rows = data.last_rows().zip(values.chunks(width)).map(row).collect();
        Ok(Table { header: std::iter::once("row".into()).chain(columns).collect(), rows })
    }

    fn csv(&self) -> Result<Vec<u8>> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(&self.header)?;
        for row in &self.rows {
            let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            writer.write_record(row.iter().map(plain))?;
        }
        Ok(writer.into_inner().map_err(|e| e.into_error())?)
    }

    fn objects(&self) -> Vec<Map<String, Value>> {
        let object = |row: &Vec<Value>| self.header.iter().cloned().zip(row.iter().cloned()).collect();
        self.rows.iter().map(object).collect()
    }
}

/// A number with as few digits as say which `f32` it is; null where it is none.
fn shortest(value: f32) -> Value {
    value.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}
