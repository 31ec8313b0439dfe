//! How the values of a table are understood.

use clap::{Args, ValueEnum};
use gatenorm::data::{DateOrder, Encoding, Missing, SeriesOptions, TableOptions, TimeFeature};
use gatenorm::{Error, Result};

use super::options::at_least_one;

/// How the values of a table are understood. A model that was trained here knows this itself.
#[derive(Args)]
pub struct ReadingFlags {
    /// Columns whose values are names of categories, though they look like numbers. Columns of words are anyway.
    #[arg(long, value_name = "A,B,...", value_delimiter = ',')]
    categorical: Option<Vec<String>>,
    /// How categories become numbers [default: one-hot].
    #[arg(long, value_name = "HOW")]
    encoding: Option<EncodingName>,
    /// What becomes of missing values [default: error].
    #[arg(long, value_name = "HOW")]
    missing: Option<MissingName>,
    /// What marks a missing value beside the empty field, instead of NA, N/A, NaN, null, none, ?, - and the like.
    #[arg(long, value_name = "A,B,...", value_delimiter = ',', allow_hyphen_values = true)]
    na: Option<Vec<String>>,
    /// The column that says when a row was, or several that do together, such as year,month,day,hour. Windows cross no gap in time
    /// [default: a single column of dates in regular steps].
    #[arg(long, value_name = "A,B,...", value_delimiter = ',')]
    time: Option<Vec<String>>,
    /// What stands first in dates such as 4/2/2015, where no day beyond 12 tells.
    #[arg(long, value_name = "ORDER", requires = "time")]
    dates: Option<DatesName>,
    /// The longest step in time that is no gap, such as 90s, 5min, 2h or 1d [default: 1.5 times the median].
    #[arg(long, value_name = "TIME", requires = "time", value_parser = seconds)]
    gap: Option<f64>,
    /// What of the calendar the model sees, as sine and cosine.
    #[arg(long, value_name = "CYCLE,...", value_delimiter = ',', requires = "time")]
    time_features: Option<Vec<CycleName>>,
    /// The columns that say which series a row belongs to. A window holds rows of one.
    #[arg(long, value_name = "A,B,...", value_delimiter = ',')]
    group: Option<Vec<String>>,
    /// Forecast: how many rows behind its window a sample's target stands; several, such as 1,6 or 1..24, make as many outputs.
    #[arg(long, value_name = "ROWS,...", value_delimiter = ',', value_parser = horizon)]
    horizon: Option<Vec<Horizon>>,
    /// Rows of a period, such as 24 of hours, for the seasonal naive forecast that is reported beside the model.
    #[arg(long, value_name = "ROWS", value_parser = at_least_one, requires = "horizon")]
    season: Option<usize>,
}

#[derive(Clone, Copy, ValueEnum)]
enum EncodingName {
    /// A feature for each category
    OneHot,
    /// One feature, the number of the category
    Integer,
}

#[derive(Clone, Copy, ValueEnum)]
enum MissingName {
    /// Stop and name the first
    Error,
    /// No window holds such a row
    Drop,
    /// The last value before it
    Ffill,
    /// Between the last value before and the next after, which looks ahead
    Interpolate,
    /// The model skips the row (Masking)
    Mask,
}

#[derive(Clone, Copy, ValueEnum)]
enum DatesName {
    DayFirst,
    MonthFirst,
}

#[derive(Clone, Copy, ValueEnum)]
enum CycleName {
    /// Of the day
    Hour,
    /// Of the week
    Weekday,
    /// Of the year
    Yearday,
}

/// One or several horizons.
#[derive(Clone, Debug, PartialEq)]
struct Horizon(Vec<usize>);

impl ReadingFlags {
    /// The options with what was asked for.
    pub fn add(&self, mut options: TableOptions) -> TableOptions {
        if let Some(columns) = &self.categorical {
            options = options.categorical(columns);
        }
        if let Some(encoding) = self.encoding {
            options = options.encoding(match encoding {
                EncodingName::OneHot => Encoding::OneHot,
                EncodingName::Integer => Encoding::Integer,
            });
        }
        if let Some(missing) = self.missing {
            options = options.missing(missing.policy());
        }
        if let Some(marks) = &self.na {
            options = options.missing_marks(marks);
        }
        if let Some(columns) = &self.group {
            options = options.group(columns);
        }
        if let Some(horizon) = &self.horizon {
            options = options.horizon(horizon.iter().flat_map(|of| of.0.iter().copied()));
        }
        if let Some(season) = self.season {
            options = options.season(season);
        }
        self.add_time(options)
    }

