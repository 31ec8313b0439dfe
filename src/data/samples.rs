//! From the columns of a table to samples: windows, their targets, and what the simplest forecasts would say.

use super::{
    baselines,
    dataset::{Dataset, SampleKind},
    features::Features,
    options::TableOptions,
    reading::{Missing, Reading},
    series::Series,
    source::{SampleArray, Source},
    spelling::shown,
    table::Table,
    window::Windows,
};
use crate::{Error, Result};
use std::{ops::Range, sync::Arc};

/// What became of the rows of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowCounts {
    /// All rows.
    pub rows: usize,
    /// Values that were filled in.
    pub filled: usize,
    /// Rows with a missing value, which no sample holds or, by [`Missing::Mask`], the model skips.
    pub incomplete: usize,
    /// Windows that were left out since their target is missing.
    pub without_target: usize,
    /// How often time jumps within a series.
    pub gaps: usize,
    /// Series that the rows belong to; 1 without groups.
    pub series: usize,
}

/// The rows that samples begin at, and what is known at each row.
struct Cut<'a> {
    windows: Windows,
    horizon: &'a [usize],
    stretches: &'a [Range<usize>],
    /// `[R]`: whether no window may hold it.
    barred: &'a [bool],
    /// `[R]`: whether a model sees nothing of it.
    masked: &'a [bool],
    /// `[R]` for each target, NaN where it is missing.
    labels: &'a [Vec<f32>],
    files: usize,
}

/// Makes samples of a table.
pub(super) fn assemble(options: &TableOptions, mut table: Table) -> Result<Dataset> {
    let path = options.path.as_path();
    let mut reading = options.reading.clone();
    let rows = table.lines.len();
    let series = Series::of(options, &table, &mut reading)?;
    let columns = std::mem::take(&mut table.columns);
    let features = Features::of(columns, &series, &mut reading);
    // A row of many steps counts as that many rows.
    let per_row = options.row_steps.unwrap_or(1);
    check_row_steps(options, &features)?;
    // Before the labels are judged: too few rows often hold one class only, and more rows are the cure.
    check_length(options, rows)?;
    let mut classes = None;
    let mut labels = Vec::with_capacity(table.labels.len());
    for (of, name) in std::mem::take(&mut table.labels).into_iter().zip(&table.targets) {
        let (values, names) = of.finish(path, Some(name))?;
        classes = classes.or(names);
        labels.push(series.sorted(values));
    }
    let incomplete = features.missing(rows, per_row);
    let of_row = |row: usize| &incomplete[row * per_row..(row + 1) * per_row];
    let mask = reading.missing == Missing::Mask;
    let barred: Vec<bool> = (0..rows).map(|row| !mask && of_row(row).contains(&true)).collect();
    let masked: Vec<bool> = (0..rows).map(|row| mask && !of_row(row).contains(&false)).collect();
    let cut = Cut {
        windows: options.windows,
        horizon: &reading.horizon,
        stretches: &series.stretches,
        barred: &barred,
        masked: &masked,
        labels: &labels,
        files: table.begins.len(),
    };
    let (starts, without_target) = cut.starts();
    if starts.is_empty() {
        return Err(Error::input(path, cut.why_none(&reading, without_target)));
    }
    let windows = options.windows;
    let last_rows: Vec<usize> = starts.iter().map(|&start| windows.last_row(start)).collect();
    let mut targets = labels.iter().map(|labels| cut.targets(labels, &last_rows));
    let first = targets.next().unwrap_or_default();
    let outputs = reading.horizon.len().max(1);
    let more = targets.map(|values| SampleArray { shape: vec![outputs], values }).collect();
    let files: Vec<u32> = if table.begins.len() > 1 {
        series.sorted((0..rows).map(|row| table.file_of(row) as u32).collect())
    } else {
        Vec::new()
    };
    let lines = series.sorted(std::mem::take(&mut table.lines));
    let groups = series.sorted(std::mem::take(&mut table.groups));
    let reach = reading.horizon.last().copied().unwrap_or(0);
    let times = series.axis.as_ref().map(|axis| {
        let until = |last: usize| axis.instants[(last + reach).min(rows - 1)];
        starts.iter().zip(&last_rows).map(|(&start, &last)| (axis.instants[start as usize], until(last))).collect()
    });
    let counts = RowCounts {
        rows,
        filled: features.filled,
        incomplete: incomplete.chunks(per_row).filter(|row| row.contains(&true)).count(),
        without_target,
        gaps: series.gaps,
        series: table.group_names.len().max(1),
    };
    let baselines = match classes {
        None if reach > 0 => baselines::of(&series.stretches, &labels, &last_rows, &reading),
        _ => Vec::new(),
    };
    let names = features.names();
    let data = Dataset::new(Source {
        kind: if options.row_steps.is_some() { SampleKind::Row } else { SampleKind::Window },
        stride: windows.stride,
        input_shape: vec![windows.length * per_row, names.len() / per_row],
        steps: windows.length * per_row,
        target_shape: if labels.is_empty() { vec![] } else { vec![outputs] },
        targets: first,
        places: last_rows.iter().map(|&row| lines[row]).collect(),
        files: if files.is_empty() { files } else { last_rows.iter().map(|&row| files[row]).collect() },
        file_names: Arc::new(options.paths().map(Into::into).collect()),
        groups: (!groups.is_empty()).then(|| starts.iter().map(|&start| groups[start as usize]).collect()),
        group_names: Arc::new(table.group_names),
        times,
        reach,
        starts: starts.iter().map(|&start| start * per_row as u32).collect(),
        lengths: None,
        rows: features.rows(&series, &incomplete).into(),
        masked: mask && incomplete.contains(&true),
        columns: names,
        sources: features.sources(),
        target_names: table.targets,
        classes,
        reading,
        counts,
        baselines,
    });
    Ok(Dataset { more_targets: Arc::new(more), ..data })
}

