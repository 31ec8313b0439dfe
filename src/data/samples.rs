//! From the columns of a table to samples: windows, their targets, and what the simplest forecasts would say.

use super::{
    baselines,
    dataset::{Dataset, SampleKind},
    features::Features,
    options::TableOptions,
    reading::{Missing, Reading},
    row_targets::RowTargets,
    series::Series,
    series_labels::Targets,
    source::{SampleArray, Source},
    spelling::shown,
    spool::{Spool, unfit},
    table::Table,
    window::{Cutting, Windows},
};
use crate::{Error, Result, model::ANY_LENGTH};
use std::{ops::Range, path::Path, sync::Arc};

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
    /// Whole series that were left out since they lack a value.
    pub left_out: usize,
    /// Series, or parts of them between gaps in time, that hold no sample since they are shorter than a window.
    pub too_short: usize,
    /// How often time jumps within a series.
    pub gaps: usize,
    /// Series that the rows belong to; 1 without groups.
    pub series: usize,
}

/// The rows that samples are cut from, and what is known at each.
struct Cut<'a> {
    windows: Windows,
    /// A sample is a stretch as a whole, not a window.
    whole: bool,
    /// Whether every row has a target.
    of_rows: bool,
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

/// Samples as they were cut.
struct Samples {
    /// The rows of each, ascending.
    rows: Vec<Range<usize>>,
    /// The first row of each that no sample before it was to tell.
    new_from: Vec<usize>,
    /// How many there would be if they had a target.
    without_target: usize,
    /// How many stretches hold none since they are shorter than a window.
    too_short: usize,
    /// How many whole stretches lack a value.
    left_out: usize,
}

impl Samples {
    fn last_rows(&self) -> Vec<usize> {
        self.rows.iter().map(|rows| rows.end - 1).collect()
    }

    /// T of the longest, and the length of each where these differ.
    fn lengths(&self) -> (usize, Option<Vec<u32>>) {
        let longest = self.rows.iter().map(Range::len).max().unwrap_or(0);
        let unequal = self.rows.iter().any(|rows| rows.len() != longest);
        (longest, unequal.then(|| self.rows.iter().map(|rows| rows.len() as u32).collect()))
    }
}

