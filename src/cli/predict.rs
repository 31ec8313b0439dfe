//! `gatenorm predict`

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use gatenorm::data::{Dataset, SampleKind, TargetOf};
use gatenorm::formats::atomic;
use gatenorm::train::{AnomalyScores, Model};
use serde_json::{Map, Value, json};

use super::answers::{Answers, plain, shortest};
use super::model_and_data::ModelAndData;
use super::options::{above_zero, keep_apart};
use super::predictions::Predictions;
use super::report::talk;
use super::{anomalies, predict_stream, report};

/// Predicts on the windows or rows of a CSV file, or on the series of a .ts file or a folder, which need not have the target.
///
/// Gives a line of CSV for each sample: of a folder `series`, of several files `file`; unless it is a whole series, `row`, the line in the file of its last row; then, of two classes,
/// `probability`, that of the second class, and `class`; of several `class`, the likeliest, and the probability of each,
/// `p(NAME)`; of several labels the name of each, its second class's probability, and `NAME_class`; else `prediction`, or of several numbers the name of each target, with `+6` for 6 rows ahead.
///
/// With --anomalies, or of a model that was trained with --reconstruct, a line tells instead how unusual a sample is: `row`, of a forecast
/// that of its last target, `score`, `anomaly` (1 if the score is above the threshold, else 0) and `error(NAME)` of each target or column, in its own
/// unit: how far off the forecast is, or the root mean square over the window of how far off the reconstruction is. The score is the root mean square
/// of these errors, each divided by the model's RMSE there on its validation data, or else its training data: 1 is usual.
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
    #[arg(long, conflicts_with_all = ["out", "anomalies", "threshold"])]
    stream: bool,
    /// Tell how far off the forecasts of a model with --horizon are, and which are unusual. A model that was trained with --reconstruct does so
    /// anyhow.
    #[arg(long)]
    anomalies: bool,
    /// The score above which a line is marked as an anomaly, with or without --anomalies [default: that which 99 % of the samples did not exceed that
    /// the model was validated on, or trained on if there were none].
    #[arg(long, value_name = "SCORE", value_parser = above_zero, allow_negative_numbers = true)]
    threshold: Option<f64>,
}

impl Predict {
    /// The model, its data, and the threshold of anomalies, if these are asked for.
    fn load(&self) -> Result<(Model, Dataset, Option<f64>)> {
        let asked = self.anomalies || self.threshold.is_some();
        let (model, data) = self.asked.load(asked)?;
        if !asked && data.reading().target_of != TargetOf::Input {
            return Ok((model, data, None));
        }
        // Where the model knows none it refuses to score.
        let learned = model.usual_errors().map_or(f64::INFINITY, |usual| usual.threshold);
        Ok((model, data, Some(self.threshold.unwrap_or(learned))))
    }
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
    let (mut model, data, scored) = args.load()?;
    let (table, marked) = match scored {
        Some(threshold) => {
            let (table, marked) = Table::of_anomalies(&mut model, &data, threshold)?;
            (table, Some((marked, threshold)))
        }
        None => (Table::of_predictions(&mut model, &data)?, None),
    };
    if let Some((marked, threshold)) = marked {
        talk!("{}", anomalies::marked(marked, table.rows.len(), threshold));
    }
    if let Some(out) = &args.out {
        let bytes = table.csv()?;
        atomic::write_file(out, |file| file.write_all(&bytes))?;
        talk!("wrote {} predictions to {}", table.rows.len(), out.display());
    }
    let object = |name: &str, value: Value| {
        let mut object = json!({ "samples": data.len(), name: value });
        if let Some((marked, threshold)) = marked {
            object["anomalies"] = marked.into();
            object["threshold"] = threshold.into();
        }
        report::json(&object)
    };
    match (&args.out, args.asked.json) {
        (Some(out), true) => object("out", json!(out)),
        (Some(_), false) => Ok(()),
        (None, true) => object("predictions", json!(table.objects())),
        (None, false) => {
            let mut stdout = io::stdout().lock();
            stdout.write_all(&table.csv()?)?;
            Ok(stdout.flush()?)
        }
    }
}

/// A row for each sample, or for each of its rows.
struct Table {
    header: Vec<String>,
    rows: Vec<Vec<Value>>,
}

impl Table {
    /// What the model predicts.
    fn of_predictions(model: &mut Model, data: &Dataset) -> Result<Table> {
        let Predictions { samples, lines, values } = Predictions::of(model, data)?;
        let width = values.len() / lines.len().max(1);
        let answers = Answers::new(model, width);
        let rows = lines.iter().zip(values.chunks(width)).map(|(&line, values)| answers.row(line, values));
        Ok(Table { rows: rows.collect(), header: answers.header.clone() }.of(data, &samples))
    }

    /// How unusual the samples are, and how many of them have scores above the threshold.
    fn of_anomalies(model: &mut Model, data: &Dataset, threshold: f64) -> Result<(Table, usize)> {
        let AnomalyScores { names, errors, scores } = model.anomaly_scores(data)?;
        let number = |value: f64| shortest(value as f32);
        let unusual = |score: f64| score > threshold;
        let row = |((line, &score), errors): ((u64, &f64), &[f64])| {
            let first = [line.into(), number(score), u8::from(unusual(score)).into()];
            first.into_iter().chain(errors.iter().map(|&error| number(error))).collect()
        };
        let rows = data.last_judged_rows().zip(&scores).zip(errors.chunks(names.len())).map(row).collect();
        let header = ["row", "score", "anomaly"].map(str::to_owned).into_iter();
        let header = header.chain(names.iter().map(|name| format!("error({name})"))).collect();
        let samples: Vec<usize> = (0..data.len()).collect();
        Ok((Table { header, rows }.of(data, &samples), scores.iter().filter(|&&score| unusual(score)).count()))
    }

    /// The same where each row says which file or series of several the sample is from that it tells of.
    fn of(self, data: &Dataset, samples: &[usize]) -> Table {
        let (column, names): (&str, Vec<Value>) = match (data.series_names(), data.files()) {
            (Some(names), _) => ("series", names.map(Value::from).collect()),
            (None, Some(files)) => ("file", files.map(|file| file.display().to_string().into()).collect()),
            (None, None) => return self,
        };
        // A whole series has no row of its own.
        let of_series = column == "series" && data.sample_kind() == SampleKind::Series;
        let skipped = usize::from(of_series && !data.has_targets_of_rows());
        let names = samples.iter().map(|&sample| names[sample].clone());
        let rows = names.zip(self.rows).map(|(name, row)| [&[name], &row[skipped..]].concat()).collect();
        Table { rows, header: [&[column.to_owned()], &self.header[skipped..]].concat() }
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
