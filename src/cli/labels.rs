//! How well each of several labels is found.

use gatenorm::train::LabelScore;

/// A line for each label. None where there are none.
pub fn table(scores: &[LabelScore]) -> Option<String> {
    let header = "label";
    let names = scores.iter().map(|score| score.label.chars().count());
    let width = names.max()?.max(header.len());
    let first = format!("{header:width$}  accuracy  larger class");
    let line = |LabelScore { label, accuracy, majority }: &LabelScore| {
        format!("{label:width$}  {accuracy:8.4}  {majority:12.4}")
    };
    Some(std::iter::once(first).chain(scores.iter().map(line)).collect::<Vec<_>>().join("\n"))
}
