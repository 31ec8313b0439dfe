//! What is understood of a table before anything is learned from it.

use super::{
    axis::on_calendar,
    cells::Cells,
    options::TableOptions,
    reading::{Missing, Reading, TimeAxis},
    records::Records,
    series::Series,
    series_files,
    table::Table,
};
use crate::{
    Result,
    plot::{Figure, Line, Panel, Point},
};
use serde::Serialize;
use std::collections::BTreeMap;

/// What was understood of a table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspection {
    /// What separates its fields; none in a table of columns, or of several files.
    pub separator: Option<char>,
    /// Its rows, without the header.
    pub rows: usize,
    /// Its columns, in their order.
    pub columns: Vec<ColumnInspection>,
    /// The time axis, where there is one.
    pub time: Option<TimeInspection>,
    /// Why the one column of dates is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_time: Option<String>,
    /// How many series its rows belong to; 1 without groups.
    pub series: usize,
    /// The columns that tell series apart.
    pub group: Vec<String>,
    /// Of a folder of series.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<FilesInspection>,
}

/// Of files that are a series each.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FilesInspection {
    /// Rows of the shortest.
    pub least_rows: usize,
    /// Rows of the longest.
    pub most_rows: usize,
    /// The file of labels; its `group` is the column that names the series.
    pub labels: Option<Box<Inspection>>,
    /// The subfolders that all of them lie in, with how many each has.
    pub subfolders: Vec<(String, usize)>,
}

/// What was understood of a column.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ColumnInspection {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub kind: ColumnKind,
    /// How many values are missing.
    pub missing: usize,
    /// Least, mean, standard deviation and largest of its numbers.
    pub numbers: Option<NumberInspection>,
    /// Its categories with how many rows each has; of numbers where they are ten whole ones at most.
    pub categories: Option<Vec<(String, usize)>>,
    /// Its numbers from the first row to the last, in parts of as many rows: the part's middle row, its mean, least and largest.
    #[serde(skip)]
    pub curve: Vec<[f64; 4]>,
}

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// Numbers.
    Numbers,
    /// Words, which are names of categories.
    Categories,
    /// Dates.
    Dates,
    /// Dates and others, or times of day, which are no feature.
    LeftOut,
    /// No value at all.
    Empty,
}

/// Of numbers, in their unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct NumberInspection {
    /// The least.
    pub least: f64,
    /// The mean.
    pub mean: f64,
    /// The standard deviation.
    pub deviation: f64,
    /// The largest.
    pub most: f64,
}

/// Of a time axis.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TimeInspection {
    /// Its columns.
    pub columns: Vec<String>,
    /// The first moment, on the calendar.
    pub first: String,
    /// The last.
    pub last: String,
    /// Seconds of the median step; none of single rows.
    pub step: Option<f64>,
    /// Steps longer than 1.5 times that, or than what was asked for.
    pub gaps: usize,
}

/// Parts of a curve.
const PARTS: usize = 240;
/// More different whole numbers than these are hardly categories.
const MOST_CLASSES: usize = 10;

