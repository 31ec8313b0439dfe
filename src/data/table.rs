//! The columns of files that are wanted, read row by row.

use super::{
    cells::{Cells, Stranger},
    labels::{Labels, Place},
    layout::{self, Layout},
    options::TableOptions,
    reading::Missing,
    records::Records,
    series_labels::Targets,
    spelling::{list, shown},
    spool::{self, Spool},
    time::{Moment, moment, moment_of},
    value::{Fault, Numerals},
};
use crate::{Error, Result};
use std::{collections::HashMap, path::Path};

/// Columns of R rows.
pub(super) struct Table {
    /// The features in their order, with columns that turned out to be none.
    pub columns: Vec<Column>,
    /// The names of the targets; none without.
    pub targets: Vec<String>,
    /// `[R]` for each target.
    pub labels: Vec<Labels>,
    /// `[R]`: the number of the series of each row, in order of appearance; empty without groups.
    pub groups: Vec<u32>,
    /// The names of the series.
    pub group_names: Vec<String>,
    /// `[R]`: when each row was; none without a time axis.
    pub times: Option<Vec<Moment>>,
    /// `[R]`: the line of each row in its file.
    pub lines: Vec<u32>,
    /// The numbers of the features, where they are too many for the memory that they may take; their columns are empty then.
    pub spool: Option<Spool>,
    /// The first row of each file.
    pub begins: Vec<usize>,
    known_groups: HashMap<String, u32>,
}

/// A column and what it holds.
pub(super) struct Column {
    pub name: String,
    pub cells: Cells,
}

impl Table {
    /// Reads what the options ask for.
    pub fn read(options: &TableOptions) -> Result<Table> {
        let (table, header) = Table::read_columns(options)?;
        table.check_features(&options.path, &header)?;
        Ok(table)
    }

    /// The same where it does not matter whether any column is a feature.
    pub fn read_any(options: &TableOptions) -> Result<Table> {
        Ok(Table::read_columns(options)?.0)
    }

    /// The columns, and the names of all there are.
    fn read_columns(options: &TableOptions) -> Result<(Table, Vec<String>)> {
        let mut read: Option<(Table, Vec<String>)> = None;
        for path in options.paths() {
            let mut records = Records::open(&options.files, path)?;
            if !records.advance()? {
                return Err(Error::input(
                    path,
                    "the file is empty. It needs a line of column names and rows of numbers",
                ));
            }
            let header = layout::header(path, &records)?;
            let mut more = records.advance()?;
            if more && layout::are_units(&records) {
                more = records.advance()?;
            }
            if !more {
                return Err(Error::input(path, "the file has a header and no rows. Add rows of numbers below it"));
            }
            let (mut table, first) = match read.take() {
                Some((table, first)) => {
                    check_header(options, path, &first, &header)?;
                    (table, first)
                }
                None => {
                    let layout = Layout::new(path, options, &header, &records, None)?;
                    (Table::new(options, &layout)?, header.clone())
                }
            };
            let names: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
            let layout = Layout::new(path, options, &header, &records, Some(&names))?;
            table.begins.push(table.lines.len());
            table.read_rows(options, &layout, records)?;
            read = Some((table, first));
        }
        read.ok_or_else(|| Error::usage("there is no file to read"))
    }

    fn new(options: &TableOptions, layout: &Layout) -> Result<Table> {
        let column = |field: &layout::Field| Column {
            name: field.name.clone(),
            cells: Cells::new(field.kind, options.categories(&field.name)),
        };
        Ok(Table {
            columns: layout.features.iter().map(column).collect(),
            targets: layout.targets.iter().map(|field| field.name.clone()).collect(),
            labels: options.room_for_targets()?,
            groups: Vec::new(),
            group_names: Vec::new(),
            times: (!layout.time.is_empty()).then(Vec::new),
            lines: Vec::new(),
            spool: None,
            begins: Vec::new(),
            known_groups: HashMap::new(),
        })
    }

    /// Reads the rows of a file from the held record on.
    fn read_rows(&mut self, options: &TableOptions, layout: &Layout, mut records: Records) -> Result<()> {
        let path = layout.path;
        let most = u32::MAX as usize / options.row_steps.unwrap_or(1);
        let mut numerals = Numerals::new(options.reading.missing_marks.as_deref(), records.delimiter);
        loop {
            layout.check_width(&records)?;
            self.read_features(options.reading.missing, layout, &records, &mut numerals)?;
            self.read_targets(options.reading.missing, path, layout, &records, &mut numerals)?;
            self.read_group(path, layout, &records, &numerals)?;
            self.read_time(options, layout, &records)?;
            if self.lines.len() == most {
                return Err(Error::input(path, format!("more than {most} rows are too many. Split the file")));
            }
            self.lines.push(u32::try_from(records.line).unwrap_or(u32::MAX));
            if let Some(most) = options.host_memory {
                self.spill(path, most)?;
            }
            if !records.advance()? {
                return Ok(());
            }
        }
    }

