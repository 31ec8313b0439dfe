//! `gatenorm predict`

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use gatenorm::data::Dataset;
use gatenorm::formats::atomic;
use gatenorm::train::{Loss, Model};
use serde_json::{Map, Value, json};

use super::model_and_data::ModelAndData;
use super::options::keep_apart;
use super::report;
use super::report::talk;

/// Predicts on the windows or rows of a CSV file, or on the series of a .ts file, which need not have the target.
///
/// Gives a line of CSV for each sample: `row`, the line in the file of its last row; then, of two classes,
/// `probability`, that of the second class, and `class`; of several `class`, the likeliest, and the probability of each,
/// `p(NAME)`; else `prediction`, or of several numbers the name of each target, with `+6` for 6 rows ahead.
#[derive(Args)]
#[command(after_help = "Example:\n  gatenorm predict room.keras data/occupancy/datatest2.txt --out rooms.csv")]
pub struct Predict {
    #[command(flatten)]
    asked: ModelAndData,
    /// Where to write the predictions instead of stdout.
    #[arg(long, value_name = "FILE.csv")]
    out: Option<PathBuf>,
}

/// Predicts and reports.
pub fn run(args: &Predict) -> Result<()> {
    if let Some(out) = &args.out {
        keep_apart("--out", out, &[Some(&args.asked.data), Some(&args.asked.model)])?;
        atomic::check(out)?;
    }
    let (mut model, data) = args.asked.load(false)?;
    let table = Table::new(&mut model, &data)?;
    if let Some(out) = &args.out {
        let bytes = table.csv()?;
        atomic::write_file(out, |file| file.write_all(&bytes))?;
        talk!("wrote {} predictions to {}", data.len(), out.display());
    }
    match (&args.out, args.asked.json) {
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

/// What a model's outputs are.
enum Meaning {
    Numbers,
    /// The probability of the second of these.
    TwoClasses(Vec<String>),
    /// The probability of each of these.
    Classes(Vec<String>),
}

impl Meaning {
    fn of(model: &Model, width: usize) -> Meaning {
        let loss = model.loss();
        let count = match model.network().output_shape() {
            [1] if loss.plain() == Loss::BinaryCrossentropy => 2,
            [outputs] if exclusive(loss) => *outputs,
            _ => return Meaning::Numbers,
        };
        // Logits are no probabilities.
        if loss.from_logits(false) != loss {
            return Meaning::Numbers;
        }
        let named = model.data_spec().and_then(|spec| spec.classes.clone()).filter(|names| names.len() == count);
        let names = named.unwrap_or_else(|| (0..count).map(|class| class.to_string()).collect());
        if width == 1 { Meaning::TwoClasses(names) } else { Meaning::Classes(names) }
    }
}

/// Whether just one of several classes is true.
fn exclusive(loss: Loss) -> bool {
    [Loss::SparseCategoricalCrossentropy, Loss::CategoricalCrossentropy].contains(&loss.plain())
}

/// The index of the largest number; the first of them.
fn largest(values: &[f32]) -> usize {
    (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}

/// Predictions, a row for each sample.
struct Table {
    header: Vec<String>,
    rows: Vec<Vec<Value>>,
}

impl Table {
    fn new(model: &mut Model, data: &Dataset) -> Result<Table> {
        let outputs = model.predict_all(data)?;
        let widths: Vec<usize> = outputs.iter().map(|values| values.len() / data.len()).collect();
        let width = widths.iter().sum();
        let of_sample =
            |i: usize| outputs.iter().zip(&widths).flat_map(move |(values, w)| &values[i * w..(i + 1) * w]).copied();
        let values: Vec<f32> = (0..data.len()).flat_map(of_sample).collect();
        let meaning = Meaning::of(model, width);
        let row = |(line, values): (u64, &[f32])| {
            let numbers = values.iter().map(|&v| shortest(v));
            let line = std::iter::once(Value::from(line));
            match &meaning {
                Meaning::Numbers => line.chain(numbers).collect(),
                Meaning::TwoClasses(classes) => {
                    line.chain(numbers).chain([classes[usize::from(values[0] > 0.5)].as_str().into()]).collect()
                }
                Meaning::Classes(classes) => {
                    line.chain([classes[largest(values)].as_str().into()]).chain(numbers).collect()
                }
            }
        };
        let columns: Vec<String> = match &meaning {
            Meaning::TwoClasses(_) => ["probability", "class"].map(Into::into).to_vec(),
            Meaning::Classes(classes) => {
                std::iter::once("class".into()).chain(classes.iter().map(|name| format!("p({name})"))).collect()
            }
            Meaning::Numbers if width == 1 => vec!["prediction".into()],
            Meaning::Numbers => number_names(model, width),
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

/// Names of several numbers: of targets and, in forecasts, how many rows ahead.
fn number_names(model: &Model, width: usize) -> Vec<String> {
    let named = model.data_spec().map(|spec| {
        let ahead = |target: &String| match &spec.reading.horizon[..] {
            [] => vec![target.clone()],
            horizon => horizon.iter().map(|ahead| format!("{target}+{ahead}")).collect(),
        };
        spec.targets.iter().flat_map(ahead).collect::<Vec<String>>()
    });
    let named = named.filter(|names| names.len() == width);
    named.unwrap_or_else(|| (0..width).map(|i| format!("prediction_{i}")).collect())
}

/// A number with as few digits as say which `f32` it is; null where it is none.
fn shortest(value: f32) -> Value {
    value.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}
