//! How unusual samples are, in words.

use gatenorm::model::grouped;
use gatenorm::train::UsualErrors;

/// What is usual, by the data that it was found on.
pub fn usual(errors: &UsualErrors, which: &str) -> String {
    let (threshold, samples) = (errors.threshold, grouped(errors.samples));
    format!("anomalies: scores above {threshold:.4}, which 99 % of {samples} {which} windows do not exceed")
}

/// How many samples were marked.
pub fn marked(count: usize, of: usize, threshold: f64) -> String {
    format!("anomalies {} of {} have scores above {threshold:.4}", grouped(count), grouped(of))
}
