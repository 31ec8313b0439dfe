//! How the values of a table are understood: kept with a model, so that it reads other tables in the same way.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// How the values of a table are understood, beyond the names of its columns.
///
/// What is asked for goes in ([`TableOptions`](super::TableOptions) has a method for each), and what was found comes out with the
/// data set ([`Dataset::reading`](super::Dataset::reading)): categories, order of dates, the longest step that is no gap.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reading {
    /// Columns of categories.
    pub categorical: Vec<Categorical>,
    /// How categories become numbers.
    pub encoding: Encoding,
    /// What becomes of missing values.
    pub missing: Missing,
    /// What marks a missing value beside the empty field, instead of the usual marks (`NA`, `NaN`, `null`, `?`, `-`, ...).
    pub missing_marks: Option<Vec<String>>,
    /// The columns that say when.
    pub time: Option<TimeAxis>,
    /// The columns that say which series a row belongs to.
    pub group: Vec<String>,
    /// What a sample has a target for.
    #[serde(skip_serializing_if = "TargetOf::is_sample")]
    pub target_of: TargetOf,
    /// How many rows behind its window a sample's target stands; none where it stands in the window's last row.
    pub horizon: Vec<usize>,
    /// Rows of a period, such as 24 of hours in a day, for the seasonal naive forecast.
    pub season: Option<usize>,
    /// Where the series of a folder have their labels; none where the data are no folder of series.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<Labelled>,
}

/// What has a target of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetOf {
    /// A sample: that of its last row, or of its series.
    #[default]
    Sample,
    /// Every row of a sample: targets are sequences, `[T, O]`.
    EveryRow,
    /// Nothing: a sample's own rows are to be given back.
    Input,
}

impl TargetOf {
    fn is_sample(&self) -> bool {
        *self == TargetOf::Sample
    }
}

/// Where the labels of series are that stand in a file each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Labelled {
    /// In columns of the series themselves.
    Columns,
    /// In the names of subfolders.
    Folders,
    /// In a file of their own, whose column of this name names the series.
    File(String),
}

/// A column of categories.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Categorical {
    /// Its name.
    pub column: String,
    /// The categories 0, 1, ...: numbers by size, then words by spelling. None before the first file was read.
    pub categories: Vec<String>,
}

/// How categories become numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// A feature for each category, 1 where it is the row's and 0 elsewhere.
    #[default]
    OneHot,
    /// One feature: the category's number from 0, as an `Embedding` takes it.
    Integer,
}

/// What becomes of missing values of features. A sample whose target is missing is left out, unless it is an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// An error that names the first.
    #[default]
    Error,
    /// No window holds such a row.
    Drop,
    /// The last value before it of the same series; rows without one are in no window.
    Ffill,
    /// Numbers lie on a line from the last value before to the next one after, which looks ahead in time; at the end of a series the
    /// last value stays. Categories as by `Ffill`.
    Interpolate,
    /// The model skips the row, as Keras's `Masking`.
    Mask,
}

/// The columns that say when a row was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TimeAxis {
    /// One column of dates, times or numbers of seconds (or thousandths, from 1e11 on); or several that make a date together.
    pub columns: Vec<String>,
    /// Whether dates such as 4/2/2015 begin with the day, where their values alone do not say it.
    pub order: Option<DateOrder>,
    /// Seconds from one row to the next; a longer step is a gap, which no window crosses. Without it 1.5 times the median.
    pub gap: Option<f64>,
    /// What of the calendar the model sees.
    pub features: Vec<TimeFeature>,
    /// Whether the column was found, not asked for: then files without it are read as if they had no gaps.
    pub found: bool,
}

/// What stands first in dates such as 4/2/2015.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateOrder {
    /// 4 February
    DayFirst,
    /// 2 April
    MonthFirst,
}

/// A cycle of the calendar: two features, sine and cosine of 2π times the share of it that has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeFeature {
    /// Of 24 hours, from midnight.
    Hour,
    /// Of 7 days, from Monday.
    Weekday,
    /// Of a year, from 1 January.
    Yearday,
}

impl TimeFeature {
    /// All of them.
    pub const ALL: [TimeFeature; 3] = [TimeFeature::Hour, TimeFeature::Weekday, TimeFeature::Yearday];

    /// Its name on the command line and in names of features.
    pub fn name(self) -> &'static str {
        match self {
            TimeFeature::Hour => "hour",
            TimeFeature::Weekday => "weekday",
            TimeFeature::Yearday => "yearday",
        }
    }
}

impl Reading {
    /// The name of the time axis: of its columns with spaces between them.
    pub fn time_name(&self) -> Option<String> {
        self.time.as_ref().map(|time| time.columns.join(" "))
    }

    /// How the labels of series are read that stand in a file of their own.
    pub(super) fn of_labels(&self) -> Reading {
        Reading { missing: self.missing, missing_marks: self.missing_marks.clone(), ..Reading::default() }
    }

    /// What can be seen to be wrong before reading.
    pub(super) fn check(&self) -> Result<()> {
        if self.horizon.contains(&0) {
            return Err(Error::usage("a horizon of 0 rows is no forecast. Use `--horizon 1` or more, or leave it out"));
        }
        if let Some(at) = (1..self.horizon.len()).find(|&i| self.horizon[i] <= self.horizon[i - 1]) {
            let [before, horizon] = [self.horizon[at - 1], self.horizon[at]];
            return Err(Error::usage(format!(
                "horizon {horizon} comes after {before}. List each once, in ascending order"
            )));
        }
        if self.season == Some(0) {
            return Err(Error::usage("a season of 0 rows does not repeat. Use `--season 1` or more"));
        }
        if self.season.is_some() && self.horizon.is_empty() {
            return Err(Error::usage(
                "a season is for the baseline of forecasts. Add `--horizon`, or leave `--season` out",
            ));
        }
        let Some(time) = &self.time else { return Ok(()) };
        match time.gap {
            Some(gap) if !(gap > 0.0 && gap.is_finite()) => {
                Err(Error::usage(format!("a gap of {gap} seconds is none. Give a number above 0")))
            }
            _ => Ok(()),
        }
    }
}
