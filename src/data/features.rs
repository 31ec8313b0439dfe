//! Columns to rows of features: categories as numbers, missing values filled in, the calendar.

use super::{
    cells::Cells,
    missing,
    reading::{Categorical, Encoding, Missing, Reading, TimeFeature},
    series::Series,
    table::Column,
};

/// The features of all rows, column by column, in the order of the series.
pub(super) struct Features {
    columns: Vec<Values>,
    /// What of the calendar comes behind them, and the name of the time axis.
    cycles: Vec<(TimeFeature, String)>,
    /// How many values were filled in.
    pub filled: usize,
    one_hot: bool,
    mask: bool,
}

/// A column in numbers.
struct Values {
    name: String,
    /// The categories whose numbers these are: -1 for none of them.
    categories: Option<Vec<String>>,
    /// `[R]`; NaN where a value is missing. Empty where all are there, in a file.
    values: Vec<f32>,
}

impl Features {
    /// Takes the columns that are features; puts into `reading` which categories there are.
    pub fn of(columns: Vec<Column>, series: &Series, reading: &mut Reading) -> Features {
        let named = |column: Column| match column.cells {
            Cells::Numbers(values) => {
                Some(Values { name: column.name, categories: None, values: series.sorted(values) })
            }
            Cells::Words(words) => {
                let (categories, codes) = words.finish();
                Some(Values { name: column.name, categories: Some(categories), values: series.sorted(codes) })
            }
            Cells::Missing(_) | Cells::Dates(_) | Cells::Passed => None,
        };
        let columns: Vec<Values> = columns.into_iter().filter_map(named).collect();
        let of_words =
            |values: &Values| Some(Categorical { column: values.name.clone(), categories: values.categories.clone()? });
        reading.categorical = columns.iter().filter_map(of_words).collect();
        let name = reading.time_name().unwrap_or_default();
        let cycles = reading.time.iter().flat_map(|time| &time.features).map(|&feature| (feature, name.clone()));
        let mut features = Features {
            columns,
            cycles: cycles.collect(),
            filled: 0,
            one_hot: reading.encoding == Encoding::OneHot,
            mask: reading.missing == Missing::Mask,
        };
        features.fill(series, reading.missing);
        features
    }

    fn fill(&mut self, series: &Series, how: Missing) {
        for column in self.columns.iter_mut().filter(|column| !column.values.is_empty()) {
            for stretch in &series.stretches {
                let values = &mut column.values[stretch.clone()];
                self.filled += match (how, &column.categories) {
                    (Missing::Interpolate, None) => missing::interpolate(values),
                    (Missing::Ffill | Missing::Interpolate, _) => missing::fill_forward(values),
                    _ => 0,
                };
            }
        }
    }

    /// The columns of the table that they come from.
    pub fn sources(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.name.clone()).collect()
    }

    /// The first column of categories.
    pub fn categorical(&self) -> Option<&str> {
        self.columns.iter().find(|column| column.categories.is_some()).map(|column| column.name.as_str())
    }

    /// Their own names, `[F]`.
    pub fn names(&self) -> Vec<String> {
        let of_column = |column: &Values| match &column.categories {
            Some(categories) if self.one_hot => {
                categories.iter().map(|category| format!("{}={category}", column.name)).collect()
            }
            _ => vec![column.name.clone()],
        };
        let of_cycle = |(feature, time): &(TimeFeature, String)| {
            ["sin", "cos"].map(|part| format!("{time} {} {part}", feature.name()))
        };
        self.columns.iter().flat_map(of_column).chain(self.cycles.iter().flat_map(of_cycle)).collect()
    }

    /// For each of `steps` equal parts of a row, `[R · steps]`: whether a value of it is missing.
    pub fn missing(&self, rows: usize, steps: usize) -> Vec<bool> {
        let mut missing = vec![false; rows * steps];
        let per_step = (self.columns.len() / steps).max(1);
        for (c, column) in self.columns.iter().enumerate() {
            let step = (c / per_step).min(steps - 1);
            for (row, value) in column.values.iter().enumerate() {
                missing[row * steps + step] |= value.is_nan();
            }
        }
        missing
    }

    /// The rows `[R, F]`. Those with a missing value are NaN all over where the model is to mask them, else 0, as no sample sees them.
    pub fn rows(&self, series: &Series, missing: &[bool]) -> Vec<f32> {
        let features = self.names().len();
        let rows = self.columns.first().map_or(0, |column| column.values.len());
        let steps = missing.len() / rows.max(1);
        let mut all = Vec::with_capacity(rows * features);
        for row in 0..rows {
            let begin = all.len();
            for column in &self.columns {
                let value = column.values[row];
                match &column.categories {
                    Some(categories) if self.one_hot => {
                        all.extend((0..categories.len()).map(|i| f32::from(u8::from(i as f32 == value))));
                    }
                    _ => all.push(value),
                }
            }
            if let Some(axis) = &series.axis {
                self.cycles.iter().for_each(|(feature, _)| all.extend(axis.cycle(*feature, row)));
            }
            for (step, part) in all[begin..].chunks_mut(features.div_ceil(steps)).enumerate() {
                if missing[row * steps + step] {
                    part.fill(if self.mask { f32::NAN } else { 0.0 });
                }
            }
        }
        all
    }
}
