//! Reads dates, times of day, or both, as people write them.

use jiff::{civil, tz::Offset};

/// A moment as it is written: on the calendar where it was written down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moment {
    /// Milliseconds from 1970, with the day before the month where that is not certain; none where there is no such day.
    pub day_first: Option<i64>,
    /// The same with the month before the day.
    pub month_first: Option<i64>,
    /// Seconds that this calendar is ahead of UTC, where it is said.
    pub offset: Option<i32>,
}

impl Moment {
    /// A moment that needs no calendar.
    pub fn at(milliseconds: i64) -> Moment {
        Moment { day_first: Some(milliseconds), month_first: Some(milliseconds), offset: None }
    }
}

/// Whether `text` is a date (`2015-02-04`, `4/2/2015`, `04.02.2015`, `4-Feb-2015`), a time (`17:51`, `5:51:00.5 PM`)
/// or a date followed by a time (`2015-02-04 17:51:00`, `2015-02-04T17:51:00Z`, `20150204T175100+0100`).
pub(super) fn is_time(text: &str) -> bool {
    clock(text.trim()).is_some() || written(text).is_some()
}

/// The moment that a date, with or without a time, says. None for a time alone, and for days that do not exist.
pub(super) fn moment(text: &str) -> Option<Moment> {
    let (day, clock) = written(text)?;
    let at = |year, month, day| {
        let date = civil::Date::new(year, month, day).ok()?.at(0, 0, 0, 0);
        Some(Offset::UTC.to_timestamp(date).ok()?.as_millisecond() + clock.milliseconds)
    };
    let (day_first, month_first) = match day {
        Day::Certain { year, month, day } => (at(year, month, day), at(year, month, day)),
        Day::Doubtful { first, second, year } => (at(year, second, first), at(year, first, second)),
    };
    (day_first.or(month_first).is_some()).then_some(Moment { day_first, month_first, offset: clock.offset })
}

/// The moment of a year, month and day, perhaps an hour, a minute and a second, as numbers of their own.
pub(super) fn moment_of(parts: &[i64]) -> Option<Moment> {
    let part = |i: usize, least: i64| *parts.get(i).unwrap_or(&least);
    let [year, month, day] = [part(0, 0), part(1, 1), part(2, 1)];
    let [hour, minute, second] = [part(3, 0), part(4, 0), part(5, 0)];
    let within = (0..=24).contains(&hour) && (0..60).contains(&minute) && (0..=60).contains(&second);
    let date = civil::Date::new(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?).ok()?;
    let midnight = Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?.as_millisecond();
    within.then(|| Moment::at(midnight + 1000 * (3600 * hour + 60 * minute + second)))
}

/// A day, written in digits and perhaps letters, which may not exist.
#[derive(Clone, Copy)]
enum Day {
    Certain {
        year: i16,
        month: i8,
        day: i8,
    },
    /// Day and month stand before the year, one of them first.
    Doubtful {
        first: i8,
        second: i8,
        year: i16,
    },
}

/// A time of day.
#[derive(Clone, Copy, Default)]
struct Clock {
    /// From midnight.
    milliseconds: i64,
    offset: Option<i32>,
}

/// A date, perhaps followed by a time.
fn written(text: &str) -> Option<(Day, Clock)> {
    let text = text.trim();
    let (day, rest) = date(text)?;
    let clock = match rest.strip_prefix('T').or_else(|| rest.strip_prefix('t')) {
        Some(after) => clock(after).or_else(|| compact_clock(after))?,
        // A date with dashes alone is one too; eight digits alone are a number.
        None if rest.is_empty() => (!text.bytes().all(|b| b.is_ascii_digit())).then(Clock::default)?,
        None => clock(rest.strip_prefix([' ', ','])?.trim_start_matches([' ', ',']))?,
    };
    Some((day, clock))
}

