//! Which rows follow on each other: those of one series, without a gap in time.

use super::{
    axis::{Axis, Doubt},
    options::TableOptions,
    reading::{DateOrder, Reading, TimeAxis},
    spelling::shown,
    table::Table,
};
use crate::{Error, Result};
use std::ops::Range;

/// Rows in the order of their series.
pub(super) struct Series {
    /// `[R]`: where each stood in the file; none where nothing was moved.
    order: Option<Vec<u32>>,
    /// Rows that follow on each other, one stretch after another over all rows.
    pub stretches: Vec<Range<usize>>,
    /// `[R]`, in the new order.
    pub axis: Option<Axis>,
    /// How often time jumps within a series.
    pub gaps: usize,
}

impl Series {
    /// Sorts out the rows; puts into `reading` what was found of the time axis.
    pub fn of(options: &TableOptions, table: &Table, reading: &mut Reading) -> Result<Series> {
        let rows = table.lines.len();
        let (order, series) = match table.groups.is_empty() {
            true => (None, std::iter::once(0..rows).collect()),
            false => by_group(&table.groups, table.group_names.len()),
        };
        let file = |row: usize| table.file_of(order.as_ref().map_or(row, |order| order[row] as usize));
        let series = if table.begins.len() > 1 { by_file(&series, file) } else { series };
        let mut found = Series { order, stretches: series, axis: None, gaps: 0 };
        match (&table.times, &mut reading.time) {
            (Some(moments), Some(time)) => {
                let axis = Axis::of(moments, time.order);
                match axis.map_err(|doubt| said(options, table, &time.columns, doubt)) {
                    // Found, not asked for.
                    Err(_) if time.found => {}
                    axis => found.place(options, table, axis?, time)?,
                }
            }
            (None, None) if !options.whole => found.find_axis(table, reading),
            _ => {}
        }
        Ok(found)
    }

    /// Whether rows stand in another order than in the file.
    pub fn moved_rows(&self) -> bool {
        self.order.is_some()
    }

    /// Values of all rows in the new order.
    pub fn sorted<V: Copy>(&self, values: Vec<V>) -> Vec<V> {
        match &self.order {
            None => values,
            Some(order) => order.iter().map(|&row| values[row as usize]).collect(),
        }
    }

    /// Takes a time axis, cuts where it jumps, and completes what is said of it.
    fn place(&mut self, options: &TableOptions, table: &Table, axis: Axis, time: &mut TimeAxis) -> Result<()> {
        let axis = self.order.as_ref().map(|order| axis.in_order(order)).unwrap_or(axis);
        if let Some(row) = axis.out_of_order(&self.stretches) {
            if time.found {
                return Ok(());
            }
            let lines = self.sorted(table.lines.clone());
            let same = axis.instants[row] == axis.instants[row - 1];
            let at = self.order.as_ref().map_or(row, |order| order[row] as usize);
            let path = options.paths().nth(table.file_of(at)).unwrap_or(&options.path);
            return Err(Error::input(path, disorder(time, lines[row], lines[row - 1], same, &table.groups)));
        }
        time.order = time.order.or(axis.order);
        if time.gap.is_none() {
            // To the thousandth of a second, as moments are.
            time.gap = axis.step(&self.stretches).map(|step| 1.5 * step as f64 / 1000.0);
        }
        let before = self.stretches.len();
        if let Some(gap) = time.gap.filter(|_| !options.whole) {
            self.stretches = axis.cut(&self.stretches, 1000.0 * gap);
        }
        self.gaps = self.stretches.len() - before;
        self.axis = Some(axis);
        Ok(())
    }

    /// Takes the one column of dates as time axis where its steps are regular.
    fn find_axis(&mut self, table: &Table, reading: &mut Reading) {
        let mut dates = table.columns.iter().filter_map(|column| Some((&column.name, column.dates()?)));
        let (Some((name, moments)), None) = (dates.next(), dates.next()) else { return };
        let Ok(axis) = Axis::of(moments, None) else { return };
        let axis = self.order.as_ref().map(|order| axis.in_order(order)).unwrap_or(axis);
        if axis.out_of_order(&self.stretches).is_some() {
            return;
        }
        let Some(step) = axis.step(&self.stretches).filter(|&step| axis.is_regular(&self.stretches, step)) else {
            return;
        };
        let gap = 1.5 * step as f64 / 1000.0;
        let before = self.stretches.len();
        self.stretches = axis.cut(&self.stretches, 1000.0 * gap);
        self.gaps = self.stretches.len() - before;
        let columns = vec![name.clone()];
        reading.time = Some(TimeAxis { columns, order: axis.order, gap: Some(gap), features: Vec::new(), found: true });
        self.axis = Some(axis);
    }
}

