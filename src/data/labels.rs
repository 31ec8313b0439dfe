//! The target of every sample: classes, or numbers.

use super::{
    spelling::{list, shown},
    value::{self, Fault},
};
use crate::{Error, Result};
use std::{cmp::Ordering, collections::HashMap, path::Path};

/// The target of every row, gathered row by row.
pub(super) enum Labels {
    /// The file is read without a target.
    None,
    /// Not told yet, as one of several targets: so many rows, all without it. The first value tells numbers from classes.
    Unsaid(usize),
    /// A number in every row.
    Numbers(Vec<f32>),
    /// One of the classes in every row.
    Classes(Classes),
}

/// Which values are classes.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Rule {
    /// Two values of any kind, or words. More than two numbers are rather a quantity, and words among numbers a mistake.
    Guessed,
    /// Two values, both words or both numbers.
    Two,
    /// Every value is a class: that is what was asked for.
    Any,
    /// The classes are known; what to do about others.
    Given(&'static str),
}

/// Labels as numbers from 0, and what they stand for.
pub(super) struct Classes {
    labels: Vec<u32>,
    /// In order of appearance, or in the given order.
    classes: Vec<Class>,
    rule: Rule,
    /// Classes by name, and by spellings met so far, so that most rows need no parsing: `1` and `1.0` are one class.
    known: HashMap<String, u32>,
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
    /// What is counted: `line`, or `sample`.
    pub unit: &'static str,
    pub line: u64,
    /// The target's column, where it has a name.
    pub column: Option<&'a str>,
}

/// The label of a row whose target is missing.
const NONE: u32 = u32::MAX;
/// More different words than these are hardly classes, unless so said.
const MOST_GUESSED: usize = 100;
/// f32, in which targets are kept, counts no further.
const MOST: usize = 1 << f32::MANTISSA_DIGITS;

impl Labels {
    /// Labels to gather in a column of classes that are not known before.
    pub fn classes(rule: Rule) -> Labels {
        Labels::Classes(Classes { labels: Vec::new(), classes: Vec::new(), rule, known: HashMap::new() })
    }

    /// Labels to gather in a column of these classes, which are numbered in this order. `cure` says what to do about another
    /// value.
    pub fn given<S: AsRef<str>>(names: &[S], cure: &'static str) -> Result<Labels> {
        let mut found =
            Classes { labels: Vec::new(), classes: Vec::new(), rule: Rule::Given(cure), known: HashMap::new() };
        for name in names {
            let (name, number) = canonical(name.as_ref().trim());
            if found.known.insert(name.clone(), found.classes.len() as u32).is_some() {
                let name = shown(&name);
                return Err(Error::usage(format!("two class names are both `{name}`. Give different ones")));
            }
            found.classes.push(Class { name, number, line: 0 });
        }
        if found.classes.len() < 2 {
            return Err(Error::usage("classes are at least two. Give two names or more"));
        }
        Ok(Labels::Classes(found))
    }

    /// Adds the target of a row, trimmed and not missing.
    pub fn push(&mut self, text: &str, place: Place) -> Result<()> {
        match self {
            Labels::None => Ok(()),
            Labels::Unsaid(missing) => {
                let is_word = value::number(text) == Err(Fault::Word);
                let mut told = if is_word { Labels::classes(Rule::Two) } else { Labels::Numbers(Vec::new()) };
                (0..*missing).for_each(|_| told.push_missing());
                told.push(text, place)?;
                *self = told;
                Ok(())
            }
            Labels::Numbers(labels) => {
                labels.push(value::number(text).map_err(|fault| place.not_a_number(text, fault))?);
                Ok(())
            }
            Labels::Classes(classes) => classes.push(text, place),
        }
    }

    /// Adds a row without a target.
    pub fn push_missing(&mut self) {
        match self {
            Labels::None => {}
            Labels::Unsaid(missing) => *missing += 1,
            Labels::Numbers(labels) => labels.push(f32::NAN),
            Labels::Classes(classes) => classes.labels.push(NONE),
        }
    }

    /// Adds those of another file. None where one holds numbers and the other classes.
    pub fn append(&mut self, other: Labels) -> Option<()> {
        match (self, other) {
            (Labels::None, Labels::None) => {}
            (Labels::Numbers(all), Labels::Numbers(more)) => all.extend(more),
            (Labels::Classes(all), Labels::Classes(more)) => all.append(more),
            _ => return None,
        }
        Some(())
    }