/// Makes samples of a table, whose targets are those of each row.
pub(super) fn assemble(options: &TableOptions, mut table: Table, targets: Targets) -> Result<Dataset> {
    let path = options.path.as_path();
    let mut reading = options.reading.clone();
    let rows = table.lines.len();
    let series = Series::of(options, &table, &mut reading)?;
    let spool = whole_spool(path, &mut table, &series, &reading)?;
    let columns = std::mem::take(&mut table.columns);
    let features = Features::of(columns, &series, &mut reading);
    // A row of many steps counts as that many rows.
    let per_row = options.row_steps.unwrap_or(1);
    check_row_steps(options, &features)?;
    let labels: Vec<Vec<f32>> = targets.values.into_iter().map(|values| series.sorted(values)).collect();
    let incomplete = features.missing(rows, per_row);
    let of_row = |row: usize| &incomplete[row * per_row..(row + 1) * per_row];
    let mask = reading.missing == Missing::Mask;
    let barred: Vec<bool> = (0..rows).map(|row| !mask && of_row(row).contains(&true)).collect();
    let masked: Vec<bool> = (0..rows).map(|row| mask && !of_row(row).contains(&false)).collect();
    let cut = Cut {
        windows: options.windows(),
        whole: options.whole,
        of_rows: options.has_targets_of_rows(),
        horizon: &reading.horizon,
        stretches: &series.stretches,
        barred: &barred,
        masked: &masked,
        labels: &labels,
        files: table.begins.len(),
    };
    let samples = cut.samples();
    if samples.rows.is_empty() {
        return Err(Error::input(path, cut.why_none(&reading, samples.without_target)));
    }
    let last_rows = samples.last_rows();
    let (arrays, weights) = cut.targets_and_weights(&samples, targets.labels.is_some())?;
    let mut arrays = arrays.into_iter();
    let first = arrays.next().unwrap_or(SampleArray { shape: Vec::new(), values: Vec::new() });
    let files: Vec<u32> = if table.begins.len() > 1 {
        series.sorted((0..rows).map(|row| table.file_of(row) as u32).collect())
    } else {
        Vec::new()
    };
    let lines = series.sorted(std::mem::take(&mut table.lines));
    let groups = series.sorted(std::mem::take(&mut table.groups));
    let reach = reading.horizon.last().copied().unwrap_or(0);
    let starts = || samples.rows.iter().map(|rows| rows.start);
    let times = series.axis.as_ref().map(|axis| {
        let until = |last: usize| axis.instants[(last + reach).min(rows - 1)];
        starts().zip(&last_rows).map(|(start, &last)| (axis.instants[start], until(last))).collect()
    });
    let counts = RowCounts {
        rows,
        filled: features.filled,
        incomplete: incomplete.chunks(per_row).filter(|row| row.contains(&true)).count(),
        without_target: samples.without_target,
        too_short: samples.too_short,
        left_out: samples.left_out,
        gaps: series.gaps,
        series: table.group_names.len().max(1),
    };
    let baselines = match targets.classes {
        None if reach > 0 && targets.labels.is_none() => {
            baselines::of(&series.stretches, &labels, &last_rows, &reading)
        }
        _ => Vec::new(),
    };
    let names = features.names();
    let (steps, lengths) = samples.lengths();
    let places = last_rows.iter().map(|&row| lines[row]).collect();
    let data = Dataset::new(Source {
        kind: match (options.whole, options.row_steps) {
            (true, _) => SampleKind::Series,
            (false, Some(_)) => SampleKind::Row,
            (false, None) => SampleKind::Window,
        },
        stride: options.windows().stride,
        input_shape: vec![if lengths.is_some() { ANY_LENGTH } else { steps * per_row }, names.len() / per_row],
        steps: steps * per_row,
        target_shape: first.shape,
        targets: first.values,
        places,
        row_lines: Arc::new(if options.row_steps.is_none() { lines } else { Vec::new() }),
        files: if files.is_empty() { files } else { last_rows.iter().map(|&row| files[row]).collect() },
        file_names: Arc::new(options.files.paths.clone()),
        groups: (!groups.is_empty()).then(|| starts().map(|start| groups[start]).collect()),
        group_names: Arc::new(table.group_names),
        times,
        reach,
        starts: starts().map(|start| (start * per_row) as u32).collect(),
        lengths,
        rows: match spool {
            Some(spool) => spool.finish(steps)?,
            None => features.rows(&series, &incomplete).into(),
        },
        masked: mask && incomplete.contains(&true),
        columns: names,
        sources: features.sources(),
        target_names: targets.names,
        classes: targets.classes,
        labels: targets.labels,
        reading,
        counts,
        baselines,
    });
    Ok(Dataset { more_targets: Arc::new(arrays.collect()), sample_weights: weights.map(Arc::new), ..data })
}

/// The features that do not lie in the table's columns, with their last rows.
fn whole_spool(path: &Path, table: &mut Table, series: &Series, reading: &Reading) -> Result<Option<Spool>> {
    let Some(mut spool) = table.spool.take() else { return Ok(None) };
    if series.moved_rows() {
        return Err(unfit(path, "the rows of a group do not all follow on each other"));
    }
    if reading.time.as_ref().is_some_and(|time| !time.features.is_empty()) {
        return Err(unfit(path, "features of the calendar come to them"));
    }
    spool.take(path, &mut table.columns)?;
    Ok(Some(spool))
}