/// The rows of each group together, in the order in which groups appear; and where each begins and ends.
fn by_group(groups: &[u32], count: usize) -> (Option<Vec<u32>>, Vec<Range<usize>>) {
    let mut sizes = vec![0; count];
    groups.iter().for_each(|&group| sizes[group as usize] += 1);
    let mut end = 0;
    let ranges: Vec<Range<usize>> = sizes
        .iter()
        .map(|size| {
            end += size;
            end - size..end
        })
        .collect();
    if groups.is_sorted() {
        return (None, ranges);
    }
    let mut next: Vec<usize> = ranges.iter().map(|range| range.start).collect();
    let mut order = vec![0; groups.len()];
    for (row, &group) in groups.iter().enumerate() {
        order[next[group as usize]] = row as u32;
        next[group as usize] += 1;
    }
    (Some(order), ranges)
}

/// The same series, cut where one file ends and another begins.
fn by_file(series: &[Range<usize>], file: impl Fn(usize) -> usize) -> Vec<Range<usize>> {
    let mut pieces = Vec::with_capacity(series.len());
    for rows in series {
        let mut begin = rows.start;
        for row in rows.start + 1..rows.end {
            if file(row) != file(row - 1) {
                pieces.push(begin..row);
                begin = row;
            }
        }
        pieces.push(begin..rows.end);
    }
    pieces
}

fn names(columns: &[String]) -> String {
    let names = columns.iter().map(|name| format!("`{}`", shown(name))).collect::<Vec<_>>().join(", ");
    format!("{} {names}", if columns.len() == 1 { "column" } else { "columns" })
}

/// What is doubtful about moments, and what to do.
fn said(options: &TableOptions, table: &Table, columns: &[String], doubt: Doubt) -> Error {
    let columns = names(columns);
    let file = |row: usize| options.paths().nth(table.file_of(row)).unwrap_or(&options.path);
    let (Doubt::Order(first) | Doubt::Mixed(first, _) | Doubt::Impossible(first, _) | Doubt::Zone(first, _)) = doubt;
    let path = file(first);
    // Two rows may stand in two files.
    let line = |row: usize| match file(row) == path {
        true => table.lines[row].to_string(),
        false => format!("{} of {}", table.lines[row], file(row).display()),
    };
    let message = match doubt {
        Doubt::Order(row) => format!(
            "{columns}: day and month cannot be told apart, first on line {}, and no value has a day beyond 12. Say it with `--dates day-first` or `--dates month-first`",
            line(row)
        ),
        Doubt::Mixed(day, month) => format!(
            "{columns}: the day stands first on line {}, the month on line {}. Write all dates in one way",
            line(day),
            line(month)
        ),
        Doubt::Impossible(row, order) => {
            let (first, other) = match order {
                DateOrder::DayFirst => ("day", "month-first"),
                DateOrder::MonthFirst => ("month", "day-first"),
            };
            format!(
                "line {}, {columns}: there is no such date with the {first} first. Correct it, or use `--dates {other}`",
                line(row)
            )
        }
        Doubt::Zone(said, unsaid) => format!(
            "{columns}: line {} says how far its time is from UTC, line {} does not. Write all in one way",
            line(said),
            line(unsaid)
        ),
    };
    Error::input(path, message)
}

/// A row that does not come later than the one before it.
fn disorder(time: &TimeAxis, line: u32, before: u32, same: bool, groups: &[u32]) -> String {
    let what = if same { "the same moment as" } else { "earlier than" };
    let cure = match (same, groups.is_empty()) {
        (_, true) => {
            "Sort the rows by time, with one row a moment; if the file holds several series, name the column that tells them apart with `--group`"
        }
        (true, false) => {
            "Leave one row a moment in each group; where clocks were set back, write how far times are from UTC"
        }
        (false, false) => "Sort the rows of each group by time",
    };
    format!("line {line}, {}: {what} line {before}. {cure}", names(&time.columns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_group_come_together_in_their_order() {
        let (order, ranges) = by_group(&[0, 1, 0, 2, 1, 0], 3);
        assert_eq!((order, ranges), (Some(vec![0, 2, 5, 1, 4, 3]), vec![0..3, 3..5, 5..6]));
        assert_eq!(by_group(&[0, 0, 1], 2), (None, vec![0..2, 2..3]));
    }
}
