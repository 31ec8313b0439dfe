//! A run's options as a TOML file, written from the command line and read back in its place.

use std::any::TypeId;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory};
use gatenorm::{Error, Result};
use toml::{Table, Value};

use super::Cli;

/// A command whose options a file keeps.
pub struct Kept {
    pub command: &'static str,
    /// The file in a run's folder.
    pub file: &'static str,
    /// What a file does not hold: where the run is, and what only looks on.
    unsaid: &'static [&'static str],
    /// What may be said beside --resume: where and how it computes and reports, not what.
    beside_resume: &'static [&'static str],
}

/// `gatenorm train`
pub const TRAIN: Kept = Kept {
    command: "train",
    file: "run.toml",
    unsaid: &["checkpoint", "resume", "config", "json", "dump_plan", "profile"],
    beside_resume: &["resume", "json", "device", "device_memory", "checked", "profile", "report", "open"],
};
/// `gatenorm tune`
pub const TUNE: Kept = Kept {
    command: "tune",
    file: "tune.toml",
    unsaid: &["folder", "resume", "json"],
    beside_resume: &["resume", "json", "device", "checked", "budget", "out", "report"],
};

/// The command line with the options of a file that --config or --resume names in their places; what is typed goes before what the file
/// says.
pub fn expand(args: Vec<OsString>) -> Result<Vec<OsString>> {
    let command = Cli::command().ignore_errors(true);
    let Ok(matches) = command.clone().try_get_matches_from(&args) else { return Ok(args) };
    let of =
        |kept: Kept| Some((matches.subcommand_matches(kept.command)?, command.find_subcommand(kept.command)?, kept));
    let Some((typed, of_kept, kept)) = [TRAIN, TUNE].into_iter().find_map(of) else { return Ok(args) };
    let path = |id: &str| typed.try_get_one::<PathBuf>(id).ok().flatten();
    let (file, resumes) = match (path("resume"), path("config")) {
        (Some(folder), None) => (folder.join(kept.file), true),
        (None, Some(file)) => (file.clone(), false),
        _ => return Ok(args),
    };
    if resumes {
        refuse_beside_resume(of_kept, typed, &kept, &file)?;
    }
    let mut said = read(&file)?;
    if !resumes && path("checkpoint").is_none() {
        // How often a run was saved says nothing where this one is not.
        said.retain(|key, _| !key.starts_with("checkpoint-") || key == "checkpoint-best");
    }
    let mut expanded = Vec::new();
    for (key, value) in &said {
        let arg = find(of_kept, &kept, key);
        let no_option = || Error::input(&file, format!("`{key}` is no option of `gatenorm {}`", kept.command));
        let arg = arg.ok_or_else(no_option)?;
        if !is_typed(typed, arg) {
            expanded.extend(words(arg, value).map_err(|why| Error::input(&file, format!("`{key}`: {why}")))?);
        }
    }
    let at = args.iter().position(|arg| arg == kept.command).map_or(args.len(), |at| at + 1);
    Ok([&args[..at], &expanded, &args[at..]].concat())
}

/// The option of a command that a file calls so.
fn find<'a>(command: &'a Command, kept: &Kept, key: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|arg| name(arg) == key && !kept.unsaid.contains(&arg.get_id().as_str()))
}

/// Options of another command as they are typed for `gatenorm train`, but for those that it does not have, or that are left out.
pub fn for_train(options: &Table, left_out: &[&str]) -> Vec<String> {
    let command = Cli::command();
    let Some(train) = command.find_subcommand(TRAIN.command) else { return Vec::new() };
    let said = options.iter().filter(|(key, _)| !left_out.contains(&key.as_str()));
    let of = |(key, value): (&String, &Value)| words(find(train, &TRAIN, key)?, value).ok();
    let typed = said.filter_map(of).flatten().map(|word| word.to_string_lossy().into_owned());
    typed
        .flat_map(|word| match word.split_once('=') {
            // As people type it, unless the value would be taken for an option.
            Some((flag, value)) if flag.starts_with("--") && !value.starts_with('-') => {
                vec![flag.to_owned(), value.to_owned()]
            }
            _ => vec![word],
        })
        .collect()
}

