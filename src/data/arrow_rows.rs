//! Parquet and Arrow tables as records of text, so that they are understood just as the same table in CSV.

use super::{files::Content, spelling::shown};
use crate::{Error, Result};
use arrow_array::{Array, RecordBatch, cast::AsArray};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, DataType, Schema};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::{
    fmt::Write,
    io::{BufReader, Read, Seek, SeekFrom},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

/// The rows of a table in columns; those of one batch are held as text.
pub(super) struct ArrowRows {
    /// The columns that are read, by their place in the file.
    columns: Vec<usize>,
    names: Vec<String>,
    /// For each of them what it holds, where this is neither numbers nor words.
    refused: Vec<Option<&'static str>>,
    batches: Batches,
    texts: Vec<Texts>,
    /// Rows in the batch, and those of them that are over.
    rows: usize,
    next: usize,
    /// The line of the held row if the table were CSV: that of the names is 1.
    pub line: u64,
}

/// The values of a column, one behind the other.
#[derive(Default)]
struct Texts {
    text: String,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Texts {
    fn get(&self, row: usize) -> &str {
        let begin = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[begin..self.ends[row]]
    }
}

impl ArrowRows {
    /// Opens a table: Parquet, an Arrow file (Feather), or an Arrow stream, as its first bytes say.
    pub fn open(path: &Path, mut content: Content) -> Result<ArrowRows> {
        let io = |e| Error::io(path, "read", e);
        let mut magic = Vec::new();
        content.by_ref().take(6).read_to_end(&mut magic).map_err(io)?;
        content.seek(SeekFrom::Start(0)).map_err(io)?;
        if magic.is_empty() {
            return Err(Error::input(path, "the file is empty. It needs columns and rows of numbers"));
        }
        if magic.starts_with(b"FEA1") {
            let message =
                "this is the first version of Feather, which nothing writes any more. Save the table with version 2";
            return Err(Error::input(path, message));
        }
        let opened = unharmed(|| match &magic[..] {
            [b'P', b'A', b'R', b'1', ..] => Ok(parquet(content)?),
            b"ARROW1" => {
                let reader = FileReader::try_new(BufReader::new(content), None)?;
                Ok((reader.schema(), Box::new(reader) as Batches))
            }
            _ => {
                let reader = StreamReader::try_new(BufReader::new(content), None)?;
                Ok((reader.schema(), Box::new(reader) as Batches))
            }
        });
        let (schema, batches) = opened.map_err(|e| broken(path, &e))?;
        Ok(ArrowRows::new(&schema, batches))
    }

    fn new(schema: &Schema, batches: Batches) -> ArrowRows {
        let all = schema.fields().iter().enumerate();
        // Pandas keeps the numbers of rows so, as R does in a first field without a name.
        let is_index = |name: &str, of: &DataType| name.starts_with("__index_level_") && of.is_integer();
        let (columns, fields): (Vec<usize>, Vec<_>) =
            all.filter(|(_, field)| !is_index(field.name(), field.data_type())).unzip();
        ArrowRows {
            columns,
            names: fields.iter().map(|field| field.name().trim().to_owned()).collect(),
            refused: fields.iter().map(|field| refused(field.data_type())).collect(),
            batches,
            texts: Vec::new(),
            rows: 0,
            next: 0,
            line: 0,
        }
    }

    /// Reads on to the next row; the first is that of the names. False at the end.
    pub fn advance(&mut self, path: &Path) -> Result<bool> {
        if self.line > 0 {
            self.next += 1;
            while self.next > self.rows {
                let next = unharmed(|| self.batches.next().transpose()).map_err(|e| broken(path, &e))?;
                let Some(batch) = next else { return Ok(false) };
                self.texts = self.render(path, &batch)?;
                (self.rows, self.next) = (batch.num_rows(), 1);
            }
        }
        self.line += 1;
        Ok(true)
    }

    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// A value of the held row; empty if there is no such column.
    pub fn text(&self, column: usize) -> &str {
        match self.next {
            0 => self.names.get(column).map_or("", String::as_str),
            next => self.texts.get(column).map_or("", |texts| texts.get(next - 1).trim_ascii()),
        }
    }

    /// What a column holds, where this is neither numbers nor words.
    pub fn refused(&self, column: usize) -> Option<&'static str> {
        self.refused.get(column).copied().flatten()
    }

    fn render(&self, path: &Path, batch: &RecordBatch) -> Result<Vec<Texts>> {
        let text = |(i, (&at, refused)): (usize, (&usize, &Option<_>))| {
            let Some(array) = batch.columns().get(at) else { return Err(broken(path, &"a batch lacks columns")) };
            if refused.is_some() {
                return Ok(Texts { text: String::new(), ends: vec![0; array.len()] });
            }
            texts(array).map_err(|e| broken(path, &format!("column `{}`: {e}", shown(&self.names[i]))))
        };
        self.columns.iter().zip(&self.refused).enumerate().map(text).collect()
    }
}

type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>;
type Opened = (std::sync::Arc<Schema>, Batches);

fn parquet(content: Content) -> parquet::errors::Result<Opened> {
    Ok(match content {
        Content::File(file) => {
            let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
            (builder.schema().clone(), Box::new(builder.build()?))
        }
        Content::Bytes(bytes) => {
            let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes.into_inner()))?;
            (builder.schema().clone(), Box::new(builder.build()?))
        }
    })
}

