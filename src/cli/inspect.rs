//! `gatenorm inspect`

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use gatenorm::data::{ColumnInspection, ColumnKind, Dataset, FilesInspection, Inspection};
use gatenorm::model::grouped;
use serde_json::json;

use super::options::{self, first};
use super::reading::ReadingFlags;
use super::report;

/// Shows what is understood of a data file: columns, types, ranges, what is missing, classes, lengths; and proposes how to train.
#[derive(Args)]
#[command(after_help = "Example:\n  gatenorm inspect data/occupancy/datatraining.txt --picture occupancy.svg")]
pub struct Inspect {
    /// A table, as `train` takes it, a file of series (.ts, .arff, .npy, .npz), or several of either; or a folder or .zip of tables.
    #[arg(required = true)]
    data: Vec<PathBuf>,
    /// The labels of the series of a folder or .zip, a table with a line each [default: labels.csv in it].
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    #[command(flatten, next_help_heading = "How values are understood")]
    reading: ReadingFlags,
    /// Draw the columns of numbers, of a table, as an SVG or PNG.
    #[cfg(feature = "plots")]
    #[arg(long, value_name = "FILE.svg|png")]
    picture: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Looks and tells.
pub fn run(args: &Inspect) -> Result<()> {
    let data = first(&args.data)?;
    if Dataset::is_series(data) {
        return series(args);
    }
    let is_folder = Dataset::is_folder(data) || args.labels.is_some();
    let data = if is_folder { Dataset::folder(data) } else { Dataset::csv(data) };
    let data = args.data[1..].iter().fold(data, |options, path| options.and(path));
    let data = args.labels.iter().fold(data, |options, path| options.labels(path));
    let inspection = args.reading.add(data).inspect()?;
    let (task, command) = proposal(&inspection, args);
    #[cfg(feature = "plots")]
    if let Some(picture) = &args.picture {
        draw(args, &inspection, picture)?;
    }
    if args.json {
        let mut object = json!(inspection);
        object["task"] = task.into();
        object["command"] = command.into();
        return report::json(&object);
    }
    report::print(table(&inspection))?;
    if let Some(files) = &inspection.files {
        report::print(of_files(&inspection, files))?;
    }
    if let Some(time) = &inspection.time {
        let step = time.step.map_or(String::new(), |step| format!(", a step of {step} s"));
        let gaps = match time.gaps {
            0 => "no gap".to_owned(),
            1 => "1 gap".to_owned(),
            gaps => format!("{} gaps", grouped(gaps)),
        };
        let columns = time.columns.join(", ");
        report::print(format!("time: {columns}, {} to {}{step}, {gaps}", time.first, time.last))?;
    }
    if let Some(why) = &inspection.no_time {
        report::print(format!("time: none; {why}"))?;
    }
    if !inspection.group.is_empty() {
        report::print(format!("{} series by {}", grouped(inspection.series), inspection.group.join(", ")))?;
    }
    report::print(format!("task: {task}\ntry: {command}"))
}

/// A line for each column.
fn table(inspection: &Inspection) -> String {
    let number = |value: f64| format!("{:.6}", value).trim_end_matches('0').trim_end_matches('.').to_owned();
    let row = |column: &ColumnInspection| {
        let kind = match column.kind {
            ColumnKind::Numbers => "numbers",
            ColumnKind::Categories => "categories",
            ColumnKind::Dates => "dates",
            ColumnKind::LeftOut => "left out",
            ColumnKind::Empty => "empty",
        };
        // The ends are values of the file, of 32 bits.
        let numbers = column
            .numbers
            .map(|n| [(n.least as f32).to_string(), number(n.mean), number(n.deviation), (n.most as f32).to_string()]);
        let [least, mean, deviation, most] = numbers.unwrap_or_default();
        let values = column.categories.as_deref().map(classes).unwrap_or_default();
        [column.name.clone(), kind.to_owned(), grouped(column.missing), least, mean, deviation, most, values]
    };
    let header = ["column", "kind", "missing", "least", "mean", "deviation", "largest", "values"].map(str::to_owned);
    let rows: Vec<[String; 8]> = std::iter::once(header).chain(inspection.columns.iter().map(row)).collect();
    let width = |c: usize| rows.iter().map(|row| row[c].chars().count()).max().unwrap_or(0);
    let widths: [usize; 8] = std::array::from_fn(width);
    let line = |row: &[String; 8]| {
        let cell = |(c, (cell, width)): (usize, (&String, usize))| match c {
            2..=6 => format!("{cell:>width$}"),
            _ => format!("{cell:<width$}"),
        };
        row.iter().zip(widths).enumerate().map(cell).collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let separator = match inspection.separator {
        Some('\t') => ", fields separated by tabs".to_owned(),
        Some(other) => format!(", fields separated by `{other}`"),
        None => String::new(),
    };
    let table = rows.iter().map(line).collect::<Vec<_>>().join("\n");
    format!("{} rows{separator}\n{table}", grouped(inspection.rows))
}

/// Series in files of their own, and their labels.
fn of_files(inspection: &Inspection, files: &FilesInspection) -> String {
    let (series, least, most) = (grouped(inspection.series), files.least_rows, files.most_rows);
    let rows = if least == most { grouped(most) } else { format!("{} to {}", grouped(least), grouped(most)) };
    let labels = match &files.labels {
        Some(labels) => format!("\nlabels, by the column {}: {}", labels.group.join(", "), table(labels)),
        None if files.subfolders.is_empty() => String::new(),
        None => format!("\nclasses by subfolder: {}", classes(&files.subfolders)),
    };
    format!("{series} series, a file each, of {rows} rows{labels}")
}

/// Categories and how many rows each has; a long list is cut.
fn classes(all: &[(String, usize)]) -> String {
    const MOST: usize = 6;
    let shown: Vec<String> =
        all.iter().take(MOST).map(|(name, count)| format!("{name} ({})", grouped(*count))).collect();
    let more = if all.len() > MOST { format!(" and {} more", all.len() - MOST) } else { String::new() };
    shown.join(", ") + &more
}

/// A likely task, and a command for it.
fn proposal(inspection: &Inspection, args: &Inspect) -> (String, String) {
    let given = args.labels.as_ref().map(|path| format!(" --labels {}", report::typed(path))).unwrap_or_default();
    let data = report::typed_all(&args.data) + &given;
    let files = inspection.files.as_ref();
    if let Some(files) = files.filter(|files| files.labels.is_none() && !files.subfolders.is_empty()) {
        let task = format!("classify the series, {} classes", files.subfolders.len());
        return (task, format!("gatenorm train {data} --validation-split 0.2 --out model.keras"));
    }
    let labels = files.and_then(|files| files.labels.as_deref());
    let Some((task, how)) = task(labels.unwrap_or(inspection), labels.is_some()) else {
        return ("none: no column to learn is left".into(), "gatenorm train --help".into());
    };
    let mut command = format!("gatenorm train {data}{how}");
    if inspection.columns.iter().any(|column| column.missing > 0) {
        command += " --missing ffill";
    }
    if let Some(time) = inspection.time.as_ref().filter(|_| labels.is_none()) {
        command += &format!(" --time {}", report::typed(Path::new(&time.columns.join(","))));
    }
    if !inspection.group.is_empty() {
        command += &format!(" --group {}", report::typed(Path::new(&inspection.group.join(","))));
    }
    (task, command + " --validation-split 0.2 --out model.keras")
}

/// What is likely to be learned of a table, and how that is asked for; or of a file of labels of whole series.
fn task(table: &Inspection, of_series: bool) -> Option<(String, String)> {
    let window = if of_series { "" } else { " --window 10" };
    let typed = |names: &str| report::typed(Path::new(names));
    if let labels @ [_, ..] = &table.likely_labels()[..] {
        let names: Vec<&str> = labels.iter().map(|label| label.name.as_str()).collect();
        let shown: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let task = format!("tell {}, two classes each, which may come together", shown.join(", "));
        return Some((task, format!(" --target {}{window}", typed(&names.join(",")))));
    }
    let target = table.likely_target()?;
    let count = target.categories.as_ref().map_or(0, Vec::len);
    let name = &target.name;
    let (task, how) = match (target.kind, count) {
        (_, 2) => (format!("classify `{name}`, two classes"), ""),
        (ColumnKind::Categories, _) => (format!("classify `{name}`, {count} classes"), ""),
        (_, 3..) => (format!("classify `{name}`, {count} classes"), " --loss sparse_categorical_crossentropy"),
        _ if of_series => (format!("predict `{name}`"), " --loss mean_squared_error"),
        _ => (format!("forecast `{name}`"), " --horizon 1"),
    };
    Some((task, format!(" --target {}{window}{how}", typed(name))))
}

/// A file of series.
fn series(args: &Inspect) -> Result<()> {
    args.reading.refuse_for_series("a file of series says itself what they are")?;
    if args.labels.is_some() {
        let why = "--labels is for a folder or .zip of tables. Leave it out for a file of series";
        return Err(gatenorm::Error::usage(why).into());
    }
    #[cfg(feature = "plots")]
    if args.picture.is_some() {
        let why = "--picture draws the columns of a table. Leave it out for a file of series";
        return Err(gatenorm::Error::usage(why).into());
    }
    let read = || -> Result<_> { Ok(args.reading.add_missing(options::series(&args.data)?)) };
    // Series without labels are worth a look too; what else is wrong is told by the second try.
    let data = read()?.load().or_else(|_| read()?.no_target().load().map_err(anyhow::Error::from))?;
    let steps = match data.lengths() {
        Some(lengths) => [lengths.iter().min(), lengths.iter().max()].map(|n| n.copied().unwrap_or(0) as usize),
        None => [data.steps(), data.steps()],
    };
    let statistics = data.feature_statistics()?;
    let counts = data
        .class_balance()
        .zip(data.classes())
        .map(|(counts, names)| names.iter().cloned().zip(counts).collect::<Vec<(String, usize)>>());
    let path = report::typed_all(&args.data);
    let (task, command) = match (&counts, data.has_targets()) {
        (Some(counts), _) => (
            format!("classify, {} classes", counts.len()),
            format!("gatenorm train {path} --validation-split 0.2 --out model.keras"),
        ),
        (None, true) => {
            ("predict numbers".to_owned(), format!("gatenorm train {path} --validation-split 0.2 --out model.keras"))
        }
        (None, false) => ("none: there are no labels".to_owned(), format!("gatenorm predict model.keras {path}")),
    };
    if args.json {
        return report::json(&json!({
            "series": data.len(), "channels": data.features(), "least_steps": steps[0], "most_steps": steps[1],
            "missing": data.row_counts().incomplete, "means": statistics.mean, "variances": statistics.variance,
            "classes": counts, "task": task, "command": command,
        }));
    }
    let [least, most] = steps;
    let steps = if least == most { most.to_string() } else { format!("{least} to {most}") };
    report::print(format!("{} series of {steps} steps, {} channels", grouped(data.len()), data.features()))?;
    if let Some(counts) = &counts {
        report::print(format!("classes: {}", classes(counts)))?;
    }
    report::print(format!("task: {task}\ntry: {command}"))
}

#[cfg(feature = "plots")]
fn draw(args: &Inspect, inspection: &Inspection, picture: &Path) -> Result<()> {
    use gatenorm::formats::atomic;
    use std::io::Write;

    options::keep_apart("--picture", picture, &args.data.iter().map(Some).collect::<Vec<_>>())?;
    let figure = inspection.figure(&args.data[0].file_name().unwrap_or_default().to_string_lossy());
    let is = |end: &str| picture.extension().is_some_and(|found| found.eq_ignore_ascii_case(end));
    let content = match (is("svg"), is("png")) {
        (true, _) => figure.to_svg().into_bytes(),
        (_, true) => figure.to_png(),
        _ => return Err(gatenorm::Error::usage("--picture needs a name that ends in .svg or .png").into()),
    };
    Ok(atomic::write_file(picture, |file| file.write_all(&content))?)
}
