//! How a model's forecasts compare with those that need no model.

use serde::Serialize;

use super::model::Model;
use crate::data::Dataset;
use crate::error::Result;

/// Errors of one way to forecast, in the target's own unit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ForecastErrors {
    /// The target's column.
    pub target: String,
    /// How many rows ahead; none for all horizons together.
    pub ahead: Option<usize>,
    /// `model`, `persistence` or `seasonal naive (N)`.
    pub by: String,
    /// The root of the mean squared error.
    pub rmse: f64,
    /// The mean absolute error.
    pub mae: f64,
    /// How many forecasts were judged: of all samples, but for a seasonal naive one that does not reach back far enough.
    pub forecasts: usize,
}

impl Model {
    /// Judges this model's forecasts, and those of the data's [baselines](Dataset::baselines), on the same samples: for each target all
    /// horizons together, then, where there are several, each. Empty where the data are no forecasts of numbers.
    ///
    /// Errors: a data set that does not fit the model, a device that fails.
    pub fn forecast_errors(&mut self, data: &Dataset) -> Result<Vec<ForecastErrors>> {
        let baselines: Vec<(&str, Vec<&[f32]>)> = data.baselines().collect();
        if baselines.is_empty() || !data.has_targets() {
            return Ok(Vec::new());
        }
        self.check_data(data, true)?;
        let predicted = self.predict_all(data)?;
        let own = ("model", predicted.iter().map(Vec::as_slice).collect());
        let ways: Vec<(&str, Vec<&[f32]>)> = std::iter::once(own).chain(baselines).collect();
        let horizon = &data.reading().horizon;
        let each =
            horizon.iter().enumerate().filter(|_| horizon.len() > 1).map(|(i, &ahead)| (Some(ahead), i, horizon.len()));
        let cuts: Vec<(Option<usize>, usize, usize)> = std::iter::once((None, 0, 1)).chain(each).collect();
        let mut all = Vec::new();
        for (t, (truth, target)) in data.all_targets().zip(data.target_names()).enumerate() {
            for &(ahead, first, step) in &cuts {
                for (by, forecasts) in &ways {
                    let pairs = forecasts[t].iter().zip(truth).skip(first).step_by(step);
                    // What a model fails to say is an error of it; what a baseline cannot know is none.
                    let (rmse, mae, forecasts) =
                        errors(pairs.filter(|(forecast, _)| *by == "model" || !forecast.is_nan()));
                    let ahead = ahead.or(if let [only] = horizon[..] { Some(only) } else { None });
                    all.push(ForecastErrors {
                        target: target.clone(),
                        ahead,
                        by: (*by).to_owned(),
                        rmse,
                        mae,
                        forecasts,
                    });
                }
            }
        }
        Ok(all)
    }
}

/// Of forecasts and the truth: not a number where there are none.
fn errors<'a>(pairs: impl Iterator<Item = (&'a f32, &'a f32)>) -> (f64, f64, usize) {
    let (mut squares, mut distances, mut count) = (0.0, 0.0, 0usize);
    for (&forecast, &truth) in pairs {
        let error = f64::from(forecast) - f64::from(truth);
        squares += error * error;
        distances += error.abs();
        count += 1;
    }
    let count_or_nan = if count > 0 { count as f64 } else { f64::NAN };
    ((squares / count_or_nan).sqrt(), distances / count_or_nan, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_those_of_the_forecasts_that_there_are() {
        assert_eq!(errors([1.0, 5.0].iter().zip(&[4.0, 1.0])), ((25.0f64 / 2.0).sqrt(), 3.5, 2));
        let (rmse, mae, count) = errors(std::iter::empty());
        assert!(rmse.is_nan() && mae.is_nan() && count == 0);
        assert!(errors([f32::NAN].iter().zip(&[1.0])).0.is_nan());
    }
}