/// The date at the front of `text`, and what follows it.
fn date(text: &str) -> Option<(Day, &str)> {
    let (first, rest) = digits(text);
    if first.len() == 8 {
        let day = Day::Certain { year: number(&first[..4])?, month: number(&first[4..6])?, day: number(&first[6..])? };
        return Some((day, rest));
    }
    let separator = rest.chars().next().filter(|c| matches!(c, '-' | '/' | '.'))?;
    let rest = rest.strip_prefix(separator)?;
    let (second, named, rest) = match digits(rest) {
        ("", _) => month_name(rest).map(|(month, rest)| (month, true, rest))?,
        (number, rest) => (in_range(number, 31)? as i8, false, rest),
    };
    let Some(rest) = rest.strip_prefix(separator) else {
        // A year and a month, as in 2015-02.
        let month = first.len() == 4 && separator != '.' && second <= 12;
        return month.then_some((Day::Certain { year: number(first)?, month: second, day: 1 }, rest));
    };
    let (third, rest) = digits(rest);
    if first.len() == 4 {
        let day = in_range(third, 31)? as i8;
        return Some((Day::Certain { year: number(first)?, month: second, day }, rest));
    }
    let first = in_range(first, 31)? as i8;
    let year = match (third.len(), number(third)?) {
        (2, year) => year + if year < 69 { 2000 } else { 1900 },
        (4, year) => year,
        _ => return None,
    };
    // Nobody writes the month first with points.
    let day = match named || separator == '.' {
        true => Day::Certain { year, month: second, day: first },
        false => Day::Doubtful { first, second, year },
    };
    Some((day, rest))
}

/// Hours and minutes, perhaps seconds with a fraction, AM or PM, and a time zone; nothing after them.
fn clock(text: &str) -> Option<Clock> {
    let (hours, rest) = digits(text);
    let (minutes, mut rest) = digits(rest.strip_prefix(':')?);
    let hours = in_range(hours, 24)?;
    let minutes = in_range(minutes, 59).filter(|_| minutes.len() == 2)?;
    let mut milliseconds = 60_000 * (60 * hours + minutes);
    if let Some(after) = rest.strip_prefix(':') {
        let (seconds, after) = digits(after);
        milliseconds += 1000 * in_range(seconds, 60).filter(|_| seconds.len() == 2)?;
        rest = after;
        if let Some(fraction) = after.strip_prefix(['.', ',']) {
            let (fraction, after) = digits(fraction);
            let shares = fraction.bytes().chain(*b"000").take(3).map(|digit| i64::from(digit - b'0'));
            milliseconds += shares.fold(0, |sum, digit| 10 * sum + digit);
            rest = after;
        }
    }
    zoned(milliseconds, hours, rest.trim_start())
}

/// `175100` or `1751`, after a `T`, with a time zone.
fn compact_clock(text: &str) -> Option<Clock> {
    let (clock, rest) = digits(text);
    if !matches!(clock.len(), 4 | 6) {
        return None;
    }
    let part = |at: usize| clock.get(at..at + 2).map_or(Some(0), number::<i64>);
    let (hours, minutes, seconds) = (part(0)?, part(2)?, part(4)?);
    zoned(1000 * (3600 * hours + 60 * minutes + seconds), hours, rest)
}

