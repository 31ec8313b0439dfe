//! `.arff` files of series, as the UEA and UCR archives write them for Weka.

use super::{
    labels::{Labels, Place, Rule, sorted},
    lines::Lines,
    reading::Missing,
    sequences::{Parsed, SeriesOptions},
    spelling::shown,
    value::{self, Fault},
};
use crate::{Error, Result};
use std::path::Path;

/// What the header says.
#[derive(Debug, Default, PartialEq)]
struct Header {
    /// A row's first field holds a channel in each of its lines; else each field but the last is a step.
    relational: bool,
    /// Numeric attributes, outside a relational one.
    numbers: usize,
    target: Target,
}

#[derive(Debug, Default, PartialEq)]
enum Target {
    #[default]
    None,
    Classes(Vec<String>),
    Number,
}

/// Reads the series, and their labels where they are wanted.
pub(super) fn read(options: &SeriesOptions) -> Result<Parsed> {
    let path = options.path.as_path();
    let mut lines = Lines::open(path)?;
    let header = Header::read(path, &mut lines)?;
    let mut parsed = Parsed {
        channels: 0,
        rows: Vec::new(),
        file: None,
        lengths: Vec::new(),
        places: Vec::new(),
        labels: labels(options, &header)?,
        outputs: 1,
    };
    while lines.advance()? {
        if lines.text().starts_with('%') {
            continue;
        }
        let number = lines.number;
        let error = |message: String| Error::input(path, format!("line {number}: {message}"));
        let mut fields = split(lines.text()).map_err(error)?;
        let label = if header.target == Target::None { None } else { fields.pop() };
        let channels = channels(&header, &fields).map_err(error)?;
        push(&mut parsed, &channels, options.missing).map_err(error)?;
        parsed.places.push(u32::try_from(number).unwrap_or(u32::MAX));
        if let (Some(label), true) = (label, options.targets) {
            let place = Place { path, unit: "line", line: number, column: None };
            match value::is_missing(&label) {
                false => parsed.labels.push(&label, place)?,
                true if options.missing == Missing::Error => return Err(place.not_a_number(&label, Fault::Missing)),
                true => parsed.labels.push_missing(),
            }
        }
    }
    if parsed.lengths.is_empty() {
        return Err(Error::input(path, "the file has a header and no series. Add a series a line below `@data`"));
    }
    Ok(parsed)
}

impl Header {
    fn read(path: &Path, lines: &mut Lines) -> Result<Header> {
        let mut header = Header::default();
        let mut nested = false;
        let mut last_name = String::new();
        while lines.advance()? {
            let wrong = |message: String| Error::input(path, format!("line {}: {message}", lines.number));
            let line = lines.text();
            if line.starts_with('%') {
                continue;
            }
            let (key, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            match key.to_ascii_lowercase().as_str() {
                "@relation" => {}
                "@data" => return header.finish(&last_name).map_err(wrong),
                "@end" => nested = false,
                "@attribute" if nested => {}
                "@attribute" => {
                    let (name, kind) = name_and_kind(rest.trim()).map_err(wrong)?;
                    nested = kind.eq_ignore_ascii_case("relational");
                    header.add(&name, kind).map_err(wrong)?;
                    last_name = name;
                }
                _ => {
                    return Err(wrong(format!(
                        "`{}` stands before `@data`. An .arff file begins with lines such as `@attribute att1 numeric`, then `@data`, then a series a line",
                        shown(line)
                    )));
                }
            }
        }
        Err(Error::input(path, "there is no `@data` line. Put one before the first series"))
    }

    fn add(&mut self, name: &str, kind: &str) -> Result<(), String> {
        if self.target != Target::None {
            return Err(format!("attribute `{}` comes behind the class. Put the class last", shown(name)));
        }
        if let Some(names) = kind.strip_prefix('{').and_then(|kind| kind.strip_suffix('}')) {
            let names = split(names)?;
            self.target = Target::Classes(sorted(names.iter().map(String::as_str)));
            return Ok(());
        }
        match kind.to_ascii_lowercase().as_str() {
            "numeric" | "real" | "integer" if self.relational => self.target = Target::Number,
            "numeric" | "real" | "integer" => self.numbers += 1,
            "relational" if !self.relational && self.numbers == 0 => self.relational = true,
            _ => {
                return Err(format!(
                    "attribute `{}` is `{}`; series have numeric ones, or one that is relational, and a class such as `{{a,b}}`. Remove it",
                    shown(name),
                    shown(kind)
                ));
            }
        }
        Ok(())
    }

    /// A last number that is named so is the target.
    fn finish(mut self, last: &str) -> Result<Header, String> {
        const TARGETS: [&str; 4] = ["target", "label", "class", "output"];
        let named = TARGETS.iter().any(|name| last.to_ascii_lowercase().contains(name));
        if self.target == Target::None && named && self.numbers > 1 {
            self.numbers -= 1;
            self.target = Target::Number;
        }
        if !self.relational && self.numbers == 0 {
            return Err("no attribute is numeric, so there are no series. Add the steps before the class".into());
        }
        Ok(self)
    }
}

/// An attribute's name, which may be quoted, and its kind.
fn name_and_kind(text: &str) -> Result<(String, &str), String> {
    let (name, kind) = match text.chars().next().filter(|c| matches!(c, '\'' | '"')) {
        Some(quote) => text[1..].split_once(quote).ok_or("a quote is opened here and never closed. Close it")?,
        None => text
            .split_once(char::is_whitespace)
            .ok_or("an attribute needs a name and a kind, such as `att1 numeric`")?,
    };
    Ok((name.to_owned(), kind.trim()))
}

/// Fields between commas, without their quotes; a backslash in quotes makes the next character plain, but `\n` a line break.
fn split(text: &str) -> Result<Vec<String>, String> {
    if text.starts_with('{') {
        return Err("sparse rows are not supported. Write all values, such as `1,0,0,a`".into());
    }
    let (mut fields, mut field, mut quote) = (Vec::new(), String::new(), None);
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match (c, quote) {
            ('\\', Some(_)) => match characters.next() {
                Some('n') => field.push('\n'),
                Some(plain) => field.push(plain),
                None => {}
            },
            (c, Some(open)) if c == open => quote = None,
            ('\'' | '"', None) if field.trim().is_empty() => {
                field.clear();
                quote = Some(c);
            }
            (',', None) => fields.push(std::mem::take(&mut field)),
            (c, _) => field.push(c),
        }
    }
    if quote.is_some() {
        return Err("a quote is opened and never closed. Close it".into());
    }
    fields.push(field);
    Ok(fields.into_iter().map(|field| field.trim().to_owned()).collect())
}

