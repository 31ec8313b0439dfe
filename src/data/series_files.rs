//! From a folder of tables, one for each series, to a data set.

use super::{
    dataset::Dataset,
    folder::Folder,
    inspect::FilesInspection,
    options::{TableOptions, Target},
    reading::{Labelled, Reading, TargetOf},
    samples, series_labels,
    series_labels::Targets,
    spelling::shown,
    table::Table,
};
use crate::{Error, Result};
use std::collections::BTreeMap;

/// Reads the series and their labels.
pub(super) fn load(mut options: TableOptions) -> Result<Dataset> {
    let mut folder = Folder::of(&options.files.paths)?;
    let wanted = options.target != Target::None;
    let (mut labelled, path) = match options.reading.target_of {
        TargetOf::EveryRow | TargetOf::Input => (Labelled::Columns, None),
        TargetOf::Sample => series_labels::source(&options, &mut folder)?,
    };
    if options.has_targets_of_rows() && options.target == Target::Unset {
        return Err(Error::usage(
            "with `--return-sequences` the target is a column of the series. Name it with `--target`",
        ));
    }
    if !wanted && options.series.as_ref().is_some_and(|of| of.labels.is_some()) {
        return Err(Error::usage("`--labels` is of no use where no targets are read. Leave it out"));
    }
    if labelled != Labelled::Columns && !options.reading.horizon.is_empty() {
        return Err(Error::usage(
            "`--horizon` is for a target in the rows of the series, not one for each series. Leave it out",
        ));
    }
    if !matches!(labelled, Labelled::File(_)) && options.series.as_ref().is_some_and(|of| of.column.is_some()) {
        return Err(Error::usage("`--series-column` is for a file of labels, and there is none. Leave it out"));
    }
    let of_series = match (&mut labelled, path) {
        _ if !wanted => None,
        (Labelled::File(column), Some(path)) => Some(series_labels::of_file(&options, &folder, &path, column)?),
        (Labelled::Folders, _) => Some(series_labels::of_subfolders(&options, &folder)?),
        _ => None,
    };
    if of_series.is_some() {
        options.target = Target::None;
    }
    let names = folder.names;
    options.files = folder.files;
    options.reading.series = Some(labelled);
    let mut table = Table::read(&options)?;
    table.tell_files_apart(&names);
    samples::check_length(&options, table.lines.len())?;
    let targets = match of_series {
        Some(targets) => of_rows(&table, targets),
        None => {
            let targets = table.take_targets(&options.path)?;
            check_constant(&options, &table, &targets)?;
            targets
        }
    };
    samples::assemble(&options, table, targets)
}

/// What lies in the folder, for one to look at; leaves the series as the files to read.
pub(super) fn look(options: &mut TableOptions) -> Result<(Vec<String>, FilesInspection)> {
    let mut folder = Folder::of(&options.files.paths)?;
    let asked = options.series.take().unwrap_or_default();
    let path = match &asked.labels {
        Some(path) => Some(folder.take_labels(path)),
        None => folder.labels.clone(),
    };
    let labels = match path {
        None => None,
        Some(path) => {
            let column =
                series_labels::column(&TableOptions { series: Some(asked), ..options.clone() }, &folder, &path)?;
            let reading = Reading { group: vec![column], ..options.reading.of_labels() };
            let table = TableOptions { files: folder.files.only(&path), reading, ..TableOptions::new(&path) };
            Some(Box::new(table.inspect()?))
        }
    };
    let mut subfolders: BTreeMap<&str, usize> = BTreeMap::new();
    folder.subfolders().into_iter().flatten().for_each(|of| *subfolders.entry(of).or_default() += 1);
    let subfolders = subfolders.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    options.files = folder.files;
    Ok((folder.names, FilesInspection { least_rows: 0, most_rows: 0, labels, subfolders }))
}

/// The targets of series as those of their rows.
fn of_rows(table: &Table, targets: Targets) -> Targets {
    let of_series = |values: Vec<f32>| (0..table.lines.len()).map(|row| values[table.file_of(row)]).collect();
    Targets { values: targets.values.into_iter().map(of_series).collect(), ..targets }
}

/// Whether a column says one thing of a series that is a sample as a whole.
fn check_constant(options: &TableOptions, table: &Table, targets: &Targets) -> Result<()> {
    if !options.whole || options.has_targets_of_rows() {
        return Ok(());
    }
    for (values, name) in targets.values.iter().zip(&targets.names) {
        let differ = |a: f32, b: f32| a != b && !a.is_nan() && !b.is_nan();
        let changes =
            |row: &usize| differ(values[*row], values[row - 1]) && table.file_of(*row) == table.file_of(row - 1);
        let Some(row) = (1..table.lines.len()).find(changes) else { continue };
        let message = format!(
            "line {}, column `{}`: the target changes within the series. Say with `--window` how many rows make a sample, or with `--return-sequences` that each row has a target; or, if a series has one target, write it into every row or into a file of labels",
            table.lines[row],
            shown(name)
        );
        return Err(Error::input(&options.files.paths[table.file_of(row)], message));
    }
    Ok(())
}