    fn add_time(&self, mut options: TableOptions) -> TableOptions {
        if let Some(columns) = &self.time {
            options = options.time(columns);
        }
        if let Some(order) = self.dates {
            options = options.date_order(match order {
                DatesName::DayFirst => DateOrder::DayFirst,
                DatesName::MonthFirst => DateOrder::MonthFirst,
            });
        }
        if let Some(gap) = self.gap {
            options = options.gap(gap);
        }
        if let Some(cycles) = &self.time_features {
            options = options.time_features(cycles.iter().map(|cycle| match cycle {
                CycleName::Hour => TimeFeature::Hour,
                CycleName::Weekday => TimeFeature::Weekday,
                CycleName::Yearday => TimeFeature::Yearday,
            }));
        }
        options
    }

    /// The same of a file of series, for which most are refused.
    pub fn add_missing(&self, options: SeriesOptions) -> SeriesOptions {
        match self.missing {
            Some(missing) => options.missing(missing.policy()),
            None => options,
        }
    }

    /// Refuses all of them.
    pub fn refuse(&self, why: &str) -> Result<()> {
        self.refuse_given(why, &[])
    }

    /// Refuses all but what becomes of missing values.
    pub fn refuse_for_series(&self, why: &str) -> Result<()> {
        self.refuse_given(why, &["--missing"])
    }

    fn refuse_given(&self, why: &str, but: &[&str]) -> Result<()> {
        let given = [
            ("--categorical", self.categorical.is_some()),
            ("--encoding", self.encoding.is_some()),
            ("--missing", self.missing.is_some()),
            ("--na", self.na.is_some()),
            ("--time", self.time.is_some()),
            ("--group", self.group.is_some()),
            ("--horizon", self.horizon.is_some()),
        ];
        match given.iter().find(|(flag, given)| *given && !but.contains(flag)) {
            Some((flag, _)) => Err(Error::usage(format!("{flag} does not fit here: {why}. Leave {flag} out"))),
            None => Ok(()),
        }
    }
}

impl MissingName {
    fn policy(self) -> Missing {
        match self {
            MissingName::Error => Missing::Error,
            MissingName::Drop => Missing::Drop,
            MissingName::Ffill => Missing::Ffill,
            MissingName::Interpolate => Missing::Interpolate,
            MissingName::Mask => Missing::Mask,
        }
    }
}

/// A stretch of time with its unit.
fn seconds(text: &str) -> Result<f64, String> {
    let units = [("min", 60.0), ("ms", 1e-3), ("s", 1.0), ("h", 3600.0), ("d", 86_400.0)];
    let found = units.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)));
    let (number, unit) = found.unwrap_or((text, &1.0));
    match number.trim().parse::<f64>() {
        Ok(number) if number > 0.0 && number.is_finite() => Ok(number * unit),
        _ => Err("give a number above 0 with a unit: ms, s, min, h or d, such as 90s".into()),
    }
}

/// `6`, or `1..24`, both ends included.
fn horizon(text: &str) -> Result<Horizon, String> {
    const MOST: usize = 100_000;
    let number = |text: &str| text.trim().parse::<usize>().ok().filter(|&rows| (1..=MOST).contains(&rows));
    let found = match text.split_once("..") {
        None => number(text).map(|rows| vec![rows]),
        Some((first, last)) => {
            let last = last.strip_prefix('=').unwrap_or(last);
            number(first).zip(number(last)).filter(|(first, last)| first <= last).map(|(a, b)| (a..=b).collect())
        }
    };
    found.map(Horizon).ok_or_else(|| format!("give rows from 1 to {MOST}, such as 6, 1,6 or 1..24"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_horizons_are_read() {
        assert_eq!(seconds("90s"), Ok(90.0));
        assert_eq!(seconds("1.5 min"), Ok(90.0));
        assert_eq!(seconds("90"), Ok(90.0));
        assert_eq!(seconds("250ms"), Ok(0.25));
        assert_eq!(seconds("1d"), Ok(86_400.0));
        assert!(seconds("0s").is_err() && seconds("soon").is_err());
        assert_eq!(horizon("6"), Ok(Horizon(vec![6])));
        assert_eq!(horizon("2..4"), Ok(Horizon(vec![2, 3, 4])));
        assert_eq!(horizon("2..=3"), Ok(Horizon(vec![2, 3])));
        for text in ["0", "4..2", "1..", "x", "-1"] {
            assert!(horizon(text).is_err(), "{text}");
        }
    }
}
