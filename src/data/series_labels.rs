//! The labels of the series of a folder: in a file of their own, or as the names of subfolders.

use super::{
    folder::{Folder, stem},
    labels::{Labels, Place},
    options::{TableOptions, Target},
    reading::{Labelled, Missing, Reading},
    records::Records,
    spelling::{list, nearest, shown},
    table::Table,
};
use crate::{Error, Result};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

/// The targets of samples, before these are cut.
pub(super) struct Targets {
    pub names: Vec<String>,
    /// For each target `[R]`, or `[series]`; NaN where it is missing.
    pub values: Vec<Vec<f32>>,
    pub classes: Option<Vec<String>>,
    /// The two classes of each of several targets, where they are labels.
    pub labels: Option<Vec<[String; 2]>>,
}

/// What labels found by subfolders are called.
const CLASS: &str = "class";

impl Targets {
    /// From labels as they were gathered.
    pub fn of(path: &Path, labels: Vec<Labels>, names: Vec<String>) -> Result<Targets> {
        let (mut values, mut classes) = (Vec::with_capacity(labels.len()), Vec::with_capacity(labels.len()));
        for (labels, name) in labels.into_iter().zip(&names) {
            let (of_rows, named) = labels.finish(path, Some(name))?;
            values.push(of_rows);
            classes.push(named);
        }
        let (classes, labels) = match &mut classes[..] {
            [only] => (only.take(), None),
            several => (None, of_labels(path, &names, several)?),
        };
        Ok(Targets { names, values, classes, labels })
    }
}

/// The two classes of each of several targets; none where all are numbers.
fn of_labels(path: &Path, names: &[String], classes: &[Option<Vec<String>>]) -> Result<Option<Vec<[String; 2]>>> {
    let first = |numbers: bool| classes.iter().position(|of| of.is_none() == numbers).map(|i| shown(&names[i]));
    match (first(false), first(true)) {
        (Some(words), Some(numbers)) => Err(Error::input(
            path,
            format!(
                "of several targets `{words}` holds words and `{numbers}` numbers. Name targets of one kind; or, if each has two classes, add `--loss binary_crossentropy`"
            ),
        )),
        _ => Ok(classes.iter().flatten().map(|of| of.clone().try_into().ok()).collect::<Option<Vec<_>>>()),
    }
    .map(|labels| labels.filter(|labels| !labels.is_empty()))
}

/// Where the labels of a folder are, by what was asked for and what lies there; with a model by its own words.
pub(super) fn source(options: &TableOptions, folder: &mut Folder) -> Result<(Labelled, Option<PathBuf>)> {
    let asked = options.series.as_ref().and_then(|of| of.labels.as_deref());
    let known = options.reading.series.clone().filter(|_| options.known);
    if let Some(path) = asked {
        let path = folder.take_labels(path);
        let column = match known {
            Some(Labelled::File(column)) => column,
            _ => String::new(),
        };
        return Ok((Labelled::File(column), Some(path)));
    }
    match (known, folder.labels.clone()) {
        (Some(Labelled::File(column)), Some(path)) => Ok((Labelled::File(column), Some(path))),
        (Some(Labelled::File(_)), None) if options.target != Target::None => Err(Error::input(
            &options.path,
            "there is no labels.csv in it. Name the file that holds the labels of the series with `--labels`",
        )),
        (Some(known), _) => Ok((known, None)),
        (None, Some(path)) => Ok((Labelled::File(String::new()), Some(path))),
        (None, None) => match (&options.target, folder.subfolders()) {
            (Target::Unset, Some(_)) => Ok((Labelled::Folders, None)),
            (Target::Unset, None) => Err(Error::input(
                &options.path,
                "where are the labels of the series? Name the file that holds them with `--labels`, or the column of the series with `--target`; or put the series of each class into a subfolder",
            )),
            _ => Ok((Labelled::Columns, None)),
        },
    }
}

