//! A column while it is read: what its values are shows as they come.

use super::{
    labels,
    spelling::{list, shown},
    time::{Moment, is_time, moment},
    value::{Fault, Numerals},
};
use std::collections::HashMap;

/// What a column may hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// Numbers, words, or dates, which are no feature: the first value tells.
    Any,
    /// Numbers or words: the column was asked for by name.
    Feature,
    /// Numbers: the model says so.
    Numbers,
    /// Categories in words or numbers.
    Categories,
}

/// The values so far, one for each row.
#[derive(Clone, Debug)]
pub(super) enum Cells {
    /// So many missing values.
    Missing(usize),
    /// NaN where a value is missing.
    Numbers(Vec<f32>),
    Words(Words),
    /// Dates, which are no feature.
    Dates(Vec<Moment>),
    /// Neither a feature nor dates without exception.
    Passed,
}

/// Categories by their number in order of appearance.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    /// [`NONE`] where the value is missing.
    codes: Vec<u32>,
    /// With the line of the first.
    names: Vec<(String, u64)>,
    known: HashMap<String, u32>,
    /// Whether there can be no others, and what others are then.
    given: Option<Unknown>,
}

/// What a category is that a model does not know.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Unknown {
    Error,
    /// None of those it knows.
    None,
}

const NONE: u32 = u32::MAX;
/// A category that is none of those that are known.
const OTHER: u32 = u32::MAX - 1;
/// More different words than these are hardly categories, unless so said.
const MOST_GUESSED: usize = 100;

/// Why a value does not belong into its column.
#[derive(Debug, PartialEq)]
pub(super) enum Stranger {
    /// It is no number.
    Fault(Fault),
    /// What it is, and its cure.
    Said(String),
}

impl Cells {
    /// Room for a column of this kind. `given`: the categories that there are, and what becomes of others.
    pub fn new(kind: Kind, given: Option<(&[String], Unknown)>) -> Cells {
        match (kind, given) {
            (Kind::Numbers, _) => Cells::Numbers(Vec::new()),
            (Kind::Categories, Some((names, unknown))) => {
                let mut words = Words { given: Some(unknown), ..Words::default() };
                for name in names {
                    words.known.insert(name.clone(), words.names.len() as u32);
                    words.names.push((name.clone(), 0));
                }
                Cells::Words(words)
            }
            (Kind::Categories, None) => Cells::Words(Words::default()),
            (Kind::Any | Kind::Feature, _) => Cells::Missing(0),
        }
    }

    /// Adds a missing value. False where the column tolerates none because it is no feature any more.
    pub fn push_missing(&mut self) {
        match self {
            Cells::Missing(count) => *count += 1,
            Cells::Numbers(values) => values.push(f32::NAN),
            Cells::Words(words) => words.codes.push(NONE),
            Cells::Dates(_) => *self = Cells::Passed,
            Cells::Passed => {}
        }
    }

    /// Whether missing values do not matter, since it is no feature.
    pub fn is_passed(&self) -> bool {
        matches!(self, Cells::Dates(_) | Cells::Passed)
    }

    /// Adds a value, trimmed and not missing.
    #[inline]
    pub fn push(&mut self, text: &str, kind: Kind, line: u64, numerals: &mut Numerals) -> Result<(), Stranger> {
        match self {
            Cells::Numbers(values) => {
                values.push(numerals.number(text).map_err(Stranger::Fault)?);
                Ok(())
            }
            Cells::Words(words) => words.push(text, kind, line, numerals),
            Cells::Dates(moments) => {
                match moment(text) {
                    Some(moment) => moments.push(moment),
                    None => *self = Cells::Passed,
                }
                Ok(())
            }
            Cells::Passed => Ok(()),
            Cells::Missing(_) => self.begin(text, kind, line, numerals),
        }
    }

    /// Adds the first value, which says what the column holds.
    fn begin(&mut self, text: &str, kind: Kind, line: u64, numerals: &mut Numerals) -> Result<(), Stranger> {
        let Cells::Missing(before) = *self else { return Ok(()) };
        *self = match numerals.number(text) {
            Ok(number) => {
                let mut values = vec![f32::NAN; before];
                values.push(number);
                Cells::Numbers(values)
            }
            Err(Fault::Word) if is_time(text) && kind == Kind::Feature => {
                return Err(Stranger::Said(format!(
                    "`{}` is a date or a time, which is no number. Make it the time axis with `--time`",
                    shown(text)
                )));
            }
            Err(Fault::Word) if is_time(text) => match moment(text).filter(|_| before == 0) {
                Some(moment) => Cells::Dates(vec![moment]),
                None => Cells::Passed,
            },
            Err(Fault::Word) => {
                let mut words = Words { codes: vec![NONE; before], ..Words::default() };
                words.push(text, kind, line, numerals)?;
                Cells::Words(words)
            }
            Err(fault) => return Err(Stranger::Fault(fault)),
        };
        Ok(())
    }
}