impl Cut<'_> {
    fn samples(&self) -> Samples {
        let mut found =
            Samples { rows: Vec::new(), new_from: Vec::new(), without_target: 0, too_short: 0, left_out: 0 };
        for stretch in self.stretches {
            let runs = runs(stretch.clone(), self.barred);
            found.too_short += usize::from(!self.whole && stretch.len() < self.windows.length);
            found.left_out += usize::from(self.whole && self.barred[stretch.clone()].contains(&true));
            for Cutting { rows, new_from } in runs.into_iter().flat_map(|run| self.cut(run, stretch)) {
                let has_targets = match self.of_rows {
                    true => self.labels.is_empty() || (new_from..rows.end).any(|row| self.row_targets().count(row)),
                    false => self.has_targets(rows.end - 1, stretch.end),
                };
                match has_targets {
                    _ if self.masked[rows.clone()].iter().all(|&masked| masked) => {}
                    true => {
                        found.rows.push(rows);
                        found.new_from.push(new_from);
                    }
                    false => found.without_target += 1,
                }
            }
        }
        found
    }

    /// The windows of a run of rows, or the run if it is a whole stretch.
    fn cut(&self, run: Range<usize>, stretch: &Range<usize>) -> Vec<Cutting> {
        if self.whole {
            return if run == *stretch { vec![run.into()] } else { Vec::new() };
        }
        self.windows.of(run, self.of_rows)
    }

    fn row_targets(&self) -> RowTargets<'_> {
        RowTargets { labels: self.labels, masked: self.masked }
    }

    /// The targets, and what their steps count for where these are not all the same.
    fn targets_and_weights(
        &self,
        samples: &Samples,
        are_labels: bool,
    ) -> Result<(Vec<SampleArray>, Option<SampleArray>)> {
        if !self.of_rows {
            return Ok((self.target_arrays(&samples.last_rows(), are_labels)?, None));
        }
        let targets = self.row_targets();
        Ok((targets.arrays(&samples.rows, are_labels), targets.weights(&samples.rows, &samples.new_from)))
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

    /// `[S, O]` for each target; several labels are one array, `[S, labels]`.
    fn target_arrays(&self, last_rows: &[usize], are_labels: bool) -> Result<Vec<SampleArray>> {
        let values = self.labels.iter().map(|labels| self.targets(labels, last_rows));
        let outputs = self.horizon.len().max(1);
        if !are_labels {
            return Ok(values.map(|values| SampleArray { shape: vec![outputs], values }).collect());
        }
        if outputs > 1 {
            let text =
                "several targets of classes are forecast one horizon ahead, not several. Name one with `--horizon`";
            return Err(Error::usage(text));
        }
        let values: Vec<Vec<f32>> = values.collect();
        let of_samples = (0..last_rows.len()).flat_map(|i| values.iter().map(move |of| of[i])).collect();
        Ok(vec![SampleArray { shape: vec![values.len()], values: of_samples }])
    }

    /// `[S, O]` of one target.
    fn targets(&self, labels: &[f32], last_rows: &[usize]) -> Vec<f32> {
        last_rows.iter().flat_map(|&last| self.ahead().map(move |ahead| labels[last + ahead])).collect()
    }

    /// Why there is no sample, and what to do.
    fn why_none(&self, reading: &Reading, without_target: usize) -> String {
        let length = self.windows.length;
        if self.whole {
            return "no series is left: each lacks a value or its target. Fill them in, or use another way of `--missing`".to_owned();
        }
        if without_target > 0 {
            return match self.horizon.last() {
                Some(ahead) => format!(
                    "no window of {length} rows has a target {ahead} rows behind it in the same series. Use a smaller `--horizon` or `--window`, or more data"
                ),
                None if self.of_rows => "every row's target is missing. Use rows with targets".to_owned(),
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

/// Whether there is a window. Ask before labels are judged: too few rows often hold one class only, and more rows are the cure.
pub(super) fn check_length(options: &TableOptions, rows: usize) -> Result<()> {
    let length = options.window;
    if options.whole || rows >= length {
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
