//! `gatenorm predict --stream`: rows from stdin, answered as they come.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Result;
use gatenorm::Error;
use gatenorm::stream::RowReader;
use serde_json::Value;

use super::answers::{Answers, plain};
use super::model_and_data::ModelAndData;

/// Answers row by row; `said` tells whether both `-` and --stream were.
pub fn run(asked: &ModelAndData, said: bool) -> Result<()> {
    if !said {
        let text = "rows from stdin are predicted one by one: say `-` for DATA and --stream, as in `gatenorm predict MODEL.keras - --stream`";
        return Err(Error::usage(text).into());
    }
    let (mut model, spec) = asked.load_for_stream()?;
    let mut predictor = model.predictor()?;
    let place = Path::new("stdin");
    let unread = |e: csv::Error| Error::input(place, e.to_string());
    let mut lines = csv::ReaderBuilder::new().flexible(true).from_reader(io::stdin().lock());
    let header: Vec<String> = lines.headers().map_err(unread)?.iter().map(str::to_owned).collect();
    let mut reader = RowReader::new(&spec, &header).map_err(|e| Error::input(place, e.to_string()))?;
    let answers = Answers::new(&model, predictor.outputs());
    let mut out = io::stdout().lock();
    if !asked.json {
        out.write_all(&csv_line(&answers.header)?)?;
        out.flush()?;
    }
    let mut record = csv::StringRecord::new();
    while lines.read_record(&mut record).map_err(unread)? {
        let line = record.position().map_or(0, csv::Position::line);
        let in_line = |e: Error| Error::input(place, format!("line {line}: {e}"));
        let row = reader.row(|i| record.get(i)).map_err(in_line)?;
        let answer = answers.row(line, predictor.step(row)?);
        match asked.json {
            true => writeln!(out, "{}", Value::Object(answers.header.iter().cloned().zip(answer).collect()))?,
            false => out.write_all(&csv_line(&answer.iter().map(plain).collect::<Vec<_>>())?)?,
        }
        out.flush()?;
    }
    Ok(())
}

fn csv_line(fields: &[String]) -> Result<Vec<u8>> {
    let mut line = csv::Writer::from_writer(Vec::new());
    line.write_record(fields)?;
    Ok(line.into_inner().map_err(|e| e.into_error())?)
}