/// The fields of each channel.
fn channels(header: &Header, fields: &[String]) -> Result<Vec<Vec<String>>, String> {
    if !header.relational {
        if fields.len() != header.numbers {
            let (found, wanted) = (fields.len(), header.numbers);
            return Err(format!(
                "{found} steps where the header has {wanted} numeric attributes. Look for a missing or an extra comma"
            ));
        }
        return Ok(vec![fields.to_vec()]);
    }
    let [series] = fields else {
        return Err("a row is one quoted field of channels, and its class. Look for a missing or an extra quote".into());
    };
    series.lines().map(split).collect()
}

/// Adds a series, without the steps at its end that no channel has.
fn push(parsed: &mut Parsed, channels: &[Vec<String>], missing: Missing) -> Result<(), String> {
    if parsed.lengths.is_empty() {
        parsed.channels = channels.len();
    }
    if channels.len() != parsed.channels || channels.is_empty() {
        let (found, wanted) = (channels.len(), parsed.channels);
        return Err(format!("{found} channels where every series must have {wanted}. Correct the series"));
    }
    let written = channels[0].len();
    if let Some(at) = channels.iter().position(|channel| channel.len() != written) {
        let (found, channel) = (channels[at].len(), at + 1);
        return Err(format!("channel {channel} has {found} steps, but channel 1 has {written}. Correct the series"));
    }
    let there = |step: &usize| channels.iter().any(|channel| !value::is_missing(&channel[*step]));
    let length = (0..written).rev().find(there).map_or(0, |last| last + 1);
    if length == 0 {
        return Err("the series has no value at all. Remove it".into());
    }
    for step in 0..length {
        for (channel, fields) in channels.iter().enumerate() {
            let text = fields[step].as_str();
            let value = match value::number(text) {
                Err(Fault::Missing) if missing != Missing::Error => f32::NAN,
                Ok(value) => value,
                Err(fault) => {
                    let cure = match fault {
                        Fault::Missing => "Fill it in, or say what becomes of missing values with `--missing`",
                        _ => "Correct the value",
                    };
                    let (channel, step) = (channel + 1, step + 1);
                    return Err(format!("channel {channel}, step {step}: {}. {cure}", fault.describe(text)));
                }
            };
            parsed.rows.push(value);
        }
    }
    if parsed.rows.len() / parsed.channels > u32::MAX as usize {
        return Err(format!("more than {} steps in all are too many. Split the file", u32::MAX));
    }
    parsed.lengths.push(length as u32);
    Ok(())
}

fn labels(options: &SeriesOptions, header: &Header) -> Result<Labels> {
    const OTHER_CLASS: &str = "Correct the label, or add it to the class's attribute in the header";
    const NOT_THE_MODELS: &str = "Correct the label, or train a model on files with this class";
    let refuse = |message: &str| Err(Error::input(&options.path, message));
    if !options.targets {
        return Ok(Labels::None);
    }
    match (&header.target, &options.label_classes) {
        (Target::None, _) => refuse(
            "the header says of no class. Add a last attribute such as `@attribute class {a,b}`, and the class to every row",
        ),
        (Target::Number, None) => Ok(Labels::Numbers(Vec::new())),
        (Target::Number, Some(_)) => {
            refuse("the targets are numbers, but the model knows classes. Use a file with classes")
        }
        (Target::Classes(_), Some(names)) => Labels::given(names, NOT_THE_MODELS),
        (Target::Classes(names), None) if names.len() < 2 => {
            if names.is_empty() {
                Ok(Labels::classes(Rule::Any))
            } else {
                refuse("the header lists one class, which leaves nothing to learn. List all of them")
            }
        }
        (Target::Classes(names), None) => Labels::given(names, OTHER_CLASS),
    }
}
