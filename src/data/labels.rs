//! The target column: two classes, or numbers.

use super::{
    spelling::shown,
    value::{self, Fault},
};
use crate::{Error, Result};
use std::path::Path;

/// The target of every row, gathered row by row.
pub(super) enum Labels {
    /// The file is read without a target.
    None,
    /// A number in every row.
    Numbers(Vec<f32>),
    /// One of two classes in every row.
    Classes(Classes),
}

/// Labels as 0 and 1, and what they stand for.
pub(super) struct Classes {
    labels: Vec<f32>,
    /// In order of appearance, or in the given order.
    classes: Vec<Class>,
    /// The names were given, not found.
    given: bool,
    /// Spellings met so far, so that most rows need no parsing: `1` and `1.0` are one class.
    spellings: Vec<(String, f32)>,
}

struct Class {
    name: String,
    number: Option<f64>,
    /// The line where it was first met.
    line: u64,
}

/// Where a target value stands, for messages.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub path: &'a Path,
    pub line: u64,
    pub column: &'a str,
}

impl Labels {
    /// Labels to gather in a column of two classes; `given` are the names that 0 and 1 must stand for.
    pub fn classes(given: Option<&[String; 2]>) -> Result<Labels> {
        let mut classes = Vec::new();
        for name in given.into_iter().flatten() {
            let (name, number) = canonical(name.trim());
            classes.push(Class { name, number, line: 0 });
        }
        if let [a, b] = &classes[..]
            && a.name == b.name
        {
            let name = shown(&a.name);
            return Err(Error::usage(format!("the two class names are both `{name}`. Give two different ones")));
        }
        Ok(Labels::Classes(Classes { labels: Vec::new(), classes, given: given.is_some(), spellings: Vec::new() }))
    }

    /// Adds the target of a row.
    pub fn push(&mut self, text: &str, place: Place) -> Result<()> {
        match self {
            Labels::None => Ok(()),
            Labels::Numbers(labels) => {
                labels.push(value::number(text).map_err(|fault| place.not_a_number(text, fault))?);
                Ok(())
            }
            Labels::Classes(classes) => classes.push(text, place),
        }
    }

    /// The label of every row (none without a target), and the names of the two classes in the order 0, 1.
    pub fn finish(self, path: &Path, column: &str) -> Result<(Vec<f32>, Option<Vec<String>>)> {
        match self {
            Labels::None => Ok((Vec::new(), None)),
            Labels::Numbers(labels) => Ok((labels, None)),
            Labels::Classes(classes) => classes.finish(path, column).map(|(labels, classes)| (labels, Some(classes))),
        }
    }
}

impl Classes {
    fn push(&mut self, text: &str, place: Place) -> Result<()> {
        let label = match self.spellings.iter().find(|(spelling, _)| spelling == text) {
            Some((_, label)) => *label,
            None => self.new_spelling(text, place)?,
        };
        self.labels.push(label);
        Ok(())
    }

    fn new_spelling(&mut self, text: &str, place: Place) -> Result<f32> {
        if let Err(fault @ (Fault::Missing | Fault::Infinite)) = value::number(text) {
            return Err(place.not_a_number(text, fault));
        }
        let (name, number) = canonical(text);
        let class = match self.classes.iter().position(|class| class.name == name) {
            Some(class) => class,
            None if self.given => return Err(self.unknown(&name, place)),
            None if self.classes.len() == 2 => return Err(self.third(&name, number, place)),
            None => {
                self.classes.push(Class { name, number, line: place.line });
                self.classes.len() - 1
            }
        };
        // A bound for a file that spells one number in thousands of ways: the rest are parsed each time.
        if self.spellings.len() < 8 {
            self.spellings.push((text.to_owned(), class as f32));
        }
        Ok(class as f32)
    }

    fn finish(mut self, path: &Path, column: &str) -> Result<(Vec<f32>, Vec<String>)> {
        if let [only] = &self.classes[..] {
            let message = format!(
                "column `{}`: the target is `{}` in every row. {}; or choose another column with `--target`",
                shown(column),
                shown(&only.name),
                if only.number.is_some() { TWO_CLASSES } else { TWO_WORDS }
            );
            return Err(Error::input(path, message));
        }
        if let [a, b] = &self.classes[..]
            && !self.given
            && b.sorts_before(a)
        {
            self.classes.reverse();
            self.labels.iter_mut().for_each(|label| *label = 1.0 - *label);
        }
        Ok((self.labels, self.classes.into_iter().map(|class| class.name).collect()))
    }

    fn unknown(&self, name: &str, place: Place) -> Error {
        let names: Vec<String> = self.classes.iter().map(|class| format!("`{}`", shown(&class.name))).collect();
        place.error(format!(
            "`{}` is not one of the two classes {}. Correct the value, or train a model on files with this class",
            shown(name),
            names.join(" and ")
        ))
    }

    fn third(&self, name: &str, number: Option<f64>, place: Place) -> Error {
        let seen: Vec<String> =
            self.classes.iter().map(|class| format!("`{}` (line {})", shown(&class.name), class.line)).collect();
        let numbers = number.is_some() && self.classes.iter().all(|class| class.number.is_some());
        let cure = if numbers { TWO_CLASSES } else { TWO_WORDS };
        place.error(format!("the target has a third value, `{}`, after {}. {cure}", shown(name), seen.join(" and ")))
    }
}

const TWO_CLASSES: &str = "gatenorm trains on two classes: use a file with rows of exactly two, or add `--loss mean_squared_error` to treat the target as a number";
const TWO_WORDS: &str = "gatenorm trains on two classes: use a file with rows of exactly two, or make a column that is 1 for one class and 0 for the rest";

impl Class {
    /// Numbers by size, before words; words by spelling.
    fn sorts_before(&self, other: &Class) -> bool {
        match (self.number, other.number) {
            (Some(a), Some(b)) => a < b,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => self.name < other.name,
        }
    }
}

/// The one name of a class that may be spelled in several ways: `1`, `1.0` and `+1` are all `1`.
fn canonical(text: &str) -> (String, Option<f64>) {
    match text.parse::<f64>() {
        // The sum turns -0 to 0.
        Ok(number) if number.is_finite() => ((number + 0.0).to_string(), Some(number)),
        _ => (text.to_owned(), None),
    }
}

impl Place<'_> {
    fn error(self, message: String) -> Error {
        Error::input(self.path, format!("line {}, column `{}`: {message}", self.line, shown(self.column)))
    }

    fn not_a_number(self, text: &str, fault: Fault) -> Error {
        let cure = match fault {
            Fault::Missing | Fault::Infinite => "Remove the row or correct the value",
            Fault::TooLarge => "Scale the target column down",
            Fault::DecimalComma => "Write decimals with a point",
            Fault::Word => {
                "Correct the value, or leave `--loss mean_squared_error` out if the target is one of two classes"
            }
        };
        self.error(format!("{}. {cure}", fault.describe(text)))
    }
}
