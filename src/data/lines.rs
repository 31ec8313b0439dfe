//! A text file as a stream of lines, each with its number.

use super::records::open;
use crate::{Error, Result};
use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

/// The lines of a file but blank ones and comments, which begin with `#`; one is held at a time.
pub(super) struct Lines<'a> {
    path: &'a Path,
    reader: BufReader<File>,
    line: Vec<u8>,
    /// The number of the held line, from 1.
    pub number: u64,
}

impl<'a> Lines<'a> {
    /// Opens a file. Says in words what stands there if it is no file.
    pub fn open(path: &'a Path) -> Result<Self> {
        Ok(Lines { path, reader: BufReader::with_capacity(1 << 16, open(path)?), line: Vec::new(), number: 0 })
    }

    /// Reads on to the next line that is neither blank nor a comment. False at the end of the file.
    pub fn advance(&mut self) -> Result<bool> {
        loop {
            self.line.clear();
            let read = self.reader.read_until(b'\n', &mut self.line).map_err(|e| Error::io(self.path, "read", e))?;
            if read == 0 {
                return Ok(false);
            }
            self.number += 1;
            if self.number == 1 && self.line.starts_with(b"\xef\xbb\xbf") {
                self.line.drain(..3);
            }
            // Comments need not be text that can be read.
            let line = self.line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            if str::from_utf8(line).is_err() {
                let message = format!(
                    "line {}: these bytes are not UTF-8 text. Save the file as UTF-8, or check that it is a text file",
                    self.number
                );
                return Err(Error::input(self.path, message));
            }
            return Ok(true);
        }
    }

    /// The held line, without the blanks around it.
    pub fn text(&self) -> &str {
        str::from_utf8(self.line.trim_ascii()).unwrap_or_default()
    }
}