    /// The label of every row (none without a target; NaN where it is missing), and the names of the classes in the order 0, 1, ...
    pub fn finish(self, path: &Path, column: Option<&str>) -> Result<(Vec<f32>, Option<Vec<String>>)> {
        match self {
            Labels::None => Ok((Vec::new(), None)),
            Labels::Unsaid(missing) => Ok((vec![f32::NAN; missing], None)),
            Labels::Numbers(labels) => Ok((labels, None)),
            Labels::Classes(classes) => classes.finish(path, column).map(|(labels, classes)| (labels, Some(classes))),
        }
    }
}

impl Classes {
    fn push(&mut self, text: &str, place: Place) -> Result<()> {
        let label = match self.known.get(text) {
            Some(&label) => label,
            None => self.new_spelling(text, place)?,
        };
        self.labels.push(label);
        Ok(())
    }

    fn new_spelling(&mut self, text: &str, place: Place) -> Result<u32> {
        if value::number(text) == Err(Fault::Infinite) {
            return Err(place.not_a_number(text, Fault::Infinite));
        }
        let (name, number) = canonical(text);
        let label = match self.known.get(&name) {
            Some(&label) => label,
            None => self.new_class(name, number, place)?,
        };
        // A bound for a file that spells one number in thousands of ways: the rest are parsed each time.
        if self.known.len() < self.classes.len() + 64 {
            self.known.insert(text.to_owned(), label);
        }
        Ok(label)
    }

    fn new_class(&mut self, name: String, number: Option<f64>, place: Place) -> Result<u32> {
        let label = self.classes.len();
        let words = number.is_none() && self.classes.iter().all(|class| class.number.is_none());
        match self.rule {
            Rule::Given(cure) => return Err(self.unknown(&name, cure, place)),
            Rule::Two if self.classes.iter().any(|class| class.number.is_some() != number.is_some()) => {
                return Err(self.mixed(&name, number, place, "Correct the value"));
            }
            Rule::Two if label == 2 => return Err(self.third(&name, place, THIRD_CLASS)),
            Rule::Guessed if label >= 2 && !words => return Err(self.doubtful(&name, number, place)),
            Rule::Guessed if label == MOST_GUESSED => {
                return Err(place.error(format!(
                    "`{}` is the {}th different word, which is much for classes. Add `--loss sparse_categorical_crossentropy` if they are classes, or choose another column with `--target`",
                    shown(&name),
                    label + 1
                )));
            }
            _ if label == MOST => return Err(place.error(format!("there are more than {MOST} classes. Use fewer"))),
            _ => {}
        }
        self.known.insert(name.clone(), label as u32);
        self.classes.push(Class { name, number, line: place.line });
        Ok(label as u32)
    }

    fn append(&mut self, more: Classes) {
        let mut numbers = Vec::with_capacity(more.classes.len());
        for class in more.classes {
            let next = self.classes.len() as u32;
            let number = *self.known.entry(class.name.clone()).or_insert(next);
            if number == next {
                // What each file lists is sorted, but not both lists together.
                self.rule = Rule::Any;
                self.classes.push(class);
            }
            numbers.push(number);
        }
        self.labels.extend(more.labels.iter().map(|&label| if label == NONE { NONE } else { numbers[label as usize] }));
    }

    fn finish(self, path: &Path, column: Option<&str>) -> Result<(Vec<f32>, Vec<String>)> {
        if self.classes.is_empty() {
            return Err(Error::input(path, "every target is missing. Use a file with some"));
        }
        if let [only] = &self.classes[..] {
            let message = format!(
                "{}the target is `{}` in every row. Use a file with rows of at least two classes{}",
                column.map_or(String::new(), |column| format!("column `{}`: ", shown(column))),
                shown(&only.name),
                match (column, only.number) {
                    (None, _) => "",
                    (_, None) => "; or choose another column with `--target`",
                    _ =>
                        ", or add `--loss mean_squared_error` to treat the target as a number; or choose another column with `--target`",
                }
            );
            return Err(Error::input(path, message));
        }
        let mut order: Vec<usize> = (0..self.classes.len()).collect();
        if !matches!(self.rule, Rule::Given(_)) {
            order.sort_by(|&a, &b| self.classes[a].compare(&self.classes[b]));
        }
        let mut rank = vec![0.0; order.len()];
        order.iter().enumerate().for_each(|(i, &class)| rank[class] = i as f32);
        let names = order.iter().map(|&class| self.classes[class].name.clone()).collect();
        let label = |&label: &u32| if label == NONE { f32::NAN } else { rank[label as usize] };
        Ok((self.labels.iter().map(label).collect(), names))
    }