impl Words {
    fn push(&mut self, text: &str, kind: Kind, line: u64, numerals: &mut Numerals) -> Result<(), Stranger> {
        let code = match self.known.get(text) {
            Some(&code) => code,
            None => self.new_spelling(text, kind, line, numerals)?,
        };
        self.codes.push(code);
        Ok(())
    }

    fn new_spelling(&mut self, text: &str, kind: Kind, line: u64, numerals: &mut Numerals) -> Result<u32, Stranger> {
        let plain = numerals.plain(text).map_err(Stranger::Fault)?;
        let (name, number) = labels::canonical(&plain);
        if let Some(&code) = self.known.get(&name) {
            return Ok(code);
        }
        match self.given {
            Some(Unknown::None) => return Ok(OTHER),
            Some(Unknown::Error) => {
                let names: Vec<String> = self.names.iter().map(|(name, _)| name.clone()).collect();
                return Err(Stranger::Said(format!(
                    "`{}` is none of the {} categories that the model knows: {}. Correct the value, train a model on data with it, or take it for none of them with `--new-categories none`",
                    shown(&name),
                    names.len(),
                    list(&names)
                )));
            }
            None => {}
        }
        if let Some(plain) = written_otherwise(&name).filter(|_| kind != Kind::Categories && number.is_none()) {
            return Err(Stranger::Said(format!(
                "`{}` looks like the number {plain}. Write it so, without `%`, currencies and signs between thousands; or name the column in `--categorical` if its values are names",
                shown(&name)
            )));
        }
        if kind != Kind::Categories && number.is_some() {
            let (first, at) = &self.names[0];
            // Only one row is above this one.
            let units = match self.codes.len() {
                1 => format!("If line {at} holds units, remove it; or correct"),
                _ => "Correct".to_owned(),
            };
            return Err(Stranger::Said(format!(
                "`{}` is a number, unlike `{}` (line {at}). {units} the value, or name the column in `--categorical` if all its values are names",
                shown(&name),
                shown(first)
            )));
        }
        if kind != Kind::Categories && self.names.len() == MOST_GUESSED {
            return Err(Stranger::Said(format!(
                "`{}` is the {}th different word, which is much for categories. Name the column in `--categorical` if they are",
                shown(&name),
                MOST_GUESSED + 1
            )));
        }
        let code = self.names.len() as u32;
        self.known.insert(name.clone(), code);
        self.names.push((name, line));
        Ok(code)
    }

    /// The categories in their order, and each row's number of them: NaN where it is missing, -1 where it is none of them.
    pub fn finish(self) -> (Vec<String>, Vec<f32>) {
        let names: Vec<String> = self.names.into_iter().map(|(name, _)| name).collect();
        let sorted =
            if self.given.is_some() { names.clone() } else { labels::sorted(names.iter().map(String::as_str)) };
        let rank: HashMap<&str, usize> = sorted.iter().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
        let ranks: Vec<f32> =
            names.iter().map(|name| rank.get(name.as_str()).map_or(f32::NAN, |&i| i as f32)).collect();
        let of_code = |code: &u32| match *code {
            NONE => f32::NAN,
            OTHER => -1.0,
            code => ranks[code as usize],
        };
        let codes = self.codes.iter().map(of_code).collect();
        (sorted, codes)
    }
}

/// The number that is written with a currency, `%` or signs between thousands.
fn written_otherwise(text: &str) -> Option<f64> {
    const CURRENCIES: [char; 4] = ['$', '€', '£', '¥'];
    let bare = text.trim_start_matches(CURRENCIES).trim_end_matches(CURRENCIES).trim_end_matches('%').trim();
    let plain = ungrouped(bare).unwrap_or_else(|| bare.to_owned());
    let number = plain.parse().ok().filter(|number: &f64| number.is_finite());
    number.filter(|_| plain != text && bare.chars().any(|c| c.is_ascii_digit()))
}

