//! What people and programs read: talk on stderr, results on stdout.

use std::fmt::{self, Arguments, Display};
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use anyhow::Result;
use gatenorm::Error;
use gatenorm::data::{Dataset, Missing, SampleKind, TargetOf};
use gatenorm::model::grouped;
use serde_json::Value;

/// Writes a line to stderr. Unlike `eprintln!` it does not panic where nobody listens.
macro_rules! talk {
    ($($part:tt)*) => { $crate::cli::report::say(format_args!($($part)*)) };
}
pub(super) use talk;

/// What `talk!` calls.
pub fn say(line: Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Writes a line, or several, to stdout.
pub fn print(text: impl Display) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

/// Writes the one JSON object of `--json` to stdout.
pub fn json(value: &Value) -> Result<()> {
    print(value)
}

/// The exit status of a program that was interrupted.
pub const INTERRUPTED: u8 = 130;

/// A run that was interrupted, and has reported already.
#[derive(Debug)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// Tells the error, once, and gives the exit status that belongs to it.
pub fn failure(error: &anyhow::Error) -> ExitCode {
    // Only writing to stdout gives bare I/O errors; a reader that has seen enough, as `head`, is no failure.
    if error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == ErrorKind::BrokenPipe) {
        return ExitCode::SUCCESS;
    }
    if error.is::<Interrupted>() {
        return ExitCode::from(INTERRUPTED);
    }
    if let Some(refused) = error.downcast_ref::<clap::Error>() {
        // Help and version end up here too. Whoever closed the pipe does not want to read it.
        let _ = refused.print();
        return ExitCode::from(u8::try_from(refused.exit_code()).unwrap_or(2));
    }
    say(format_args!("error: {}", chain(error)));
    ExitCode::from(error.downcast_ref::<Error>().map_or(1, Error::exit_status))
}

/// The error and its causes in one line, as `{:#}`, without a cause that the words before it already hold.
fn chain(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| match text {
        text if text.is_empty() => cause,
        text if text.contains(&cause) => text,
        text => format!("{text}: {cause}"),
    })
}

/// Tells of samples, and of the rows that they come from.
pub fn tell_data(data: &Dataset) {
    talk!("data     {}", self::data(data));
    if let Some(rows) = rows(data) {
        talk!("         {rows}");
    }
}

/// Samples in words: their number and shape, the columns, and what they are to give.
fn data(data: &Dataset) -> String {
    let lengths = data.lengths().map(|lengths| (lengths.iter().min(), lengths.iter().max()));
    let steps = match lengths {
        Some((Some(least), Some(most))) => format!("{least} to {most}"),
        _ => data.steps().to_string(),
    };
    let columns = match data.sample_kind() {
        SampleKind::Series if data.reading().series.is_none() => String::new(),
        _ => format!(" ({})", columns(data.columns())),
    };
    let target = targets(data);
    let balance = balance(data).map(|b| format!(": {b}")).unwrap_or_default();
    let (count, samples, features) = (grouped(data.len()), samples(data), data.features());
    format!("{count} {samples} of {steps} x {features}{columns} -> {target}{balance}")
}

/// What the samples are to give: the targets' names, and how many rows ahead.
fn targets(data: &Dataset) -> String {
    if data.reading().target_of == TargetOf::Input {
        return "themselves".to_owned();
    }
    let names = if data.target_names().is_empty() { "?".to_owned() } else { columns(data.target_names()) };
    match &data.reading().horizon[..] {
        [] if data.has_targets_of_rows() => format!("{names} of every row"),
        [] => names,
        [ahead] => format!("{names}, {ahead} ahead"),
        [first, .., last] if last - first + 1 == data.reading().horizon.len() => {
            format!("{names}, {first} to {last} ahead")
        }
        several => {
            let ahead = several.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            format!("{names}, {ahead} ahead")
        }
    }
}

