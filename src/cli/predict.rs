//! `gatenorm predict`

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use gatenorm::data::{Dataset, SampleKind};
use gatenorm::formats::atomic;
use gatenorm::train::Model;
use serde_json::{Map, Value, json};

use super::answers::{Answers, plain};
use super::model_and_data::ModelAndData;
use super::options::keep_apart;
use super::predict_stream;
use super::predictions::Predictions;
use super::report;
use super::report::talk;

/// Predicts on the windows or rows of a CSV file, or on the series of a .ts file or a folder, which need not have the target.
///
/// Gives a line of CSV for each sample: of a folder `series`, of several files `file`; unless it is a whole series, `row`, the line in the file of its last row; then, of two classes,
/// `probability`, that of the second class, and `class`; of several `class`, the likeliest, and the probability of each,
/// `p(NAME)`; of several labels the name of each, its second class's probability, and `NAME_class`; else `prediction`, or of several numbers the name of each target, with `+6` for 6 rows ahead.
///
/// A model that was trained with --return-sequences gives such a line for each row of the data, once: from the first window that it stands in,
/// which has the most rows before it. Rows that no window can hold, such as those of series shorter than one, get none.
#[derive(Args)]
#[command(after_help = "Example:\n  gatenorm predict room.keras data/occupancy/datatest2.txt --out rooms.csv")]
pub struct Predict {
    #[command(flatten)]
    asked: ModelAndData,
    /// Where to write the predictions instead of stdout.
    #[arg(long, value_name = "FILE.csv")]
    out: Option<PathBuf>,
    /// Read rows from stdin (DATA is `-`): a line of column names, then a row a line, each of which is answered at once. The state of
    /// LSTM and GRU layers is carried from row to row, so that a model that was trained on windows sees all rows so far, not the last window.
    #[arg(long, conflicts_with = "out")]
    stream: bool,
}

/// Predicts and reports.
pub fn run(args: &Predict) -> Result<()> {
    let from_stdin = args.asked.data == [PathBuf::from("-")];
    if args.stream || from_stdin {
        return predict_stream::run(&args.asked, args.stream && from_stdin);
    }
    if let Some(out) = &args.out {
        keep_apart("--out", out, &args.asked.data.iter().chain([&args.asked.model]).map(Some).collect::<Vec<_>>())?;
        atomic::check(out)?;
    }
    let (mut model, data) = args.asked.load(false)?;
    let table = Table::new(&mut model, &data)?;
    if let Some(out) = &args.out {
        let bytes = table.csv()?;
        atomic::write_file(out, |file| file.write_all(&bytes))?;
        talk!("wrote {} predictions to {}", table.rows.len(), out.display());
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

/// Predictions, a row for each sample.
struct Table {
    header: Vec<String>,
    rows: Vec<Vec<Value>>,
}

impl Table {
    fn new(model: &mut Model, data: &Dataset) -> Result<Table> {
        let Predictions { samples, lines, values } = Predictions::of(model, data)?;
        let width = values.len() / lines.len().max(1);
        let answers = Answers::new(model, width);
        let rows = lines.iter().zip(values.chunks(width)).map(|(&line, values)| answers.row(line, values));
        // Of several series or files each row says which it is from.
        let (column, names): (&str, Vec<Value>) = match (data.series_names(), data.files()) {
            (Some(names), _) => ("series", names.map(Value::from).collect()),
            (None, Some(files)) => ("file", files.map(|file| file.display().to_string().into()).collect()),
            (None, None) => return Ok(Table { rows: rows.collect(), header: answers.header }),
        };
        // A whole series has no row of its own.
        let of_series = column == "series" && data.sample_kind() == SampleKind::Series;
        let skipped = usize::from(of_series && !data.has_targets_of_rows());
        let names = samples.iter().map(|&sample| names[sample].clone());
        let rows = names.zip(rows).map(|(name, row)| [&[name], &row[skipped..]].concat());
        let rows = rows.collect();
        Ok(Table { rows, header: [&[column.to_owned()], &answers.header[skipped..]].concat() })
    }

    fn csv(&self) -> Result<Vec<u8>> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(&self.header)?;
        for row in &self.rows {
            writer.write_record(row.iter().map(plain))?;
        }
        Ok(writer.into_inner().map_err(|e| e.into_error())?)
    }

    fn objects(&self) -> Vec<Map<String, Value>> {
        let object = |row: &Vec<Value>| self.header.iter().cloned().zip(row.iter().cloned()).collect();
        self.rows.iter().map(object).collect()
    }
}
