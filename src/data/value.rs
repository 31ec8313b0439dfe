//! One field of a file to one number.

use super::spelling::shown;
use std::borrow::Cow;

/// Why a field is not a number that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Empty, or a mark such as `NA` or `NaN`.
    Missing,
    /// An infinity.
    Infinite,
    /// A number beyond f32.
    TooLarge,
    /// A number written with a decimal comma, where commas separate fields or decimals have points.
    DecimalComma,
    /// A number written with a decimal point in a file of decimal commas, where a point may well part thousands.
    DecimalPoint,
    /// Not a number.
    Word,
}

impl Fault {
    /// What is wrong, in words that a cure can follow.
    pub fn describe(self, text: &str) -> String {
        let text = shown(text);
        match self {
            Fault::Missing if text.is_empty() => "the field is empty".into(),
            Fault::Missing => format!("`{text}` stands for a missing value"),
            Fault::Infinite => format!("`{text}` is not a finite number"),
            Fault::TooLarge => format!("`{text}` is beyond the largest number of 32 bits, 3.4e38"),
            Fault::DecimalComma => format!("`{text}` has a decimal comma"),
            Fault::DecimalPoint => format!("`{text}` has a point, but numbers before it have decimal commas"),
            Fault::Word => format!("`{text}` is not a number"),
        }
    }
}

/// Reads a field, already trimmed, as f32.
pub(super) fn number(text: &str) -> Result<f32, Fault> {
    match text.parse::<f32>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(if is_missing(text) { Fault::Missing } else { fault(text) }),
    }
}

/// Off the fast path: what is wrong with a field that is no finite f32, and not missing.
#[cold]
fn fault(text: &str) -> Fault {
    match text.parse::<f32>() {
        // Rust reads an overflow as an infinity, and also the word itself, which has no digits.
        Ok(_) if text.bytes().any(|b| b.is_ascii_digit()) => Fault::TooLarge,
        Ok(value) if value.is_nan() => Fault::Missing,
        Ok(_) => Fault::Infinite,
        Err(_) if with_point(text).is_some() => Fault::DecimalComma,
        Err(_) => Fault::Word,
    }
}

/// A number with one decimal comma, with a point instead.
fn with_point(text: &str) -> Option<String> {
    let (whole, decimals) = text.split_once(',')?;
    let number = format!("{whole}.{decimals}");
    (!whole.contains('.') && number.parse::<f32>().is_ok()).then_some(number)
}

/// Whether a field, already trimmed, marks a missing value.
pub(super) fn is_missing(text: &str) -> bool {
    const MARKS: [&str; 11] = ["", "NA", "N/A", "#N/A", "NaN", "null", "none", "-", "?", "<NA>", "\\N"];
    let unsigned = text.strip_prefix(['+', '-']).filter(|rest| rest.eq_ignore_ascii_case("nan")).unwrap_or(text);
    MARKS.iter().any(|mark| unsigned.eq_ignore_ascii_case(mark))
}

/// How one file writes its numbers and what is missing; learned from its values as they come.
pub(crate) struct Numerals<'a> {
    /// Marks of missing values beside the empty field, instead of the usual ones.
    marks: Option<&'a [String]>,
    /// Whether a comma can be part of a number: not where it separates fields.
    commas: bool,
    decimals: Option<Decimals>,
}

#[derive(Clone, Copy, PartialEq)]
enum Decimals {
    Point,
    Comma,
}

impl<'a> Numerals<'a> {
    pub fn new(marks: Option<&'a [String]>, delimiter: u8) -> Self {
        Numerals { marks, commas: delimiter != b',', decimals: None }
    }

    /// Whether a field, already trimmed, marks a missing value.
    pub fn is_missing(&self, text: &str) -> bool {
        match self.marks {
            None => is_missing(text),
            Some(marks) => text.is_empty() || marks.iter().any(|mark| mark == text),
        }
    }