/// The labels by subfolders, `[series]`.
pub(super) fn of_subfolders(options: &TableOptions, folder: &Folder) -> Result<Targets> {
    let names = match &options.target {
        Target::Columns(names) => names.clone(),
        _ => vec![CLASS.to_owned()],
    };
    let mut labels = TableOptions { target: Target::Columns(names.clone()), ..options.clone() }
        .unsaid_as_classes()
        .room_for_targets()?;
    for (i, (name, path)) in folder.names.iter().zip(&folder.files.paths).enumerate() {
        let Some((folders, _)) = name.rsplit_once('/') else {
            return Err(Error::input(
                path,
                "the series lies in no subfolder, whose name would be its class. Put it into one",
            ));
        };
        let class = folders.rsplit('/').next().unwrap_or(folders);
        let place = Place { path, unit: "series", line: i as u64 + 1, column: None };
        labels.iter_mut().try_for_each(|labels| labels.push(class, place))?;
    }
    Targets::of(&options.path, labels, names)
}

/// The labels of a file, `[series]`. `column` names the series; where it is empty, or not there, it is found, and kept.
pub(super) fn of_file(options: &TableOptions, folder: &Folder, path: &Path, column: &mut String) -> Result<Targets> {
    let series = Names::of(folder);
    let found = Header::read(folder, path, &series)?;
    if !found.names.contains(column) || found.asked(options).is_some() {
        *column = found.column(options, folder, path)?;
    }
    let mut of_labels = TableOptions {
        path: path.to_owned(),
        files: folder.files.only(path),
        target: options.target.clone(),
        columns: Some(Vec::new()),
        reading: Reading { group: vec![column.clone()], ..options.reading.of_labels() },
        known: false,
        series: None,
        ..options.clone()
    };
    if let (Target::Unset, [_, _]) = (&of_labels.target, &found.names[..]) {
        let other = found.names.iter().filter(|name| *name != column).cloned();
        of_labels.target = Target::Columns(other.collect());
    }
    let mut table = Table::read_any(&of_labels)?;
    let labels = std::mem::take(&mut table.labels);
    let mut targets = Targets::of(path, labels, table.targets.clone())?;
    let rows = series.rows(options, folder, path, &table, column)?;
    for values in &mut targets.values {
        *values = rows.iter().map(|row| row.map_or(f32::NAN, |row| values[row])).collect();
    }
    Ok(targets)
}

/// The column of a file of labels that names the series.
pub(super) fn column(options: &TableOptions, folder: &Folder, path: &Path) -> Result<String> {
    Header::read(folder, path, &Names::of(folder))?.column(options, folder, path)
}

/// The columns of a file of labels.
struct Header {
    names: Vec<String>,
    /// For each column, how many of its values name a series.
    matches: Vec<usize>,
}

impl Header {
    fn read(folder: &Folder, path: &Path, series: &Names) -> Result<Header> {
        let mut records = Records::open(&folder.files, path)?;
        if !records.advance()? {
            return Err(Error::input(path, "the file is empty. It needs a line of column names, then a line a series"));
        }
        let names: Vec<String> = (0..records.len()).map(|field| records.text(field).to_owned()).collect();
        let mut matches = vec![0; names.len()];
        while records.advance()? {
            let more = records.len().saturating_sub(names.len());
            for (field, matches) in matches.iter_mut().enumerate() {
                *matches += usize::from(series.find(records.text(field + more)) != Found::None);
            }
        }
        Ok(Header { names, matches })
    }

    fn asked(&self, options: &TableOptions) -> Option<String> {
        options.series.as_ref()?.column.as_ref().map(|name| name.trim().to_owned())
    }

    /// The column that names the series: the one that was asked for, else the one with most of their names.
    fn column(&self, options: &TableOptions, folder: &Folder, path: &Path) -> Result<String> {
        if let Some(asked) = self.asked(options) {
            return Ok(asked);
        }
        let targets: &[String] = match &options.target {
            Target::Columns(names) => names,
            _ => &[],
        };
        let others =
            self.names.iter().zip(&self.matches).filter(|(name, matches)| **matches > 0 && !targets.contains(name));
        match others.rev().max_by_key(|(_, matches)| **matches) {
            Some((name, _)) => Ok(name.clone()),
            None => Err(Error::input(
                path,
                format!(
                    "no column names the series, such as `{}` of {}; the columns are {}. Name them there, or the column with `--series-column`",
                    shown(&folder.names[0]),
                    options.path.display(),
                    list(&self.names)
                ),
            )),
        }
    }
}