    fn unknown(&self, name: &str, cure: &str, place: Place) -> Error {
        let names: Vec<String> = self.classes.iter().map(|class| class.name.clone()).collect();
        let count = if names.len() == 2 { "two".to_owned() } else { names.len().to_string() };
        place.error(format!("`{}` is not one of the {count} classes {}. {cure}", shown(name), list(&names)))
    }

    /// A value beyond two where numbers play a part.
    fn doubtful(&self, name: &str, number: Option<f64>, place: Place) -> Error {
        let numbers = number.is_some() && self.classes.iter().all(|class| class.number.is_some());
        if numbers { self.third(name, place, THIRD_NUMBER) } else { self.mixed(name, number, place, MIXED) }
    }

    fn third(&self, name: &str, place: Place, cure: &str) -> Error {
        let seen: Vec<String> = self.classes.iter().map(Class::seen).collect();
        let (name, seen) = (shown(name), seen.join(" and "));
        place.error(format!("the target has a third value, `{name}`, after {seen}. {cure}"))
    }

    fn mixed(&self, name: &str, number: Option<f64>, place: Place, cure: &str) -> Error {
        let kind = |word: bool| if word { "a word" } else { "a number" };
        let other = self.classes.iter().find(|class| class.number.is_some() != number.is_some());
        let other = other.map_or(String::new(), |class| format!(", unlike {}", class.seen()));
        place.error(format!("the target is {}, `{}`{other}. {cure}", kind(number.is_none()), shown(name)))
    }
}

const THIRD_NUMBER: &str = "Say what it is: `--loss sparse_categorical_crossentropy` for one of several classes, `--loss mean_squared_error` for a number; for two classes, use a file with rows of exactly two";
const THIRD_CLASS: &str =
    "Each of several labels has two classes: correct the value, or leave the column out of `--target`";
const MIXED: &str =
    "Correct the value, or add `--loss sparse_categorical_crossentropy` if numbers and words are all names of classes";

impl Class {
    fn seen(&self) -> String {
        format!("`{}` (line {})", shown(&self.name), self.line)
    }

    /// Numbers by size, before words; words by spelling.
    fn compare(&self, other: &Class) -> Ordering {
        match (self.number, other.number) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => self.name.cmp(&other.name),
        }
    }
}

/// Names of classes in the order in which they are numbered; those that mean the same once.
pub(super) fn sorted<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let class = |name: &str| {
        let (name, number) = canonical(name);
        Class { name, number, line: 0 }
    };
    let mut classes: Vec<Class> = names.into_iter().map(class).collect();
    classes.sort_by(Class::compare);
    classes.dedup_by(|a, b| a.name == b.name);
    classes.into_iter().map(|class| class.name).collect()
}

/// The one name of a class that may be spelled in several ways: `1`, `1.0` and `+1` are all `1`.
pub(crate) fn canonical(text: &str) -> (String, Option<f64>) {
    match text.parse::<f64>() {
        // The sum turns -0 to 0.
        Ok(number) if number.is_finite() => ((number + 0.0).to_string(), Some(number)),
        _ => (text.to_owned(), None),
    }
}

impl Place<'_> {
    pub fn error(self, message: String) -> Error {
        let column = self.column.map_or(String::new(), |column| format!(", column `{}`", shown(column)));
        Error::input(self.path, format!("{} {}{column}: {message}", self.unit, self.line))
    }

    pub fn not_a_number(self, text: &str, fault: Fault) -> Error {
        let cure = match fault {
            Fault::Missing if self.column.is_some() => {
                "Remove the row or correct the value, or leave such samples out with `--missing drop`, or another way of `--missing`"
            }
            Fault::Missing | Fault::Infinite => "Remove the row or correct the value",
            Fault::TooLarge => "Scale the target down",
            Fault::DecimalComma => "Write decimals with a point",
            Fault::DecimalPoint => "Write all numbers in one way",
            Fault::Word => "Correct the value, or leave `--loss mean_squared_error` out if the target is a class",
        };
        self.error(format!("{}. {cure}", fault.describe(text)))
    }
}
