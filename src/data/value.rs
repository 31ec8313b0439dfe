//! One field of a file to one number.

use super::spelling::shown;

/// Why a field is not a number that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Empty, or a mark such as `NA` or `NaN`.
    Missing,
    /// An infinity.
    Infinite,
    /// A number beyond f32.
    TooLarge,
    /// A number written with a decimal comma.
    DecimalComma,
    /// Not a number.
    Word,
}

impl Fault {
    /// What is wrong, in words that a cure can follow.
    pub fn describe(self, text: &str) -> String {
        let text = shown(text);
        match self {
            Fault::Missing if text.is_empty() => "the field is empty, and missing values are not supported yet".into(),
            Fault::Missing => format!("`{text}` stands for a missing value, and these are not supported yet"),
            Fault::Infinite => format!("`{text}` is not a finite number"),
            Fault::TooLarge => format!("`{text}` is beyond the largest number of 32 bits, 3.4e38"),
            Fault::DecimalComma => format!("`{text}` has a decimal comma"),
            Fault::Word => format!("`{text}` is not a number"),
        }
    }
}

/// Reads a field, already trimmed, as f32.
pub(super) fn number(text: &str) -> Result<f32, Fault> {
    match text.parse::<f32>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(fault(text)),
    }
}

/// Off the fast path: what is wrong with a field that is no finite f32.
#[cold]
fn fault(text: &str) -> Fault {
    if is_missing(text) {
        return Fault::Missing;
    }
    match text.parse::<f32>() {
        // Rust reads an overflow as an infinity, and also the word itself, which has no digits.
        Ok(_) if text.bytes().any(|b| b.is_ascii_digit()) => Fault::TooLarge,
        Ok(_) => Fault::Infinite,
        Err(_) if text.matches(',').count() == 1 && text.replace(',', ".").parse::<f32>().is_ok() => {
            Fault::DecimalComma
        }
        Err(_) => Fault::Word,
    }
}

/// Whether a field, already trimmed, marks a missing value.
pub(super) fn is_missing(text: &str) -> bool {
    const MARKS: [&str; 10] = ["", "NA", "N/A", "#N/A", "NaN", "null", "none", "-", "?", "<NA>"];
    let unsigned = text.strip_prefix(['+', '-']).filter(|rest| rest.eq_ignore_ascii_case("nan")).unwrap_or(text);
    MARKS.iter().any(|mark| unsigned.eq_ignore_ascii_case(mark))
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
            ("inf", Fault::Infinite),
            ("-Infinity", Fault::Infinite),
            ("1e39", Fault::TooLarge),
            ("-4e38", Fault::TooLarge),
            ("1,5", Fault::DecimalComma),
            ("word", Fault::Word),
            ("1_000", Fault::Word),
            ("0x10", Fault::Word),
            ("12 ppm", Fault::Word),
        ] {
            assert_eq!(number(text), Err(fault), "{text:?}");
        }
    }
}
