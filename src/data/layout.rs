//! Which field of a row is which: decided once, from the header and the first row.

use super::{
    csv::{CsvOptions, Target},
    records::Records,
    spelling::{list, nearest, shown},
    time::is_time,
    value::{self, Fault},
};
use crate::{Error, Result};
use std::path::Path;

/// The fields to read in every row.
pub(super) struct Layout<'a> {
    path: &'a Path,
    /// The features in their order.
    pub features: Vec<Field>,
    /// The target, unless the file is read without one.
    pub target: Option<Field>,
    /// How many fields a row has.
    width: usize,
}

/// A column that is read.
#[derive(Clone, Debug)]
pub(super) struct Field {
    /// Its index in a row.
    pub index: usize,
    pub name: String,
    /// Its first value is a word: no column to suggest.
    text: bool,
}

/// Reads the names of the columns, from the first record.
pub(super) fn header(path: &Path, records: &Records) -> Result<Vec<String>> {
    let names: Vec<String> = (0..records.len()).map(|i| records.text(i).to_owned()).collect();
    let line = records.line;
    let wrong = |message: String| Err(Error::input(path, format!("line {line}: {message}")));
    if names.iter().any(|name| name.contains('\r')) {
        return wrong("the lines end in a bare carriage return. Save the file with line feeds".into());
    }
    if names.len() == 1 && names[0].contains([';', '\t']) {
        return wrong(format!("`{}` is not separated by commas. Save the file with commas", shown(&names[0])));
    }
    let hint = if looks_like_data(&names) {
        ". The line looks like data: put a line with the names of the columns before it"
    } else {
        ""
    };
    for (i, name) in names.iter().enumerate() {
        if name.is_empty() {
            return wrong(format!(
                "column {} has no name. Name it, or remove the column (a comma at the line's end also makes one; from pandas, write with `index=False`){hint}",
                i + 1
            ));
        }
        if let Some(first) = names[..i].iter().position(|other| other == name) {
            let name = shown(name);
            return wrong(format!("columns {} and {} are both named `{name}`. Rename one{hint}", first + 1, i + 1));
        }
    }
    Ok(names)
}

impl<'a> Layout<'a> {
    /// Finds the wanted columns. `records` holds the first row.
    pub fn new(path: &'a Path, options: &CsvOptions, header: &[String], records: &Records) -> Result<Self> {
        let offset = row_number_fields(path, header.len(), records)?;
        let field = |index: usize| Field {
            index: index + offset,
            name: header[index].clone(),
            text: value::number(records.text(index + offset)) == Err(Fault::Word),
        };
        let target = match &options.target {
            Target::Unset => {
                let columns = list(header);
                let message = format!("which column is the target? Name it with `--target`; the columns are {columns}");
                return Err(Error::input(path, message));
            }
            Target::None => None,
            Target::Column(name) => Some(find(path, "target", name, header)?),
        };
        let features = match &options.columns {
            Some(names) => chosen(path, names, header, target)?,
            None => (0..header.len()).filter(|&i| Some(i) != target && !is_time(records.text(i + offset))).collect(),
        };
        if features.is_empty() {
            let columns = list(header);
            let message = format!(
                "no column of numbers is left as a feature; the columns are {columns}. Add one, or choose with `--columns`"
            );
            return Err(Error::input(path, message));
        }
        Ok(Layout {
            path,
            features: features.into_iter().map(field).collect(),
            target: target.map(field),
            width: header.len() + offset,
        })
    }

    /// Whether the held record has as many fields as every row must have.
    pub fn check_width(&self, records: &Records) -> Result<()> {
        let (found, line) = (records.len(), records.line);
        if found == self.width {
            return Ok(());
        }
        let cure = if records.last_line > line {
            format!("The row goes on to line {}: look for a quote (`\"`) that is not closed", records.last_line)
        } else {
            "Look for a missing or an extra comma".to_owned()
        };
        Err(Error::input(
            self.path,
            format!("line {line}: {} where every row must have {}. {cure}", fields(found), self.width),
        ))
    }

