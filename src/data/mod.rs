//! Files to data sets.
//!
//! A [`Dataset`] keeps its rows once in host memory, or leaves large ones in a file; a sample is a start offset into them. It comes from a CSV file
//! ([`Dataset::csv`]), a `.ts` file of labelled series ([`Dataset::ts`]) or arrays ([`Dataset::from_arrays`]).
//!
//! ```no_run
//! use gatenorm::data::Dataset;
//!
//! let data = Dataset::csv("room.csv").target("Occupancy").window(10).load()?;
//! let (train, test) = data.split_by_time(0.8)?;
//! println!("{} windows to train on, {} to test on", train.len(), test.len());
//! # Ok::<(), gatenorm::Error>(())
//! ```

mod arff;
mod arrays;
#[cfg(feature = "arrow")]
mod arrow_rows;
mod axis;
mod baselines;
mod cells;
mod columnar;
mod contradictions;
mod csv_rows;
mod dataset;
mod dialect;
mod features;
mod files;
mod folder;
mod gather;
mod inspect;
mod labels;
mod layout;
mod lengths;
mod lines;
mod missing;
mod npy;
mod npy_numbers;
mod options;
mod reading;
mod records;
mod row_targets;
mod rows;
mod samples;
mod sequences;
mod series;
mod series_files;
mod series_labels;
mod source;
pub(crate) mod spelling;
mod split;
mod spool;
mod statistics;
mod table;
mod time;
mod told;
mod ts;
mod ts_header;
mod ts_times;
mod value;
mod weights;
mod window;

#[cfg(test)]
mod tests;

pub use dataset::{Dataset, SampleKind};
pub(crate) use gather::Gathered;
pub use inspect::{ColumnInspection, ColumnKind, FilesInspection, Inspection, NumberInspection, TimeInspection};
pub(crate) use labels::canonical;
pub use options::TableOptions;
pub use reading::{Categorical, DateOrder, Encoding, Labelled, Missing, Reading, TargetOf, TimeAxis, TimeFeature};
pub use samples::RowCounts;
pub use sequences::SeriesOptions;
pub use split::SplitBy;
pub use statistics::FeatureStatistics;
pub(crate) use value::Numerals;

/// Milliseconds since 1970 of a date, with or without a time and its distance from UTC, as [`Dataset::split_at`] takes them. None
/// where it is no date, or day and month cannot be told apart.
pub fn moment(text: &str) -> Option<i64> {
    let moment = time::moment(text)?;
    let at = moment.day_first.filter(|_| moment.day_first == moment.month_first)?;
    Some(at - 1000 * i64::from(moment.offset.unwrap_or(0)))
}