/// `1,234.5`, `1.234,5`, `1'234.5` and `1 234,5` as 1234.5.
fn ungrouped(text: &str) -> Option<String> {
    let signs = [(',', '.'), ('.', ','), ('\'', '.'), (' ', '.'), (' ', ','), ('\u{a0}', ',')];
    let digits = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    signs.iter().find_map(|&(group, point)| {
        let (whole, fraction) = text.split_once(point).unwrap_or((text, "0"));
        let mut groups = whole.trim_start_matches(['-', '+']).split(group);
        let first = groups.next().is_some_and(|first| digits(first) && first.len() <= 3);
        let mut others = groups.peekable();
        let grouped = first && others.peek().is_some() && others.all(|of| digits(of) && of.len() == 3);
        (grouped && digits(fraction)).then(|| format!("{}.{fraction}", whole.replace(group, "")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(kind: Kind, given: Option<(&[String], Unknown)>, values: &[&str]) -> Result<Cells, Stranger> {
        let (mut cells, mut numerals) = (Cells::new(kind, given), Numerals::new(None, b';'));
        for (i, text) in values.iter().enumerate() {
            match numerals.is_missing(text) {
                true => cells.push_missing(),
                false => cells.push(text, kind, i as u64 + 2, &mut numerals)?,
            }
        }
        Ok(cells)
    }

    fn words(kind: Kind, given: Option<(&[String], Unknown)>, values: &[&str]) -> (Vec<String>, Vec<f32>) {
        match cells(kind, given, values).unwrap() {
            Cells::Words(words) => words.finish(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_first_value_says_what_a_column_holds() {
        let numbers = cells(Kind::Any, None, &["?", "1,5", "2"]).unwrap();
        assert!(matches!(numbers, Cells::Numbers(values) if values[0].is_nan() && values[1..] == [1.5, 2.0]));
        let (names, codes) = words(Kind::Any, None, &["SE", "NW", "SE"]);
        assert_eq!((names, codes), (vec!["NW".to_owned(), "SE".to_owned()], vec![1.0, 0.0, 1.0]));
        assert!(matches!(cells(Kind::Any, None, &["2015-02-04", "2015-02-05"]), Ok(Cells::Dates(of)) if of.len() == 2));
        assert!(matches!(cells(Kind::Any, None, &["2015-02-04", "x"]), Ok(Cells::Passed)));
        assert!(matches!(cells(Kind::Any, None, &["2015-02-04", "NA"]), Ok(Cells::Passed)));
        assert!(matches!(cells(Kind::Any, None, &["17:51"]), Ok(Cells::Passed)));
        assert!(matches!(cells(Kind::Any, None, &["NA", ""]), Ok(Cells::Missing(2))));
    }

    #[test]
    fn categories_are_one_however_they_are_spelled_and_sorted() {
        let (names, codes) = words(Kind::Categories, None, &["10", "9", "9,0", "b", "", "a"]);
        assert_eq!(names, ["9", "10", "a", "b"]);
        assert_eq!(codes[..4], [1.0, 0.0, 0.0, 3.0]);
        assert!(codes[4].is_nan() && codes[5] == 2.0);
        let given = ["b".to_owned(), "a".to_owned()];
        assert_eq!(words(Kind::Categories, Some((&given, Unknown::None)), &["a", "c"]).1, [1.0, -1.0]);
    }

    #[test]
    fn numbers_that_are_written_for_people_are_no_categories() {
        for text in ["1,234.5", "1.234,5", "1'234.5", "1 234.5", "1\u{a0}234,5"] {
            assert_eq!(written_otherwise(text), Some(1234.5), "{text}");
        }
        assert_eq!(["-12 %", "$3.5", "4€", "1,000,000"].map(written_otherwise), [-12.0, 3.5, 4.0, 1e6].map(Some));
        assert_eq!(
            ["3 doors", "A1", "12,34,56", "1,23", "%", "inf%", "2024-01-01", "x%"].map(written_otherwise),
            [None; 8]
        );
        let Stranger::Said(text) = cells(Kind::Any, None, &["1,234.5"]).unwrap_err() else { panic!("it is said") };
        assert!(text.contains("looks like the number 1234.5") && text.contains("`--categorical`"), "{text}");
        assert!(cells(Kind::Categories, None, &["50%", "100%"]).is_ok());
    }

    #[test]
    fn a_stranger_in_a_column_is_told() {
        let said = |kind, given, values: &[&str]| match cells(kind, given, values).unwrap_err() {
            Stranger::Said(text) => text,
            Stranger::Fault(fault) => format!("{fault:?}"),
        };
        assert_eq!(said(Kind::Any, None, &["1", "warm"]), "Word");
        let number = said(Kind::Feature, None, &["cold", "NA", "5"]);
        assert!(number.contains("`5` is a number, unlike `cold` (line 2)"), "{number}");
        let many: Vec<String> = (0..101).map(|i| format!("w{i}")).collect();
        let many = said(Kind::Any, None, &many.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(many.contains("`w100` is the 101th different word"), "{many}");
        assert!(said(Kind::Feature, None, &["2015-02-04"]).contains("`--time`"));
        let given = ["a".to_owned(), "b".to_owned()];
        let new = said(Kind::Categories, Some((&given, Unknown::Error)), &["c"]);
        assert!(new.contains("`c` is none of the 2 categories") && new.contains("`a`, `b`"), "{new}");
        assert_eq!(said(Kind::Numbers, None, &["a"]), "Word");
    }
}
