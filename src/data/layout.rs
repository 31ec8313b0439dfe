//! Which field of a row is which: decided once for a file, from its header and first row.

use super::{
    cells::{Kind, Stranger},
    options::{TableOptions, Target},
    records::Records,
    spelling::{list, nearest, shown},
    time::is_time,
    value::{self, Fault},
};
use crate::{Error, Result};
use std::path::Path;

/// The fields to read in every row of a file.
pub(super) struct Layout<'a> {
    pub path: &'a Path,
    /// The features in their order, with those of [`Kind::Any`] that may turn out to be none.
    pub features: Vec<Field>,
    /// The targets; none where the file is read without.
    pub targets: Vec<Field>,
    /// What says which series a row belongs to.
    pub group: Vec<Field>,
    /// What says when a row was.
    pub time: Vec<Field>,
    /// How many fields a row has.
    width: usize,
}

/// A column that is read.
#[derive(Clone, Debug)]
pub(super) struct Field {
    /// Its index in a row.
    pub index: usize,
    pub name: String,
    pub kind: Kind,
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
    let hint = if looks_like_data(&names) {
        ". The line looks like data: put a line with the names of the columns before it"
    } else {
        ""
    };
    let fractions = |name: &String| value::number(name).is_ok_and(|number| number.fract() != 0.0);
    if !hint.is_empty() && names.iter().any(fractions) {
        return wrong("this looks like data, where the names of the columns should stand. Put a line with a name for each before it; series of equal length, a line each, are for a .ts file, or for `--row-steps` with names".to_owned());
    }
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
    /// Finds the wanted columns. `records` holds the first row; `first` are the features of the first file, where this is another.
    pub fn new(
        path: &'a Path,
        options: &TableOptions,
        header: &[String],
        records: &Records,
        first: Option<&[String]>,
    ) -> Result<Self> {
        let offset = row_number_fields(path, header.len(), records)?;
        let field = |(index, kind): (usize, Kind)| Field {
            index: index + offset,
            name: header[index].clone(),
            kind,
            text: value::number(records.text(index + offset)) == Err(Fault::Word),
        };
        let all = |what: &str, names: &[String]| -> Result<Vec<usize>> {
            names.iter().map(|name| find(path, what, name, header)).collect()
        };
        let targets = match &options.target {
            Target::Unset => {
                let columns = list(header);
                let message = format!("which column is the target? Name it with `--target`; the columns are {columns}");
                return Err(Error::input(path, message));
            }
            Target::None => Vec::new(),
            Target::Columns(names) => all("target", names)?,
        };
        let group = all("column of `--group`", &options.reading.group)?;
        let time = match &options.reading.time {
            // A file may lack what was found in another.
            Some(time) if time.found => all("", &time.columns).unwrap_or_default(),
            Some(time) => all("column of `--time`", &time.columns)?,
            None => Vec::new(),
        };
        let asked = all("column of `--categorical`", &options.categorical_names())?;
        let kind = |index: usize| match () {
            () if asked.contains(&index) => Kind::Categories,
            () if options.known => Kind::Numbers,
            () if options.columns.is_some() => Kind::Feature,
            () => Kind::Any,
        };
        // What is yet to come is known of the rows before, which a forecast sees.
        let unseen = if options.reading.horizon.is_empty() { &targets[..] } else { &[] };
        let features = match options.columns.as_deref().or(first) {
            Some(names) => chosen(path, names, header, unseen)?,
            None => {
                (0..header.len()).filter(|i| ![unseen, &group, &time].iter().any(|none| none.contains(i))).collect()
            }
        };
        if let Some(&none) = asked.iter().find(|index| !features.contains(index)) {
            let message = format!("`{}` of `--categorical` is no feature. Leave it out there", shown(&header[none]));
            return Err(Error::input(path, message));
        }
        for &index in features.iter().chain(&targets).chain(&group).chain(&time) {
            if let Some(what) = records.refused(index + offset) {
                let message = format!(
                    "column `{}` holds {what}, which are neither numbers nor words. Save what they are made of as columns of their own, or leave it out by listing the ones to use with `--columns`",
                    shown(&header[index])
                );
                return Err(Error::input(path, message));
            }
        }
        let fields = |indices: Vec<usize>| indices.into_iter().map(|i| field((i, Kind::Any))).collect();
        Ok(Layout {
            path,
            features: features.into_iter().map(|i| field((i, kind(i)))).collect(),
            targets: fields(targets),
            group: fields(group),
            time: fields(time),
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
            format!("Look for a missing or an extra {}", delimiter_name(records.delimiter))
        };
        Err(Error::input(
            self.path,
            format!("line {line}: {} where every row must have {}. {cure}", fields(found), self.width),
        ))
    }

    /// The error of a value that does not belong into a feature's column.
    #[cold]
    pub fn refuse(&self, field: &Field, line: u64, stranger: Stranger, text: &str) -> Error {
        let (what, cure) = match stranger {
            Stranger::Said(text) => (text, String::new()),
            Stranger::Fault(fault) => (
                fault.describe(text),
                match fault {
                    Fault::Missing => {
                        ". Remove the row or fill in the value, say what becomes of missing values with `--missing`"
                            .to_owned()
                    }
                    Fault::Infinite => ". Remove the row or correct the value".to_owned(),
                    Fault::TooLarge => ". Scale the column down".to_owned(),
                    Fault::DecimalComma => {
                        ". Write decimals with a point (or separate all fields by semicolons)".to_owned()
                    }
                    Fault::DecimalPoint => ". Write all numbers in one way".to_owned(),
                    Fault::Word => ". Correct the value".to_owned(),
                },
            ),
        };
        let name = shown(&field.name);
        Error::input(self.path, format!("line {line}, column `{name}`: {what}{cure}{}", self.leave_out(field)))
    }

    /// How to go on without a column.
    fn leave_out(&self, field: &Field) -> String {
        let others = self.features.iter().filter(|other| other.index != field.index && !other.text);
        let others: Vec<&str> = others.map(|other| other.name.as_str()).collect();
        match &others[..] {
            _ if field.kind == Kind::Numbers => String::new(),
            [] => String::new(),
            few if few.len() <= 20 => format!(
                ", or leave the column out by listing the ones to use: `--columns {}`",
                shell_word(&few.join(","))
            ),
            _ => ", or leave the column out by listing the ones to use with `--columns`".to_owned(),
        }
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
        format!("The row ends in a {}: remove it from every row", delimiter_name(records.delimiter))
    } else if records.last_line > line {
        format!("The row goes on to line {}: look for a quote (`\"`) that is not closed", records.last_line)
    } else {
        "Name every column once in the header, and separate fields by single commas".to_owned()
    };
    Err(Error::input(path, format!("line {line}: {}, but the header names {names}. {cure}", fields(found))))
}

/// The columns listed by name, in that order.
fn chosen(path: &Path, names: &[String], header: &[String], targets: &[usize]) -> Result<Vec<usize>> {
    let mut features = Vec::with_capacity(names.len());
    for name in names {
        let index = find(path, "column", name, header)?;
        let name = shown(name);
        if targets.contains(&index) {
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
        None if header.len() == 1 => {
            " The first line has a single field, but it should name all columns, with commas, semicolons, tabs or bars between them: remove lines above it, or separate the fields so.".into()
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

/// Whether a record below the header names units, such as `[rpm]` and `(s)`.
pub(super) fn are_units(records: &Records) -> bool {
    let bracketed = |text: &str| {
        let (first, last) = (text.chars().next(), text.chars().next_back());
        text.len() > 1 && matches!((first, last), (Some('['), Some(']')) | (Some('('), Some(')')))
    };
    let mut texts = (0..records.len()).map(|field| records.text(field)).filter(|text| !text.is_empty()).peekable();
    texts.peek().is_some() && texts.all(bracketed)
}

fn delimiter_name(delimiter: u8) -> &'static str {
    match delimiter {
        b';' => "semicolon",
        b'\t' => "tab",
        b'|' => "vertical bar",
        _ => "comma",
    }
}

fn fields(count: usize) -> String {
    if count == 1 { "1 field".to_owned() } else { format!("{count} fields") }
}

/// An argument as it must be typed, in quotes if it needs them.
fn shell_word(text: &str) -> String {
    let plain = text.chars().all(|c| c.is_alphanumeric() || ",._-+:/@%".contains(c));
    if plain { text.to_owned() } else { format!("\"{text}\"") }
}