    /// Moves the features' numbers out of memory where they take more than these bytes.
    fn spill(&mut self, path: &Path, most: usize) -> Result<()> {
        let is_feature = |column: &&Column| !column.cells.is_passed();
        let features = self.columns.iter().filter(is_feature).count();
        let (written, most) = self.spool.as_ref().map_or((0, most), |spool| (spool.rows, most.min(spool::BLOCK)));
        if size_of::<f32>() * features * (self.lines.len() - written) <= most {
            return Ok(());
        }
        let spool = match self.spool.take() {
            Some(spool) => spool,
            None => Spool::new(features)?,
        };
        self.spool.insert(spool).take(path, &mut self.columns)
    }

    #[inline]
    fn read_features(
        &mut self,
        missing: Missing,
        layout: &Layout,
        records: &Records,
        numerals: &mut Numerals,
    ) -> Result<()> {
        for (field, column) in layout.features.iter().zip(&mut self.columns) {
            let text = records.text(field.index);
            if numerals.is_missing(text) {
                if missing == Missing::Error && !column.cells.is_passed() {
                    return Err(layout.refuse(field, records.line, Stranger::Fault(Fault::Missing), text));
                }
                column.cells.push_missing();
            } else if let Err(stranger) = column.cells.push(text, field.kind, records.line, numerals) {
                return Err(layout.refuse(field, records.line, stranger, text));
            }
        }
        Ok(())
    }

    fn read_targets(
        &mut self,
        missing: Missing,
        path: &Path,
        layout: &Layout,
        records: &Records,
        numerals: &mut Numerals,
    ) -> Result<()> {
        for (field, labels) in layout.targets.iter().zip(&mut self.labels) {
            let place = Place { path, unit: "line", line: records.line, column: Some(&field.name) };
            let text = records.text(field.index);
            if !numerals.is_missing(text) {
                let plain = numerals.plain(text).map_err(|fault| place.not_a_number(text, fault))?;
                labels.push(&plain, place)?;
            } else if missing == Missing::Error {
                return Err(place.not_a_number(text, Fault::Missing));
            } else {
                labels.push_missing();
            }
        }
        Ok(())
    }

    fn read_group(&mut self, path: &Path, layout: &Layout, records: &Records, numerals: &Numerals) -> Result<()> {
        if layout.group.is_empty() {
            return Ok(());
        }
        if let Some(field) = layout.group.iter().find(|field| numerals.is_missing(records.text(field.index))) {
            return Err(Error::input(
                path,
                format!(
                    "line {}, column `{}`: the row does not say which series it belongs to. Fill in the value or remove the row",
                    records.line,
                    shown(&field.name)
                ),
            ));
        }
        let name = layout.group.iter().map(|field| records.text(field.index)).collect::<Vec<_>>().join(", ");
        let number = match self.known_groups.get(&name) {
            Some(&number) => number,
            None => {
                let number = self.group_names.len() as u32;
                self.known_groups.insert(name.clone(), number);
                self.group_names.push(name);
                number
            }
        };
        self.groups.push(number);
        Ok(())
    }

    fn read_time(&mut self, options: &TableOptions, layout: &Layout, records: &Records) -> Result<()> {
        let Some(times) = &mut self.times else { return Ok(()) };
        if layout.time.is_empty() {
            // It was found in the first file, and this one lacks it.
            self.times = None;
            return Ok(());
        }
        let parts: Vec<&str> = layout.time.iter().map(|field| records.text(field.index)).collect();
        match row_moment(&parts) {
            Some(moment) => times.push(moment),
            // It was found, not asked for.
            None if options.reading.time.as_ref().is_some_and(|time| time.found) => self.times = None,
            None => {
                let columns = layout.time.iter().map(|field| format!("`{}`", shown(&field.name))).collect::<Vec<_>>();
                let several = if columns.len() == 1 { "column" } else { "columns" };
                let (columns, text) = (columns.join(", "), parts.join(" "));
                let text =
                    if text.trim().is_empty() { "an empty field".to_owned() } else { format!("`{}`", shown(&text)) };
                let message = format!(
                    "line {}, {several} {columns}: {text} is no moment. Write dates as 2015-02-04 17:51:00, or seconds, or name columns of year, month, day and hour; correct the value, or remove the row",
                    records.line
                );
                return Err(Error::input(layout.path, message));
            }
        }
        Ok(())
    }