impl TableOptions {
    /// Reads the table and says what was understood, whatever may be missing in it.
    ///
    /// # Errors
    ///
    /// As of [`load`](TableOptions::load), of what makes a table unreadable.
    pub fn inspect(self) -> Result<Inspection> {
        let mut options = self.no_target().missing(Missing::Drop);
        let found = options.series.is_some().then(|| series_files::look(&mut options)).transpose()?;
        let first = options.paths().next().unwrap_or(&options.path);
        let separator = Records::open(&options.files, first)?.separator().filter(|_| options.files.paths.len() == 1);
        let mut reading = options.reading.clone();
        let mut table = Table::read_any(&options)?;
        let files = found.map(|(names, files)| {
            table.tell_files_apart(&names);
            let ends = table.begins.iter().skip(1).copied().chain([table.lines.len()]);
            let rows: Vec<usize> = table.begins.iter().zip(ends).map(|(begin, end)| end - begin).collect();
            let [least_rows, most_rows] = [rows.iter().min(), rows.iter().max()].map(|rows| rows.copied().unwrap_or(0));
            FilesInspection { least_rows, most_rows, ..files }
        });
        let series = Series::of(&options, &table, &mut reading)?;
        let no_time = if series.axis.is_none() { why_no_time(&options, &mut table) } else { None };
        let time = series.axis.as_ref().zip(reading.time.as_ref()).map(|(axis, time)| {
            let moment = |at: Option<&i64>| at.map_or(String::new(), |&at| on_calendar(at).to_string());
            TimeInspection {
                columns: time.columns.clone(),
                first: moment(axis.calendar.iter().min()),
                last: moment(axis.calendar.iter().max()),
                step: axis.step(&series.stretches).map(|step| step as f64 / 1000.0),
                gaps: series.gaps,
            }
        });
        Ok(Inspection {
            separator,
            files,
            rows: table.lines.len(),
            series: table.group_names.len().max(1),
            group: reading.group.clone(),
            columns: table.columns.into_iter().map(|column| inspect(column.name, column.cells)).collect(),
            time,
            no_time,
        })
    }
}

/// Why the one column of dates is no time axis by itself.
fn why_no_time(options: &TableOptions, table: &mut Table) -> Option<String> {
    let mut dates = table.columns.iter().filter_map(|column| Some((column.name.clone(), column.dates()?.to_vec())));
    let (Some((name, moments)), None) = (dates.next(), dates.next()) else { return None };
    drop(dates);
    table.times = Some(moments);
    let time = TimeAxis { columns: vec![name.clone()], ..TimeAxis::default() };
    let found = Series::of(options, table, &mut Reading { time: Some(time), ..options.reading.clone() });
    table.times = None;
    Some(match found {
        Err(error) => error.to_string(),
        Ok(_) => format!("the steps of `{name}` are irregular. Name it with `--time` so that no window crosses a gap"),
    })
}

fn inspect(name: String, cells: Cells) -> ColumnInspection {
    let plain = |kind, missing| ColumnInspection {
        name: String::new(),
        kind,
        missing,
        numbers: None,
        categories: None,
        curve: Vec::new(),
    };
    let found = match cells {
        Cells::Missing(count) => plain(ColumnKind::Empty, count),
        Cells::Dates(_) => plain(ColumnKind::Dates, 0),
        Cells::Passed => plain(ColumnKind::LeftOut, 0),
        Cells::Words(words) => {
            let (names, codes) = words.finish();
            let mut counts = vec![0; names.len()];
            codes.iter().filter(|code| **code >= 0.0).for_each(|&code| counts[code as usize] += 1);
            let missing = codes.iter().filter(|code| code.is_nan()).count();
            let categories = Some(names.into_iter().zip(counts).collect());
            ColumnInspection { categories, ..plain(ColumnKind::Categories, missing) }
        }
        Cells::Numbers(values) => {
            let there: Vec<f64> = values.iter().filter(|v| !v.is_nan()).map(|&v| f64::from(v)).collect();
            ColumnInspection {
                numbers: Some(of_numbers(&there)),
                categories: classes(&there),
                curve: curve(&values),
                ..plain(ColumnKind::Numbers, values.len() - there.len())
            }
        }
    };
    ColumnInspection { name, ..found }
}

fn of_numbers(values: &[f64]) -> NumberInspection {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>();
    let (least, most) =
        values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), &v| (least.min(v), most.max(v)));
    NumberInspection { least, mean, deviation: (squares / count).sqrt(), most }
}

/// The few whole numbers that a column holds, by size.
fn classes(values: &[f64]) -> Option<Vec<(String, usize)>> {
    let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
    for &value in values {
        if value.fract() != 0.0 || value.abs() > 1e9 {
            return None;
        }
        *counts.entry(value as i64).or_default() += 1;
        if counts.len() > MOST_CLASSES {
            return None;
        }
    }
    Some(counts.into_iter().map(|(value, count)| (value.to_string(), count)).collect())
}

