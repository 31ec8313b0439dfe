//! Files to data sets.
//!
//! A [`Dataset`] keeps its rows once in host memory; a sample is a start offset into them. It comes from a CSV file
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

mod arrays;
mod csv;
mod dataset;
mod labels;
mod layout;
mod lengths;
mod lines;
mod records;
pub(crate) mod spelling;
mod split;
mod statistics;
mod time;
mod ts;
mod ts_header;
mod value;
mod weights;
mod window;

#[cfg(test)]
mod tests;

pub use csv::CsvOptions;
pub use dataset::{Dataset, SampleKind};
pub use statistics::FeatureStatistics;
pub use ts::TsOptions;