    /// The targets that stand in its columns.
    pub fn take_targets(&mut self, path: &Path) -> Result<Targets> {
        Targets::of(path, std::mem::take(&mut self.labels), std::mem::take(&mut self.targets))
    }

    /// Tells the rows of each file from those of others, by the files' names.
    pub fn tell_files_apart(&mut self, names: &[String]) {
        let mut known: HashMap<(usize, Option<u32>), u32> = HashMap::new();
        let mut all: Vec<String> = Vec::new();
        let groups = (0..self.lines.len()).map(|row| {
            let (file, group) = (self.file_of(row), self.groups.get(row).copied());
            *known.entry((file, group)).or_insert_with(|| {
                let group = group.map(|group| format!(", {}", self.group_names[group as usize]));
                all.push(names[file].clone() + &group.unwrap_or_default());
                all.len() as u32 - 1
            })
        });
        self.groups = groups.collect();
        self.group_names = all;
    }

    /// The file that a row stands in, by its number.
    pub fn file_of(&self, row: usize) -> usize {
        self.begins.partition_point(|&begin| begin <= row).saturating_sub(1)
    }

    /// Whether any column is a feature.
    fn check_features(&self, path: &Path, header: &[String]) -> Result<()> {
        if let Some(column) = self.columns.iter().find(|column| matches!(column.cells, Cells::Missing(_))) {
            let message = format!(
                "column `{}` has no value at all. Leave it out by listing the ones to use with `--columns`",
                shown(&column.name)
            );
            return Err(Error::input(path, message));
        }
        if self.columns.iter().all(|column| column.cells.is_passed()) {
            let columns = list(header);
            let message = format!(
                "no column of numbers is left as a feature; the columns are {columns}. Add one, or choose with `--columns`"
            );
            return Err(Error::input(path, message));
        }
        Ok(())
    }
}

/// Whether a further file has no columns but those of the first, where all are features.
fn check_header(options: &TableOptions, path: &Path, first: &[String], header: &[String]) -> Result<()> {
    match header.iter().find(|name| options.columns.is_none() && !first.contains(name)) {
        Some(name) => Err(Error::input(
            path,
            format!(
                "column `{}` is not in {}. Use files with the same columns, or list the ones to use with `--columns`",
                shown(name),
                options.files.paths[0].display()
            ),
        )),
        None => Ok(()),
    }
}

/// What one or several fields say of when a row was.
fn row_moment(parts: &[&str]) -> Option<Moment> {
    if let [text] = parts {
        return moment(text).or_else(|| number_moment(text));
    }
    match parts.iter().map(|part| part.parse::<i64>()).collect::<Result<Vec<_>, _>>() {
        Ok(numbers) => moment_of(&numbers),
        Err(_) => moment(&parts.join(" ")),
    }
}

/// Seconds since 1970, or from 1e11 on thousandths, millionths or billionths of them; eight digits that are a date are one.
fn number_moment(text: &str) -> Option<Moment> {
    if let (8, Ok(day @ 19_000_000..22_000_000)) = (text.len(), text.parse::<i64>())
        && let Some(moment) = moment_of(&[day / 10_000, day / 100 % 100, day % 100])
    {
        return Some(moment);
    }
    let number: f64 = text.parse().ok().filter(|number: &f64| number.is_finite())?;
    let milliseconds = match number.abs() {
        n if n < 1e11 => 1e3 * number,
        n if n < 1e14 => number,
        n if n < 1e17 => 1e-3 * number,
        _ => 1e-6 * number,
    };
    Some(Moment::at(milliseconds.round() as i64))
}

impl Column {
    /// Whether its kind was found to be a date, for a time axis.
    pub fn dates(&self) -> Option<&[Moment]> {
        match &self.cells {
            Cells::Dates(moments) => Some(moments),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_said_by_one_field_or_several() {
        let day = moment("2015-02-04").unwrap();
        let hour = moment("2015-02-04 17:00").unwrap();
        assert_eq!(row_moment(&["2015-02-04 17:00"]), Some(hour));
        assert_eq!(row_moment(&["2015", "2", "4", "17"]), Some(hour));
        assert_eq!(row_moment(&["2015-02-04", "17:00"]), Some(hour));
        assert_eq!(row_moment(&["20150204"]), Some(day));
        assert_eq!(row_moment(&["1423069200"]), Some(hour));
        assert_eq!(row_moment(&["1423069200000"]), Some(hour));
        assert_eq!(row_moment(&["1423069200.5"]), Some(Moment::at(1_423_069_200_500)));
        for parts in [&["noon"][..], &["2015", "13", "4"], &["2015-02-04", "late"], &[""]] {
            assert_eq!(row_moment(parts), None, "{parts:?}");
        }
    }
}