/// What became of the rows of a table, where that is not plain.
pub fn rows(data: &Dataset) -> Option<String> {
    let (counts, reading) = (data.row_counts(), data.reading());
    let mut parts = Vec::new();
    match (&reading.series, &reading.group[..]) {
        (Some(_), []) if data.sample_kind() == SampleKind::Window => {
            parts.push(format!("{} series", grouped(counts.series)));
        }
        (_, []) => {}
        (_, group) => parts.push(format!("{} series by {}", grouped(counts.series), group.join(", "))),
    }
    if counts.too_short > 0 {
        parts.push(format!("{} series or parts of them shorter than a window", grouped(counts.too_short)));
    }
    if let (Some(name), 1..) = (reading.time_name(), counts.gaps) {
        let gaps = if counts.gaps == 1 { "1 gap".to_owned() } else { format!("{} gaps", grouped(counts.gaps)) };
        parts.push(format!("{gaps} in time ({name})"));
    }
    if counts.filled > 0 {
        parts.push(format!("{} missing values filled in", grouped(counts.filled)));
    }
    if counts.incomplete > 0 {
        parts.push(match (reading.missing, counts.left_out) {
            (Missing::Mask, _) => format!("{} with missing values masked", rows_in_words(counts.incomplete)),
            (_, 0) => format!("{} with missing values left out", rows_in_words(counts.incomplete)),
            (_, series) => {
                format!("{} series left out that lack a value, which `--missing mask` keeps", grouped(series))
            }
        });
    }
    if counts.without_target > 0 && reading.missing != Missing::Error {
        let what = if data.sample_kind() == SampleKind::Series { "series" } else { "windows" };
        parts.push(format!("{} {what} without a target", grouped(counts.without_target)));
    }
    (!parts.is_empty()).then(|| format!("of {} rows: {}", grouped(counts.rows), parts.join("; ")))
}

fn rows_in_words(count: usize) -> String {
    if count == 1 { "1 row".to_owned() } else { format!("{} rows", grouped(count)) }
}

/// What the samples are called, such as `window` or `windows`.
pub fn samples(data: &Dataset) -> &'static str {
    match (data.sample_kind(), data.len()) {
        (SampleKind::Window, 1) => "window",
        (SampleKind::Window, _) => "windows",
        (SampleKind::Row, 1) => "row",
        (SampleKind::Row, _) => "rows",
        (SampleKind::Series, _) => "series",
    }
}

/// What has a class each.
fn counted(data: &Dataset) -> &'static str {
    if data.has_targets_of_rows() { "rows" } else { samples(data) }
}

/// The names of columns; a long list is cut.
pub fn columns(names: &[String]) -> String {
    const MOST: usize = 8;
    match names.get(MOST..) {
        Some(rest @ [_, _, ..]) => format!("{} and {} more", names[..MOST].join(", "), rest.len()),
        _ => names.join(", "),
    }
}

/// The shares of the classes, as `79 % no, 21 % yes`; of many how many there are.
pub fn balance(data: &Dataset) -> Option<String> {
    const MOST: usize = 6;
    let (counts, classes) = (data.class_balance()?, data.classes()?);
    if counts.len() > MOST {
        let (least, most) = (counts.iter().min()?, counts.iter().max()?);
        let from = if least < most { format!("{} to ", grouped(*least)) } else { String::new() };
        return Some(format!("{} classes of {from}{} {}", counts.len(), grouped(*most), counted(data)));
    }
    let all: usize = counts.iter().sum();
    let share = |(count, name): (&usize, &String)| {
        let percent = 100.0 * *count as f64 / all as f64;
        // A rare class must not read as none at all.
        let digits = usize::from((percent > 0.0 && percent < 1.0) || (percent > 99.0 && percent < 100.0));
        format!("{percent:.digits$} % {name}")
    };
    Some(counts.iter().zip(classes).map(share).collect::<Vec<_>>().join(", "))
}

/// Seconds in words.
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s => format!("{:.0} min {:02.0} s", (s / 60.0).floor(), (s % 60.0).floor()),
    }
}

/// A path as it must be typed, in quotes if it needs them.
pub fn typed(path: &std::path::Path) -> String {
    let text = path.display().to_string();
    let plain = text.chars().all(|c| c.is_alphanumeric() || ",._-+:/@%\\".contains(c));
    if plain { text } else { format!("\"{text}\"") }
}

/// The same of several.
pub fn typed_all(paths: &[std::path::PathBuf]) -> String {
    paths.iter().map(|path| typed(path)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn a_cause_is_told_once() {
        let source = io::Error::new(ErrorKind::NotFound, "the folder is missing");
        let error = Error::io("a.csv".as_ref(), "write", source);
        let error: anyhow::Error = Err::<(), _>(error).context("nothing was saved").unwrap_err();
        assert_eq!(chain(&error), "nothing was saved: a.csv: cannot write: the folder is missing");
    }

    #[test]
    fn figures_are_for_people() {
        assert_eq!([0.04, 9.96, 61.2, 200.7].map(duration), ["0.0 s", "10.0 s", "61 s", "3 min 20 s"]);
        let names: Vec<String> = (0..12).map(|i| format!("c{i}")).collect();
        assert_eq!(columns(&names), "c0, c1, c2, c3, c4, c5, c6, c7 and 4 more");
        assert_eq!(columns(&names[..9]), "c0, c1, c2, c3, c4, c5, c6, c7, c8");
        let rare = Dataset::from_arrays(vec![0.0; 500], &[500, 1], [vec![0.0; 499], vec![1.0]].concat(), &[500]);
        assert_eq!(balance(&rare.unwrap()), None, "arrays have no class names");
    }
}
