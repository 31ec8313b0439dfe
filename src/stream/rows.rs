//! From the fields of a line to a model's features.

use crate::data::{Categorical, Encoding, Missing, Numerals, SampleKind, canonical};
use crate::error::{Error, Result};
use crate::train::DataSpec;

/// Turns lines of a table into rows `[features]`, as the model's [`DataSpec`] says.
#[derive(Clone, Debug)]
pub struct RowReader {
    /// For each of the model's columns: its place in a line, its name, and its categories.
    columns: Vec<(usize, String, Option<Categorical>)>,
    one_hot: bool,
    fills: bool,
    new_categories: bool,
    /// What marks a missing value, instead of the usual marks.
    marks: Option<Vec<String>>,
    /// The row, and behind the first one what fills it.
    row: Vec<f32>,
    began: bool,
}

impl RowReader {
    /// For lines with these names of columns.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if a column of the model is missing, or if rows cannot be understood one by one: those of models of whole samples in
    /// a row or of series, with features of the calendar, or whose missing values are found in later rows.
    pub fn new(spec: &DataSpec, header: &[impl AsRef<str>]) -> Result<RowReader> {
        let refuse = |why: &str| Err(Error::usage(format!("rows cannot be read one by one: {why}")));
        if spec.samples != SampleKind::Window {
            return refuse("the model takes whole samples, not rows of a table");
        }
        if spec.reading.time.as_ref().is_some_and(|time| !time.features.is_empty()) {
            return refuse("the model sees features of the calendar, which are made of a whole file");
        }
        let named = |name: &String| header.iter().any(|known| known.as_ref().trim() == name);
        if let Some(group) = spec.reading.group.iter().find(|name| named(name)) {
            return refuse(&format!(
                "`{group}` tells series apart, but a stream is one series. Leave the column out, and give each a stream of its own"
            ));
        }
        let fills = match spec.reading.missing {
            Missing::Error => false,
            Missing::Ffill => true,
            Missing::Drop | Missing::Interpolate | Missing::Mask => {
                return refuse(
                    "the model was trained with other rows in the place of missing values than the last before. Train it with --missing error or ffill",
                );
            }
        };
        let column = |name: &String| {
            let at = header.iter().position(|known| known.as_ref().trim() == name);
            let known: Vec<&str> = header.iter().map(|name| name.as_ref().trim()).collect();
            let lacks =
                || Error::usage(format!("the column `{name}` is missing; the first line names: {}", known.join(", ")));
            let categories = spec.reading.categorical.iter().find(|c| c.column == *name).cloned();
            Ok((at.ok_or_else(lacks)?, name.clone(), categories))
        };
        let columns = spec.columns.iter().map(column).collect::<Result<Vec<_>>>()?;
        let one_hot = spec.reading.encoding == Encoding::OneHot;
        let width = |(_, _, categories): &(usize, String, Option<Categorical>)| match categories {
            Some(known) if one_hot => known.categories.len(),
            _ => 1,
        };
        let row = vec![0.0; columns.iter().map(width).sum()];
        let (marks, new_categories) = (spec.reading.missing_marks.clone(), spec.new_categories);
        Ok(RowReader { columns, one_hot, fills, new_categories, marks, row, began: false })
    }

    /// Numbers of a row.
    pub fn features(&self) -> usize {
        self.row.len()
    }

    /// The row of these fields.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] that names the column and the field: what is no number, no known category, or missing.
    pub fn row<'f>(&mut self, field: impl Fn(usize) -> Option<&'f str>) -> Result<&[f32]> {
        let mut at = 0;
        let mut numerals = Numerals::new(self.marks.as_deref(), b',');
        for (place, name, categories) in &self.columns {
            let text = field(*place).unwrap_or("").trim();
            let width = categories.as_ref().filter(|_| self.one_hot).map_or(1, |known| known.categories.len());
            let values = &mut self.row[at..at + width];
            at += width;
            if numerals.is_missing(text) {
                match self.fills && self.began {
                    true => continue,
                    false => return Err(Error::usage(format!("the value of `{name}` is missing"))),
                }
            }
            match categories {
                None => {
                    let wrong = |why: String| Error::usage(format!("the value of `{name}`: {why}"));
                    values[0] = numerals.number(text).map_err(|fault| wrong(fault.describe(text)))?;
                }
                Some(known) => {
                    let spelled = canonical(text).0;
                    let class = known.categories.iter().position(|category| *category == spelled);
                    if class.is_none() && !self.new_categories {
                        let names = known.categories.join(", ");
                        return Err(Error::usage(format!(
                            "`{text}` in `{name}` is a category that training did not meet; it met: {names}"
                        )));
                    }
                    match self.one_hot {
                        true => (0..).zip(values).for_each(|(i, value)| *value = f32::from(u8::from(class == Some(i)))),
                        false => values[0] = class.map_or(-1.0, |class| class as f32),
                    }
                }
            }
        }
        self.began = true;
        Ok(&self.row)
    }
}
