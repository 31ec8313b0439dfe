//! The rows of a table that is larger than the memory that they may take: they go into a temporary file as they are read.

use super::{
    cells::Cells,
    npy_numbers::NumberFile,
    rows::{FileRows, Rows},
    spelling::shown,
    table::Column,
};
use crate::{Error, Result};
use std::{
    env,
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

/// The most bytes of further rows that are gathered before they are written.
pub(super) const BLOCK: usize = 1 << 20;

/// Rows of numbers, `[R, F]`, in a file that has no name and goes with the program.
pub(super) struct Spool {
    folder: PathBuf,
    file: BufWriter<File>,
    pub rows: usize,
    features: usize,
}

impl Spool {
    /// An empty one, for so many columns.
    pub fn new(features: usize) -> Result<Spool> {
        let folder = folder();
        let file = tempfile::tempfile_in(&folder).map_err(|e| Error::io(&folder, "write a temporary file into", e))?;
        Ok(Spool { folder, file: BufWriter::new(file), rows: 0, features })
    }

    /// Takes the rows out of the columns.
    ///
    /// Errors: words or missing values in a column of `path`; a disk that is full.
    pub fn take(&mut self, path: &Path, columns: &mut [Column]) -> Result<()> {
        let columns: Vec<Vec<f32>> =
            columns.iter_mut().filter_map(|column| numbers(path, column).transpose()).collect::<Result<_>>()?;
        let rows = columns.first().map_or(0, Vec::len);
        let values = (0..rows).flat_map(|row| columns.iter().map(move |column| column[row]));
        values.map(f32::to_le_bytes).try_for_each(|bytes| self.file.write_all(&bytes)).map_err(|e| self.failed(e))?;
        self.rows += rows;
        Ok(())
    }

    /// Its rows, of which samples are windows of so many.
    pub fn finish(self, window: usize) -> Result<Rows> {
        let Spool { folder, file, rows, features } = self;
        let file = file.into_inner().map_err(|e| full(&folder, e.into_error()))?;
        let numbers = NumberFile::of_floats(folder, file, vec![rows, features]);
        Ok(FileRows::new(numbers, window, features).cleaned(None))
    }

    fn failed(&self, error: std::io::Error) -> Error {
        full(&self.folder, error)
    }
}

fn full(folder: &Path, error: std::io::Error) -> Error {
    Error::io(folder, "write the rows of a large table into (TMPDIR names another folder)", error)
}

/// Where temporary files of any size may lie: `TMPDIR`, or what is rarely in memory itself.
fn folder() -> PathBuf {
    let large = Path::new("/var/tmp");
    if env::var_os("TMPDIR").is_none() && large.is_dir() { large.to_owned() } else { env::temp_dir() }
}

/// The numbers of a column, which has none then; none of one that is no feature.
fn numbers(path: &Path, column: &mut Column) -> Result<Option<Vec<f32>>> {
    let what = match &mut column.cells {
        Cells::Dates(_) | Cells::Passed => return Ok(None),
        Cells::Numbers(values) if !values.iter().any(|value| value.is_nan()) => {
            return Ok(Some(std::mem::take(values)));
        }
        Cells::Numbers(_) | Cells::Missing(_) => "has missing values",
        Cells::Words(_) => "holds categories",
    };
    Err(unfit(path, &format!("column `{}` {what}", shown(&column.name))))
}

/// A table that cannot be kept so.
pub(super) fn unfit(path: &Path, why: &str) -> Error {
    let message = format!(
        "the rows take more than `--host-memory` allows, and cannot stay in a file since {why}: only windows over numbers, all of them there, in the order of the file, can. Allow more, or choose other columns with `--columns`"
    );
    Error::input(path, message)
}
