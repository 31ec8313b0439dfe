//! The rows of a CSV file.

use super::dialect;
use crate::{Error, Result};
use ::csv::{ByteRecord, Reader, ReaderBuilder, Terminator, Trim};
use std::{
    collections::VecDeque,
    io::{self, Read},
    path::Path,
};

/// More rows of empty fields in a row than these are hardly data.
const MOST_EMPTY: usize = 1 << 20;

/// The records of one file; one is held at a time.
pub(super) struct CsvRows {
    reader: Reader<Ended>,
    record: ByteRecord,
    /// The lines (from 1) that the held record starts and ends on.
    pub lines: [u64; 2],
    /// Records of empty fields that were passed, each with its line; they count only if others come behind them.
    empty: VecDeque<(ByteRecord, [u64; 2])>,
    /// The record behind them.
    behind: Option<(ByteRecord, [u64; 2])>,
    /// What separates fields.
    pub delimiter: u8,
    /// Lines above those that are read.
    above: u64,
}

impl CsvRows {
    /// The records of what is read. `path` is its name in errors.
    pub fn new(path: &Path, mut content: Box<dyn Read>) -> Result<Self> {
        let mut start = Vec::new();
        content.by_ref().take(dialect::BYTES).read_to_end(&mut start).map_err(|e| Error::io(path, "read", e))?;
        // As old Macintoshes end lines.
        let returns = start.contains(&b'\r') && !start.contains(&b'\n');
        let said = dialect::said(&start);
        let skipped = said.map_or(0, |(_, line)| line);
        let mut content: Box<dyn Read> = Box::new(io::Cursor::new(start[skipped..].to_vec()).chain(content));
        if returns {
            start.iter_mut().for_each(break_line);
            content = Box::new(Returns(content));
        }
        let delimiter = said.map_or_else(|| dialect::delimiter(start), |(delimiter, _)| delimiter);
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            // One terminator only, so that the count of lines is exact; `trim` drops the `\r` that Windows puts before it.
            .terminator(Terminator::Any(b'\n'))
            .trim(Trim::None)
            .buffer_capacity(1 << 16)
            .from_reader(Ended { content, closed: false, exhausted: false });
        Ok(CsvRows {
            reader,
            record: ByteRecord::new(),
            lines: [0; 2],
            empty: VecDeque::new(),
            behind: None,
            delimiter,
            above: u64::from(skipped > 0),
        })
    }

    /// Reads on to the next record that is not blank. False at the end of the file: also where nothing but empty fields follow, as
    /// spreadsheets leave them there.
    pub fn advance(&mut self, path: &Path) -> Result<bool> {
        if self.behind.is_none() {
            while self.read(path)? {
                if !self.record.as_slice().trim_ascii().is_empty() {
                    if self.empty.is_empty() {
                        return Ok(true);
                    }
                    self.behind = Some((self.record.clone(), self.lines));
                    break;
                }
                if self.empty.len() == MOST_EMPTY {
                    let message = format!(
                        "line {}: more than {MOST_EMPTY} rows of empty fields follow on each other. Remove them",
                        self.lines[0]
                    );
                    return Err(Error::input(path, message));
                }
                self.empty.push_back((self.record.clone(), self.lines));
            }
        }
        let Some(behind) = self.behind.take() else { return Ok(false) };
        let next = match self.empty.pop_front() {
            Some(empty) => {
                self.behind = Some(behind);
                empty
            }
            None => behind,
        };
        (self.record, self.lines) = next;
        Ok(true)
    }

    /// Reads on to the next record that is not blank.
    fn read(&mut self, path: &Path) -> Result<bool> {
        loop {
            match self.reader.read_byte_record(&mut self.record) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) => return Err(self.broken(path, error)),
            }
            // The record's own position is that of the blank lines before it, so its lines are counted from its end.
            let breaks = self.record.as_slice().iter().filter(|&&b| b == b'\n').count() as u64;
            let next_line = self.above + self.reader.position().line();
            if self.reader.get_ref().exhausted {
                let line = next_line.saturating_sub(breaks);
                let message =
                    format!("line {line}: a quote (`\"`) is opened here and never closed. Close or remove it");
                return Err(Error::input(path, message));
            }
            let last = next_line.saturating_sub(1);
            self.lines = [last.saturating_sub(breaks), last];
            self.check_utf8(path)?;
            if self.record.len() > 1 || !self.text(0).is_empty() {
                return Ok(true);
            }
        }
    }

    /// The number of fields of the held record.
    pub fn len(&self) -> usize {
        self.record.len()
    }

    /// A field of the held record, without the blanks around it; empty if there is no such field.
    pub fn text(&self, field: usize) -> &str {
        let bytes = self.record.get(field).unwrap_or_default();
        str::from_utf8(bytes.trim_ascii()).unwrap_or_default()
    }

    fn check_utf8(&self, path: &Path) -> Result<()> {
        if self.record.as_slice().is_ascii() || self.record.iter().all(|field| str::from_utf8(field).is_ok()) {
            return Ok(());
        }
        let field = 1 + self.record.iter().take_while(|field| str::from_utf8(field).is_ok()).count();
        Err(Error::input(
            path,
            format!(
                "line {}, field {field}: these bytes are not UTF-8 text. Save the file as UTF-8 (in Excel as `CSV UTF-8`), or check that it is a CSV file",
                self.lines[0]
            ),
        ))
    }

    fn broken(&self, path: &Path, error: ::csv::Error) -> Error {
        let text = error.to_string();
        match error.into_kind() {
            ::csv::ErrorKind::Io(source) => Error::io(path, "read", source),
            _ => Error::input(path, format!("after line {}: {text}. Correct the file there", self.lines[1])),
        }
    }
}

/// A file with a line break added at its end.
///
/// So every record ends at the start of a line, and one that ends otherwise, at the end of all, is in an open quote.
struct Ended {
    content: Box<dyn Read>,
    /// The line break was handed out.
    closed: bool,
    /// The reader asked for more after it.
    exhausted: bool,
}

impl Read for Ended {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match (self.content.read(buffer)?, buffer.first_mut()) {
            (0, Some(byte)) if !self.closed => {
                *byte = b'\n';
                self.closed = true;
                Ok(1)
            }
            (0, Some(_)) => {
                self.exhausted = true;
                Ok(0)
            }
            (read, _) => Ok(read),
        }
    }
}

/// Text whose lines end in a carriage return alone.
struct Returns<R>(R);

impl<R: Read> Read for Returns<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        buffer[..read].iter_mut().for_each(break_line);
        Ok(read)
    }
}

fn break_line(byte: &mut u8) {
    if *byte == b'\r' {
        *byte = b'\n';
    }
}