/// The series by all that they may be called.
struct Names {
    /// By the path in the folder, with and without the file's ending.
    whole: HashMap<String, usize>,
    /// By the file's name alone; none where several have it.
    last: HashMap<String, Option<usize>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Found {
    One(usize),
    Several,
    None,
}

impl Names {
    fn of(folder: &Folder) -> Names {
        let mut names = Names { whole: HashMap::new(), last: HashMap::new() };
        for (i, (name, path)) in folder.names.iter().zip(&folder.files.paths).enumerate() {
            let end = path.extension().map_or(String::new(), |end| format!(".{}", end.to_string_lossy()));
            let last = name.rsplit('/').next().unwrap_or(name);
            names.whole.insert(format!("{name}{end}"), i);
            names.whole.entry(name.clone()).or_insert(i);
            for last in [last.to_owned(), format!("{last}{end}")] {
                names.last.entry(last).and_modify(|of| *of = of.filter(|&of| of == i)).or_insert(Some(i));
            }
        }
        names
    }

    fn find(&self, text: &str) -> Found {
        let slashes = text.replace('\\', "/");
        let text = slashes.strip_prefix("./").unwrap_or(&slashes);
        match (self.whole.get(text), self.last.get(text)) {
            (Some(&i), _) | (None, Some(&Some(i))) => Found::One(i),
            (None, Some(None)) => Found::Several,
            (None, None) => Found::None,
        }
    }

    /// `[series]`: the row of each in the table of labels; none where it has no label, unless that is an error.
    fn rows(
        &self,
        options: &TableOptions,
        folder: &Folder,
        path: &Path,
        table: &Table,
        column: &str,
    ) -> Result<Vec<Option<usize>>> {
        let strict = options.reading.missing == Missing::Error;
        let wrong = |row: usize, message: String| {
            let (line, column) = (table.lines[row], shown(column));
            Err(Error::input(path, format!("line {line}, column `{column}`: {message}")))
        };
        let mut rows: Vec<Option<usize>> = vec![None; folder.names.len()];
        for (row, &group) in table.groups.iter().enumerate() {
            let text = &table.group_names[group as usize];
            let series = match self.find(text) {
                Found::One(series) => series,
                Found::Several => {
                    let message =
                        format!("several series are called `{}`. Write which, with the subfolder", shown(text));
                    return wrong(row, message);
                }
                Found::None if strict => {
                    let meant = nearest(stem(text), &folder.names);
                    let meant = meant.map_or(String::new(), |name| format!(" Did you mean `{}`?", shown(name)));
                    let message = format!(
                        "there is no series `{}` in {}.{meant} Correct the name, add its file, or leave the line out; `--missing drop` passes over it",
                        shown(text),
                        options.path.display()
                    );
                    return wrong(row, message);
                }
                Found::None => continue,
            };
            if let Some(first) = rows[series].replace(row) {
                return wrong(
                    row,
                    format!("`{}` has a label on line {} too. Leave one out", shown(text), table.lines[first]),
                );
            }
        }
        let bare: Vec<&String> =
            folder.names.iter().zip(&rows).filter(|(_, row)| row.is_none()).map(|(name, _)| name).collect();
        if let (Some(first), true) = (bare.first(), strict) {
            let others = if bare.len() > 1 { format!(", nor for {} others", bare.len() - 1) } else { String::new() };
            let message = format!(
                "there is no label for the series `{}` of {}{others}. Add it, or move the file elsewhere; `--missing drop` leaves such series out",
                shown(first),
                options.path.display()
            );
            return Err(Error::input(path, message));
        }
        Ok(rows)
    }
}