    /// The number in a feature's field of the held record.
    #[inline]
    pub fn number(&self, field: &Field, records: &Records) -> Result<f32> {
        let text = records.text(field.index);
        value::number(text).map_err(|fault| self.not_a_number(field, text, records.line, fault))
    }

    #[cold]
    fn not_a_number(&self, field: &Field, text: &str, line: u64, fault: Fault) -> Error {
        let fix = match fault {
            Fault::Missing | Fault::Infinite => "Remove the row or fill in the value",
            Fault::TooLarge => "Scale the column down",
            Fault::DecimalComma => "Write decimals with a point",
            Fault::Word => "Correct the value",
        };
        let others = self.features.iter().filter(|other| other.index != field.index && !other.text);
        let others: Vec<&str> = others.map(|other| other.name.as_str()).collect();
        let leave_out = match &others[..] {
            [] => String::new(),
            few if few.len() <= 20 => format!(
                ", or leave the column out by listing the ones to use: `--columns {}`",
                shell_word(&few.join(","))
            ),
            _ => ", or leave the column out by listing the ones to use with `--columns`".to_owned(),
        };
        let (name, what) = (shown(&field.name), fault.describe(text));
        Error::input(self.path, format!("line {line}, column `{name}`: {what}. {fix}{leave_out}"))
    }
}

/// 1 if the rows begin with a field that the header does not name, else 0.
///
/// R writes row names so: the header is one name shorter than the rows.
fn row_number_fields(path: &Path, names: usize, records: &Records) -> Result<usize> {
    let (found, line) = (records.len(), records.line);
    if found == names {
        return Ok(0);
    }
    if found == names + 1 && !records.text(found - 1).is_empty() {
        return Ok(1);
    }
    let cure = if found == names + 1 {
        "The row ends in a comma: remove it from every row".to_owned()
    } else if records.last_line > line {
        format!("The row goes on to line {}: look for a quote (`\"`) that is not closed", records.last_line)
    } else {
        "Name every column once in the header, and separate fields by single commas".to_owned()
    };
    Err(Error::input(path, format!("line {line}: {}, but the header names {names}. {cure}", fields(found))))
}

/// The columns listed by name, in that order.
fn chosen(path: &Path, names: &[String], header: &[String], target: Option<usize>) -> Result<Vec<usize>> {
    let mut features = Vec::with_capacity(names.len());
    for name in names {
        let index = find(path, "column", name, header)?;
        let name = shown(name);
        if Some(index) == target {
            let message = format!(
                "`{name}` is the target and is listed among the columns to learn from. Remove it from `--columns`, or choose another `--target`"
            );
            return Err(Error::input(path, message));
        }
        if features.contains(&index) {
            return Err(Error::input(path, format!("`{name}` is listed twice in `--columns`. Remove one")));
        }
        features.push(index);
    }
    Ok(features)
}

/// The index of a column.
fn find(path: &Path, what: &str, name: &str, header: &[String]) -> Result<usize> {
    if let Some(index) = header.iter().position(|column| column == name.trim()) {
        return Ok(index);
    }
    let suggestion = match nearest(name, header) {
        Some(name) => format!(" Did you mean `{}`?", shown(name)),
        None if looks_like_data(header) => {
            " The first line looks like data: put a line with the names of the columns before it.".into()
        }
        None => String::new(),
    };
    let columns = list(header);
    Err(Error::input(path, format!("there is no {what} `{}`.{suggestion} The columns are {columns}", shown(name))))
}

/// Whether a header is likely a row of values: no name in it is a word.
fn looks_like_data(names: &[String]) -> bool {
    names.iter().all(|name| value::number(name).is_ok() || is_time(name))
}

fn fields(count: usize) -> String {
    if count == 1 { "1 field".to_owned() } else { format!("{count} fields") }
}

/// An argument as it must be typed, in quotes if it needs them.
fn shell_word(text: &str) -> String {
    let plain = text.chars().all(|c| c.is_alphanumeric() || ",._-+:/@%".contains(c));
    if plain { text.to_owned() } else { format!("\"{text}\"") }
}