fn read(file: &Path) -> Result<Table> {
    let text = std::fs::read_to_string(file).map_err(|e| Error::io(file, "read", e))?;
    text.parse::<Table>().map_err(|e| Error::input(file, format!("it is no TOML: {e}")))
}

fn refuse_beside_resume(command: &Command, typed: &ArgMatches, kept: &Kept, file: &Path) -> Result<()> {
    let other = command
        .get_arguments()
        .find(|arg| is_typed(typed, arg) && !kept.beside_resume.contains(&arg.get_id().as_str()));
    let Some(arg) = other else { return Ok(()) };
    let anew = match command.get_arguments().any(|arg| arg.get_id() == "config") {
        true => format!("begin a new run like that one: gatenorm train --config {}", super::report::typed(file)),
        false => "begin a new one in another folder".to_owned(),
    };
    Err(Error::usage(format!(
        "--resume goes on with the run as it was, which `{}` would change. Leave it out, or {anew}",
        shown(arg)
    )))
}

fn is_typed(matches: &ArgMatches, arg: &Arg) -> bool {
    matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine)
}

/// What an option is called in a file.
fn name(arg: &Arg) -> &str {
    arg.get_long().unwrap_or(arg.get_id().as_str())
}

fn shown(arg: &Arg) -> String {
    arg.get_long().map_or(arg.get_id().to_string().to_uppercase(), |long| format!("--{long}"))
}

/// An option as it is typed.
fn words(arg: &Arg, value: &Value) -> std::result::Result<Vec<OsString>, String> {
    let text = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        _ => Err(format!("{value} is no text and no number")),
    };
    if let ArgAction::SetTrue = arg.get_action() {
        return match value {
            Value::Boolean(true) => Ok(vec![shown(arg).into()]),
            Value::Boolean(false) => Ok(Vec::new()),
            _ => Err(format!("{value} is neither true nor false")),
        };
    }
    let mut values = match value {
        Value::Array(list) => list.iter().map(text).collect::<std::result::Result<Vec<_>, _>>()?,
        single => vec![text(single)?],
    };
    if let Some(delimiter) = arg.get_value_delimiter() {
        values = vec![values.join(&delimiter.to_string())];
    }
    let typed = |value: String| match arg.get_long() {
        Some(long) => format!("--{long}={value}").into(),
        None => value.into(),
    };
    Ok(values.into_iter().map(typed).collect())
}

/// The options of a command that were typed, with whole paths, so that they mean the same from everywhere.
pub fn typed(matches: &ArgMatches, kept: &Kept) -> Table {
    let command = Cli::command();
    let Some(command) = command.find_subcommand(kept.command) else { return Table::new() };
    let said =
        command.get_arguments().filter(|arg| is_typed(matches, arg) && !kept.unsaid.contains(&arg.get_id().as_str()));
    said.filter_map(|arg| Some((name(arg).to_owned(), value(arg, matches)?))).collect()
}

fn value(arg: &Arg, matches: &ArgMatches) -> Option<Value> {
    if let ArgAction::SetTrue = arg.get_action() {
        return Some(Value::Boolean(true));
    }
    let is_path = arg.get_value_parser().type_id() == TypeId::of::<PathBuf>();
    let of = |raw: &std::ffi::OsStr| match is_path {
        true => Value::String(std::path::absolute(raw).unwrap_or(raw.into()).display().to_string()),
        false => number_or_text(&raw.to_string_lossy()),
    };
    let mut values: Vec<Value> = matches.get_raw(arg.get_id().as_str())?.map(of).collect();
    if values.len() == 1 { values.pop() } else { Some(Value::Array(values)) }
}

/// A number where it is written back as it was typed.
fn number_or_text(text: &str) -> Value {
    let integer = text.parse::<i64>().ok().map(Value::Integer);
    let float = || text.parse::<f64>().ok().map(Value::Float);
    let exact = |value: &Value| value.to_string() == text;
    integer.or_else(float).filter(exact).unwrap_or_else(|| Value::String(text.to_owned()))
}
