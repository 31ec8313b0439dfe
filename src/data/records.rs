//! A table as a stream of records, each with the line that it starts on.

#[cfg(feature = "arrow")]
use super::arrow_rows::ArrowRows;
use super::{columnar::is_columnar, csv_rows::CsvRows, files::Files};
use crate::{Error, Result};
use std::{fs::File, io::ErrorKind, path::Path};

/// The records of one file; one is held at a time, so that reading allocates nothing per record.
pub(super) struct Records<'a> {
    path: &'a Path,
    rows: Rows,
    /// The line (from 1) that the held record starts on; of a table in columns as if it were CSV.
    pub line: u64,
    /// The line that it ends on: a later one when a quoted field holds line breaks.
    pub last_line: u64,
    /// What separates fields.
    pub delimiter: u8,
}

enum Rows {
    Csv(Box<CsvRows>),
    #[cfg(feature = "arrow")]
    Arrow(Box<ArrowRows>),
}

impl<'a> Records<'a> {
    /// Opens one of the files. Says in words what stands there if it is no file.
    pub fn open(files: &Files, path: &'a Path) -> Result<Self> {
        let content = files.open(path)?;
        if is_columnar(path) {
            #[cfg(feature = "arrow")]
            return Ok(Records::of(path, Rows::Arrow(Box::new(ArrowRows::open(path, content)?)), b','));
            #[cfg(not(feature = "arrow"))]
            return Err(Error::input(
                path,
                "this build reads no Parquet or Arrow files. Install it with `cargo install --path . --features arrow`, or save the table as CSV",
            ));
        }
        let rows = CsvRows::new(path, Box::new(content))?;
        let delimiter = rows.delimiter;
        Ok(Records::of(path, Rows::Csv(Box::new(rows)), delimiter))
    }

    fn of(path: &'a Path, rows: Rows, delimiter: u8) -> Self {
        Records { path, rows, line: 0, last_line: 0, delimiter }
    }

    /// Reads on to the next record that is not blank. False at the end of the file.
    pub fn advance(&mut self) -> Result<bool> {
        let (more, lines) = match &mut self.rows {
            Rows::Csv(rows) => (rows.advance(self.path)?, rows.lines),
            #[cfg(feature = "arrow")]
            Rows::Arrow(rows) => (rows.advance(self.path)?, [rows.line; 2]),
        };
        [self.line, self.last_line] = lines;
        Ok(more)
    }

    /// The number of fields of the held record.
    pub fn len(&self) -> usize {
        match &self.rows {
            Rows::Csv(rows) => rows.len(),
            #[cfg(feature = "arrow")]
            Rows::Arrow(rows) => rows.len(),
        }
    }

    /// A field of the held record, without the blanks around it; empty if there is no such field.
    #[inline]
    pub fn text(&self, field: usize) -> &str {
        match &self.rows {
            Rows::Csv(rows) => rows.text(field),
            #[cfg(feature = "arrow")]
            Rows::Arrow(rows) => rows.text(field),
        }
    }

    /// What a column holds, where this can be neither numbers nor words.
    pub fn refused(&self, field: usize) -> Option<&'static str> {
        match (&self.rows, field) {
            (Rows::Csv(_), _) => None,
            #[cfg(feature = "arrow")]
            (Rows::Arrow(rows), field) => rows.refused(field),
        }
    }

    /// What separates fields in the file; none in a table of columns.
    pub fn separator(&self) -> Option<char> {
        matches!(self.rows, Rows::Csv(_)).then_some(char::from(self.delimiter))
    }
}

/// Opens a file to read. Says in words what stands there if it is no file.
pub(super) fn open(path: &Path) -> Result<File> {
    let file = File::open(path).map_err(|source| match source.kind() {
        ErrorKind::NotFound => {
            Error::input(path, "there is no such file. Check the spelling and the folder that the path starts from")
        }
        _ => Error::io(path, "read", source),
    })?;
    let metadata = file.metadata().map_err(|source| Error::io(path, "read", source))?;
    if metadata.is_dir() {
        return Err(Error::input(path, "this is a folder. Name one file in it"));
    }
    Ok(file)
}