    /// The field with a decimal point where it has a decimal comma. What is no number stays as it is.
    pub fn plain<'t>(&mut self, text: &'t str) -> Result<Cow<'t, str>, Fault> {
        if !self.commas {
            return Ok(Cow::Borrowed(text));
        }
        if let Some(number) = with_point(text) {
            return match self.decimals.replace(Decimals::Comma) {
                Some(Decimals::Point) => Err(Fault::DecimalComma),
                _ => Ok(Cow::Owned(number)),
            };
        }
        let point = text.contains('.') && text.parse::<f32>().is_ok();
        if point && self.decimals.replace(Decimals::Point) == Some(Decimals::Comma) {
            return Err(Fault::DecimalPoint);
        }
        Ok(Cow::Borrowed(text))
    }

    /// Reads a field, already trimmed, as f32.
    #[inline]
    pub fn number(&mut self, text: &str) -> Result<f32, Fault> {
        if self.commas {
            return match self.plain(text)? {
                Cow::Owned(text) => self.parse(&text),
                Cow::Borrowed(text) => self.parse(text),
            };
        }
        self.parse(text)
    }

    #[inline]
    fn parse(&self, text: &str) -> Result<f32, Fault> {
        match text.parse::<f32>() {
            // A number may be a mark too, such as -999.
            Ok(value) if value.is_finite() && !(self.marks.is_some() && self.is_missing(text)) => Ok(value),
            _ => Err(if self.is_missing(text) { Fault::Missing } else { fault(text) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_every_usual_form() {
        for (text, value) in [("23.18", 23.18), ("-1.5e-3", -1.5e-3), ("+7", 7.0), (".5", 0.5), ("5.", 5.0), ("0", 0.0)]
        {
            assert_eq!(number(text), Ok(value), "{text}");
        }
        assert_eq!(number("3.4028235e38"), Ok(f32::MAX));
    }

    #[test]
    fn every_other_field_is_named_for_what_it_is() {
        for (text, fault) in [
            ("", Fault::Missing),
            ("NA", Fault::Missing),
            ("nan", Fault::Missing),
            ("-NaN", Fault::Missing),
            ("null", Fault::Missing),
            ("\\N", Fault::Missing),
            ("inf", Fault::Infinite),
            ("-Infinity", Fault::Infinite),
            ("1e39", Fault::TooLarge),
            ("-4e38", Fault::TooLarge),
            ("1,5", Fault::DecimalComma),
            ("word", Fault::Word),
            ("1_000", Fault::Word),
            ("0x10", Fault::Word),
            ("12 ppm", Fault::Word),
            ("1,234,567", Fault::Word),
            ("1.234,5", Fault::Word),
        ] {
            assert_eq!(number(text), Err(fault), "{text:?}");
        }
    }

    #[test]
    fn decimal_commas_are_numbers_where_commas_separate_nothing() {
        let mut numerals = Numerals::new(None, b';');
        assert_eq!(numerals.number("12"), Ok(12.0));
        assert_eq!(numerals.number("-1,5e2"), Ok(-150.0));
        assert_eq!(numerals.number(",25"), Ok(0.25));
        assert_eq!(numerals.number("1.234"), Err(Fault::DecimalPoint), "thousands, or decimals?");
        let mut points = Numerals::new(None, b'\t');
        assert_eq!(points.number("1.5"), Ok(1.5));
        assert_eq!(points.number("1,5"), Err(Fault::DecimalComma));
        assert_eq!(Numerals::new(None, b',').number("1,5"), Err(Fault::DecimalComma));
        assert_eq!(numerals.plain("Smith, John"), Ok("Smith, John".into()));
    }

    #[test]
    fn marks_of_ones_own_replace_the_usual_ones() {
        let marks = ["-999".to_owned(), "n.d.".to_owned()];
        let mut numerals = Numerals::new(Some(&marks), b',');
        assert_eq!(numerals.number("-999"), Err(Fault::Missing));
        assert_eq!(numerals.number("n.d."), Err(Fault::Missing));
        assert_eq!(numerals.number(""), Err(Fault::Missing));
        assert_eq!(numerals.number("NA"), Err(Fault::Word));
        assert_eq!(numerals.number("7"), Ok(7.0));
    }
}
