//! Recognises a date, a time of day, or both, so that such a column is left out instead of read as numbers.

/// Whether `text` is a date (`2015-02-04`, `4/2/2015`, `04.02.2015`, `4-Feb-2015`), a time (`17:51`, `5:51:00.5 PM`)
/// or a date followed by a time (`2015-02-04 17:51:00`, `2015-02-04T17:51:00Z`, `20150204T175100+0100`).
pub(super) fn is_time(text: &str) -> bool {
    let text = text.trim();
    if is_clock(text) {
        return true;
    }
    let Some(rest) = after_date(text) else { return false };
    match rest.strip_prefix('T').or_else(|| rest.strip_prefix('t')) {
        Some(clock) => is_clock(clock) || is_compact_clock(clock),
        // A date with dashes alone is one too; eight digits alone are a number.
        None if rest.is_empty() => !text.bytes().all(|b| b.is_ascii_digit()),
        None => rest.starts_with([' ', ',']) && is_clock(rest.trim_start_matches([' ', ','])),
    }
}

/// What follows the date at the front of `text`.
fn after_date(text: &str) -> Option<&str> {
    let (first, rest) = digits(text);
    if first.len() == 8 {
        return Some(rest);
    }
    let separator = rest.chars().next().filter(|c| matches!(c, '-' | '/' | '.'))?;
    let rest = rest.strip_prefix(separator)?;
    let (second, rest) = match digits(rest) {
        ("", _) => month_name(rest)?,
        number => number,
    };
    let Some(rest) = rest.strip_prefix(separator) else {
        // A year and a month, as in 2015-02.
        return (first.len() == 4 && separator != '.' && in_range(second, 12)).then_some(rest);
    };
    let (third, rest) = digits(rest);
    let year_first = first.len() == 4 && in_range(third, 31);
    let year_last = in_range(first, 31) && matches!(third.len(), 2 | 4);
    let month = second.starts_with(|c: char| c.is_ascii_alphabetic()) || in_range(second, 31);
    ((year_first || year_last) && month).then_some(rest)
}

/// Hours and minutes, perhaps seconds with a fraction, AM or PM, and a time zone; nothing after them.
fn is_clock(text: &str) -> bool {
    let (hours, rest) = digits(text);
    let Some(rest) = rest.strip_prefix(':') else { return false };
    let (minutes, mut rest) = digits(rest);
    if !in_range(hours, 24) || minutes.len() != 2 || !in_range(minutes, 59) {
        return false;
    }
    if let Some(after) = rest.strip_prefix(':') {
        let (seconds, after) = digits(after);
        if seconds.len() != 2 || !in_range(seconds, 60) {
            return false;
        }
        rest = after.strip_prefix(['.', ',']).map_or(after, |fraction| digits(fraction).1);
    }
    is_zone(rest.trim_start())
}

/// `175100` or `1751`, after a `T`, with a time zone.
fn is_compact_clock(text: &str) -> bool {
    let (clock, rest) = digits(text);
    matches!(clock.len(), 4 | 6) && is_zone(rest)
}

/// Nothing, AM or PM, `Z`, or an offset such as `+01:00`.
fn is_zone(text: &str) -> bool {
    let marks = ["", "AM", "PM", "A.M.", "P.M.", "Z", "UTC", "GMT"];
    if marks.iter().any(|mark| text.eq_ignore_ascii_case(mark)) {
        return true;
    }
    let Some(offset) = text.strip_prefix(['+', '-']) else { return false };
    let (hours, minutes) = offset.split_once(':').unwrap_or((offset, ""));
    [hours, minutes].iter().all(|part| part.bytes().all(|b| b.is_ascii_digit()))
        && matches!((hours.len(), minutes.len()), (2, 0) | (4, 0) | (2, 2))
}

/// The digits at the front, and the rest.
fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

/// The name of a month at the front, whole or its first three letters, and the rest.
fn month_name(text: &str) -> Option<(&str, &str)> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let (name, rest) = text.split_at(text.bytes().take_while(u8::is_ascii_alphabetic).count());
    let lower = name.to_ascii_lowercase();
    MONTHS.iter().any(|month| *month == lower || month[..3] == lower).then_some((name, rest))
}

/// Whether one or two digits say a number up to `most`.
fn in_range(digits: &str, most: u32) -> bool {
    matches!(digits.len(), 1 | 2) && digits.parse::<u32>().is_ok_and(|n| n <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_are_recognised() {
        for text in [
            "2015-02-04 17:51:00",
            "2015-02-04",
            "2015/2/4 5:51",
            "2015-02-04T17:51:00",
            "2015-02-04T17:51:00.123Z",
            "2015-02-04T17:51:00+01:00",
            "2015-02-04 17:51:00.5 +0100",
            "2015-02-04, 17:51",
            "20150204T175100Z",
            "04.02.2015",
            "4/2/15 5:51 PM",
            "4-Feb-2015 17:51",
            "04-february-2015",
            "2015-02",
            "17:51",
            "17:51:00,25",
        ] {
            assert!(is_time(text), "{text}");
        }
    }

    #[test]
    fn numbers_and_words_are_not_times() {
        for text in [
            "",
            "23.18",
            "-1.5e-3",
            "20150204",
            "1423072260",
            "426",
            "2015",
            "12-5",
            "yes",
            "1.2.3",
            "192.168.0.1",
            "a:b",
            "25:61",
            "17:51 o'clock",
            "2015-02-04 noon",
            "3/4",
            "99.99.2015",
            "T",
            "-",
            ":",
            "2015-99-04",
            "+01:00",
        ] {
            assert!(!is_time(text), "{text}");
        }
    }
}