fn curve(values: &[f32]) -> Vec<[f64; 4]> {
    let size = values.len().div_ceil(PARTS).max(1);
    let part = |(i, part): (usize, &[f32])| {
        let there: Vec<f64> = part.iter().filter(|v| !v.is_nan()).map(|&v| f64::from(v)).collect();
        let middle = (i * size) as f64 + part.len() as f64 / 2.0;
        let NumberInspection { least, mean, most, .. } = of_numbers(&there);
        (!there.is_empty()).then_some([middle, mean, least, most])
    };
    values.chunks(size).enumerate().filter_map(part).collect()
}

impl Inspection {
    /// The columns of numbers from the first row to the last: their means in parts of the table, and bands from least to largest. A long
    /// list of columns is cut.
    pub fn figure(&self, title: &str) -> Figure {
        const MOST: usize = 10;
        let numbers: Vec<&ColumnInspection> = self.columns.iter().filter(|column| !column.curve.is_empty()).collect();
        let panel = |column: &&ColumnInspection| {
            let points = column.curve.iter().map(|&[x, y, least, most]| Point { x, y, band: (least, most) }).collect();
            let missing = match column.missing {
                0 => Vec::new(),
                missing => vec![(0, format!("{missing} missing"))],
            };
            vec![Panel {
                title: column.name.clone(),
                x_label: "row".into(),
                log: false,
                lines: vec![Line { series: 0, points }],
                notes: missing,
            }]
        };
        let cut = if numbers.len() > MOST {
            format!("; the first {MOST} of {} columns", numbers.len())
        } else {
            String::new()
        };
        Figure {
            title: title.to_owned(),
            note: format!("{} rows; lines: means of parts, bands: least to largest{cut}", self.rows),
            series: vec!["mean".into()],
            rows: numbers.iter().take(MOST).map(panel).collect(),
        }
    }

    /// Columns that may be features or targets.
    fn used(&self) -> impl DoubleEndedIterator<Item = &ColumnInspection> {
        let kinds = [ColumnKind::Numbers, ColumnKind::Categories];
        self.columns.iter().filter(move |column| !self.group.contains(&column.name) && kinds.contains(&column.kind))
    }

    /// The columns that are likely labels which may be true together: where none is [named](Inspection::likely_target) as the target, the
    /// last two or more if each holds two words and others stand before them. None otherwise.
    pub fn likely_labels(&self) -> Vec<&ColumnInspection> {
        let of_two_words = |column: &&ColumnInspection| {
            column.kind == ColumnKind::Categories && column.categories.as_ref().is_some_and(|words| words.len() == 2)
        };
        let mut labels: Vec<&ColumnInspection> = self.used().rev().take_while(of_two_words).collect();
        labels.reverse();
        let plain = labels.len() > 1 && labels.len() < self.used().count() && self.named_target().is_none();
        if plain { labels } else { Vec::new() }
    }

    fn named_target(&self) -> Option<&ColumnInspection> {
        const NAMES: [&str; 6] = ["target", "label", "class", "y", "outcome", "output"];
        NAMES.iter().find_map(|name| self.used().find(|column| column.name.to_lowercase() == *name))
    }

    /// The column that is likely meant to be predicted: one named so, else the last of few classes, else the last of numbers.
    pub fn likely_target(&self) -> Option<&ColumnInspection> {
        let (all, named) = (|| self.used(), self.named_target());
        let few =
            |column: &&ColumnInspection| column.categories.as_ref().is_some_and(|all| (2..=20).contains(&all.len()));
        named.or_else(|| all().next_back().filter(few)).or_else(|| all().rfind(|c| c.kind == ColumnKind::Numbers))
    }
}