/// What is read. The readers check much of a damaged file, but not all before they rely on it.
fn unharmed<T>(read: impl FnOnce() -> Result<T, ArrowError>) -> Result<T, ArrowError> {
    let damaged = |_| Err(ArrowError::ParseError("it is damaged".into()));
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(damaged)
}

/// The values of a column as CSV has them: as pandas writes it, where there are several ways.
fn texts(array: &dyn Array) -> Result<Texts, ArrowError> {
    let options = FormatOptions::new()
        .with_display_error(false)
        .with_null("")
        .with_date_format(Some("%Y-%m-%d"))
        .with_datetime_format(Some("%Y-%m-%d %H:%M:%S%.f"))
        .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"))
        .with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.f%:z"))
        .with_time_format(Some("%H:%M:%S%.f"));
    let mut texts = Texts::default();
    if let Some(truths) = array.as_boolean_opt() {
        for truth in truths {
            texts.text += truth.map_or("", |truth| if truth { "True" } else { "False" });
            texts.ends.push(texts.text.len());
        }
        return Ok(texts);
    }
    let values = ArrayFormatter::try_new(array, &options)?;
    for row in 0..array.len() {
        let wrong =
            |_| ArrowError::InvalidArgumentError(format!("the value of row {} is beyond what can be written", row + 1));
        write!(texts.text, "{}", values.value(row)).map_err(wrong)?;
        texts.ends.push(texts.text.len());
    }
    Ok(texts)
}

/// What values of a type are, where they are neither numbers nor words nor moments.
fn refused(of: &DataType) -> Option<&'static str> {
    use DataType::{
        Binary, BinaryView, Dictionary, Duration, FixedSizeBinary, FixedSizeList, Interval, LargeBinary, LargeList,
        LargeListView, List, ListView, Map, RunEndEncoded, Struct, Union,
    };
    match of {
        List(_) | LargeList(_) | FixedSizeList(..) | ListView(_) | LargeListView(_) => Some("lists"),
        Struct(_) => Some("records of several fields"),
        Map(..) => Some("maps"),
        Union(..) => Some("values of several types"),
        Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => Some("bytes"),
        Duration(_) | Interval(_) => Some("stretches of time"),
        Dictionary(_, values) => refused(values),
        RunEndEncoded(_, values) => refused(values.data_type()),
        _ => None,
    }
}

fn broken(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::input(path, format!("the table cannot be read: {error}. Save or copy the file again, or save it as CSV"))
}