impl Cut<'_> {
    /// The first row of each sample, ascending, and how many windows have none since they have no target.
    fn starts(&self) -> (Vec<u32>, usize) {
        let (mut starts, mut without_target) = (Vec::new(), 0);
        for stretch in self.stretches {
            for run in runs(stretch.clone(), self.barred) {
                for start in self.windows.starts(run.len()) {
                    let start = start + run.start as u32;
                    let last = self.windows.last_row(start);
                    if self.masked[start as usize..=last].iter().all(|&masked| masked) {
                        continue;
                    }
                    match self.has_targets(last, stretch.end) {
                        true => starts.push(start),
                        false => without_target += 1,
                    }
                }
            }
        }
        (starts, without_target)
    }

    fn has_targets(&self, last: usize, end: usize) -> bool {
        let there = |labels: &Vec<f32>, ahead: usize| last + ahead < end && !labels[last + ahead].is_nan();
        self.labels.iter().all(|labels| self.ahead().all(|ahead| there(labels, ahead)))
    }

    /// How far behind a window's last row its targets stand.
    fn ahead(&self) -> impl Iterator<Item = usize> + '_ {
        let none = self.horizon.is_empty().then_some(0);
        none.into_iter().chain(self.horizon.iter().copied())
    }

    /// `[S, O]` of one target.
    fn targets(&self, labels: &[f32], last_rows: &[usize]) -> Vec<f32> {
        last_rows.iter().flat_map(|&last| self.ahead().map(move |ahead| labels[last + ahead])).collect()
    }

    /// Why there is no sample, and what to do.
    fn why_none(&self, reading: &Reading, without_target: usize) -> String {
        let length = self.windows.length;
        if without_target > 0 {
            return match self.horizon.last() {
                Some(ahead) => format!(
                    "no window of {length} rows has a target {ahead} rows behind it in the same series. Use a smaller `--horizon` or `--window`, or more data"
                ),
                None => "every window's target is missing. Use rows with targets".to_owned(),
            };
        }
        let longest = self.stretches.iter().flat_map(|stretch| runs(stretch.clone(), self.barred)).map(|run| run.len());
        let longest = longest.max().unwrap_or(0);
        let mut ends = Vec::new();
        if self.barred.contains(&true) {
            ends.push("a missing value");
        }
        if self.files > 1 {
            ends.push("another file");
        }
        if !reading.group.is_empty() {
            ends.push("another group");
        }
        if reading.time.is_some() {
            ends.push("a gap in time");
        }
        let until = ends.join(", ");
        format!(
            "no window of {length} rows is whole: at most {longest} rows follow on each other without {until}. Use `--window {}` or less{}",
            longest.max(1),
            if self.barred.contains(&true) { ", or another way of `--missing`" } else { "" }
        )
    }
}

/// The runs of rows in a stretch that windows may hold.
fn runs(stretch: Range<usize>, barred: &[bool]) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let mut begin = None;
    for row in stretch.clone() {
        match (barred[row], begin) {
            (false, None) => begin = Some(row),
            (true, Some(start)) => {
                runs.push(start..row);
                begin = None;
            }
            _ => {}
        }
    }
    runs.extend(begin.map(|start| start..stretch.end));
    runs
}

fn check_length(options: &TableOptions, rows: usize) -> Result<()> {
    let Windows { length, .. } = options.windows;
    if rows >= length {
        return Ok(());
    }
    let has = if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") };
    let message = format!(
        "a window of {length} rows is longer than the file, which has {has}. Use `--window {rows}` or less, or a longer file"
    );
    Err(Error::input(&options.path, message))
}

/// Whether rows that are whole samples divide into their steps.
fn check_row_steps(options: &TableOptions, features: &Features) -> Result<()> {
    let Some(steps) = options.row_steps else { return Ok(()) };
    if let Some(column) = features.categorical() {
        let column = shown(column);
        let message = format!(
            "column `{column}` holds words, but rows that are whole samples take numbers. Leave it out by listing the columns to use with `--columns`"
        );
        return Err(Error::input(&options.path, message));
    }
    let columns = features.names().len();
    if columns.is_multiple_of(steps) {
        return Ok(());
    }
    let message = format!(
        "a row of {columns} columns does not divide into {steps} steps of equal size. Choose another `--row-steps`, or the columns with `--columns`"
    );
    Err(Error::input(&options.path, message))
}