/// Nothing, AM or PM, `Z`, or an offset such as `+01:00`.
fn zoned(milliseconds: i64, hours: i64, text: &str) -> Option<Clock> {
    const HALF_DAY: i64 = 12 * 3_600_000;
    let is = |marks: &[&str]| marks.iter().any(|mark| text.eq_ignore_ascii_case(mark));
    let at = |milliseconds, offset| Some(Clock { milliseconds, offset });
    if text.is_empty() {
        return at(milliseconds, None);
    }
    if is(&["AM", "A.M."]) {
        return at(milliseconds - if hours == 12 { HALF_DAY } else { 0 }, None);
    }
    if is(&["PM", "P.M."]) {
        return at(milliseconds + if hours < 12 { HALF_DAY } else { 0 }, None);
    }
    if is(&["Z", "UTC", "GMT"]) {
        return at(milliseconds, Some(0));
    }
    let ahead = if text.strip_prefix('-').is_some() { -1 } else { 1 };
    let offset = text.strip_prefix(['+', '-'])?;
    let (hours, minutes) = offset.split_once(':').unwrap_or((offset, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let (hours, minutes) = match (hours.len(), minutes.len()) {
        (2, 0 | 2) => (hours, minutes),
        (4, 0) => hours.split_at_checked(2)?,
        _ => return None,
    };
    let minutes = if minutes.is_empty() { "0" } else { minutes };
    if !digits(hours) || !digits(minutes) {
        return None;
    }
    at(milliseconds, Some(ahead * (3600 * number::<i32>(hours)? + 60 * number::<i32>(minutes)?)))
}

/// The digits at the front, and the rest.
fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

fn number<N: std::str::FromStr>(digits: &str) -> Option<N> {
    digits.parse().ok()
}

/// The number of the month whose name, whole or its first three letters, is at the front, and the rest.
fn month_name(text: &str) -> Option<(i8, &str)> {
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
    let month = MONTHS.iter().position(|month| *month == lower || month[..3] == lower)?;
    Some((month as i8 + 1, rest))
}

/// One or two digits that say a number up to `most`.
fn in_range(digits: &str, most: i64) -> Option<i64> {
    number(digits).filter(|&number| matches!(digits.len(), 1 | 2) && number <= most)
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

    #[test]
    fn moments_are_what_they_say() {
        let at = |text: &str| moment(text).unwrap_or_else(|| panic!("{text}"));
        // `date -u -d "2015-02-04 17:51:00" +%s`
        let seconds = 1_423_072_260;
        for text in [
            "2015-02-04 17:51:00",
            "2015-02-04T17:51",
            "2015/2/4, 5:51 PM",
            "20150204T175100",
            "4-Feb-2015 17:51",
            "04.02.15 17:51",
            "2015-02-04 17:51:00.0009",
        ] {
            assert_eq!(at(text), Moment::at(1000 * seconds), "{text}");
        }
        assert_eq!(at("2015-02-04").day_first, Some(1000 * (seconds - 64_260)));
        assert_eq!(at("2015-02").day_first, Some(1000 * (seconds - 64_260 - 3 * 86_400)));
        assert_eq!(at("2015-02-04T17:51:00.25Z").day_first, Some(1000 * seconds + 250));
        assert_eq!(at("2015-02-04 12:05 AM").day_first, Some(1000 * (seconds - 64_260 + 300)));
        assert_eq!(at("1.1.70").day_first, Some(0));
        for (text, offset) in [("Z", 0), ("+01:00", 3600), ("-0530", -19_800), ("+02", 7200), (" UTC", 0)] {
            assert_eq!(at(&format!("2015-02-04T17:51:00{text}")).offset, Some(offset), "{text}");
        }
        assert_eq!(at("2015-02-04T17:51").offset, None);
        assert_eq!(moment_of(&[2015, 2, 4, 17, 51]), Some(Moment::at(1000 * seconds)));
        assert_eq!((moment_of(&[2015, 2, 30]), moment_of(&[2015, 2, 3, 25])), (None, None));
    }

    #[test]
    fn a_day_that_may_be_a_month_is_read_both_ways() {
        let both = moment("4/2/2015").unwrap();
        assert_eq!(
            (both.day_first, both.month_first),
            (moment("2015-02-04").unwrap().day_first, moment("2015-04-02").unwrap().day_first)
        );
        let day = moment("13/2/2015").unwrap();
        assert_eq!((day.day_first, day.month_first), (moment("2015-02-13").unwrap().day_first, None));
        assert_eq!(moment("2/13/2015").unwrap().day_first, None);
        for text in ["2015-02-30", "31.04.2015", "17:51", "13/13/2015", "word"] {
            assert_eq!(moment(text), None, "{text}");
        }
    }
}
