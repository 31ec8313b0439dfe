//! How unusual a sample is: the model's error on it, in units of its usual error.

use serde::{Deserialize, Serialize};

use super::model::Model;
use crate::data::{Dataset, TargetOf};
use crate::error::{Error, Result};
use crate::model::Normalization;

/// What errors a model usually makes: those on data that hold few anomalies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UsualErrors {
    /// The root of the mean squared error of each target and horizon of a forecast, in the target's unit; or of each feature of a
    /// reconstruction, in units of its deviation.
    pub rmse: Vec<f64>,
    /// The least score that is above those of 99 % of the samples.
    pub threshold: f64,
    /// How many samples tell so.
    pub samples: usize,
}

/// The share of samples that the threshold lies above.
const USUAL: f64 = 0.99;
/// Errors of models that make none.
const LEAST_RMSE: f64 = 1e-12;

/// What [`Model::anomaly_scores`] finds.
#[derive(Clone, Debug, PartialEq)]
pub struct AnomalyScores {
    /// The names of the targets, as `target+6` for 6 rows ahead, or of the features.
    pub names: Vec<String>,
    /// `[S, names]`: how far off each is, in its own unit: |y - forecast|; or the root mean square over the steps of a reconstruction.
    pub errors: Vec<f64>,
    /// `[S]`: the root mean square of the sample's errors, each in units of its usual one; about 1 where nothing is unusual.
    pub scores: Vec<f64>,
}

/// Errors of a model, not yet judged.
struct Errors {
    /// `[S, names]`
    values: Vec<f64>,
    names: Vec<String>,
    /// `[names]`: what makes an error one in its own unit.
    units: Vec<f64>,
}

impl Model {
    /// What errors it usually makes, where that was found out ([`Model::find_usual_errors`]) since it was last trained.
    pub fn usual_errors(&self) -> Option<&UsualErrors> {
        self.usual_errors.as_ref()
    }

    /// Says what errors it usually makes.
    pub fn set_usual_errors(&mut self, errors: Option<UsualErrors>) {
        self.usual_errors = errors;
    }

    /// Finds out what errors the model usually makes, on data that hold few anomalies and that it was not trained on, if there are some, and
    /// keeps that with the model for [`Model::anomaly_scores`]. Does nothing where the data are neither forecasts of numbers nor to be
    /// [reconstructed](Model::with_reconstruction).
    ///
    /// Errors: a data set that does not fit the model, a device that fails.
    pub fn find_usual_errors(&mut self, data: &Dataset) -> Result<()> {
        if !self.is_scored(data) {
            return Ok(());
        }
        let Errors { values, names, .. } = self.errors(data)?;
        let samples = data.len();
        let rmse: Vec<f64> = (0..names.len())
            .map(|k| {
                let squares: f64 = values.iter().skip(k).step_by(names.len()).map(|e| e * e).sum();
                (squares / samples as f64).sqrt().max(LEAST_RMSE)
            })
            .collect();
        let mut scores = scores(&values, &rmse);
        scores.sort_unstable_by(f64::total_cmp);
        let usual = (samples as f64 * USUAL).ceil() as usize;
        let threshold = scores[usual.clamp(1, samples) - 1];
        let known = threshold.is_finite() && rmse.iter().all(|rmse| rmse.is_finite());
        self.usual_errors = known.then_some(UsualErrors { rmse, threshold, samples });
        Ok(())
    }

    /// How unusual each sample is.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if the data are neither forecasts of numbers nor to be [reconstructed](Model::with_reconstruction), or the model does not know
    /// what errors are usual; and those of [`Model::predict`].
    pub fn anomaly_scores(&mut self, data: &Dataset) -> Result<AnomalyScores> {
        if !self.is_scored(data) {
            return Err(Error::usage(
                "anomalies are found by a forecast of numbers (`--horizon`) or a reconstruction (`--reconstruct`), and the model is neither. Train one of these",
            ));
        }
        let Some(UsualErrors { rmse, .. }) = self.usual_errors.clone() else {
            return Err(Error::usage(
                "the model does not know which errors are usual: it was saved before its training ended, or by `tune`. Train it for another epoch with `train --model`",
            ));
        };
        let Errors { mut values, names, units } = self.errors(data)?;
        if names.len() != rmse.len() {
            return Err(Error::usage(format!(
                "the model knows the usual errors of {} numbers, but the data have {}: {}",
                rmse.len(),
                names.len(),
                names.join(", ")
            )));
        }
        let scores = scores(&values, &rmse);
        values.chunks_mut(units.len()).for_each(|of| of.iter_mut().zip(&units).for_each(|(e, unit)| *e *= unit));
        Ok(AnomalyScores { names, errors: values, scores })
    }

    /// These samples with their own rows as the target, `[T, F]`, scaled as the model's `Normalization` at its front scales them, if it
    /// has one: for models that give back what they take, as autoencoders.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if the samples have targets, unequal lengths or missing values, or stay in a file.
    pub fn with_reconstruction(&mut self, data: &Dataset) -> Result<Dataset> {
        let (mean, deviation) = self.scaling(data.features())?;
        data.clone().with_own_rows_as_target(&mean, &deviation)
    }

    /// Whether what it gives for these data has an error that tells of anomalies.
    fn is_scored(&self, data: &Dataset) -> bool {
        let forecast = !data.reading().horizon.is_empty() && data.classes().is_none() && data.labels().is_none();
        let reading = data.reading().target_of == TargetOf::Input;
        data.has_targets() && !self.loss().judges_classes() && (forecast || reading)
    }

    fn errors(&mut self, data: &Dataset) -> Result<Errors> {
        self.check_data(data, true)?;
        let predicted = self.predict_all(data)?;
        if data.reading().target_of == TargetOf::Input {
            let (_, units) = self.scaling(data.features())?;
            let values = root_mean_squares(&predicted[0], data.targets(), data.steps(), data.features());
            return Ok(Errors { values, names: data.columns().to_vec(), units });
        }
        let (ahead, samples) = (&data.reading().horizon, data.len());
        let outputs = ahead.len();
        let distance = |(forecast, truth): (&f32, &f32)| (f64::from(*forecast) - f64::from(*truth)).abs();
        let of_targets: Vec<Vec<f64>> = predicted
            .iter()
            .zip(data.all_targets())
            .map(|(forecasts, truths)| forecasts.iter().zip(truths).map(distance).collect())
            .collect();
        let of_sample = |i: usize| of_targets.iter().flat_map(move |of| &of[i * outputs..][..outputs]).copied();
        let values = (0..samples).flat_map(of_sample).collect();
        let names = data.target_names().iter().flat_map(|name| ahead.iter().map(move |rows| format!("{name}+{rows}")));
        let names: Vec<String> = names.collect();
        Ok(Errors { values, units: vec![1.0; names.len()], names })
    }

    /// Mean and deviation of each feature by which its `Normalization` scales them; 0 and 1 without one.
    fn scaling(&mut self, features: usize) -> Result<(Vec<f64>, Vec<f64>)> {
        let Some(name) = self.normalization_at_front() else { return Ok((vec![0.0; features], vec![1.0; features])) };
        let (mean, variance) = (self.variable(&format!("{name}/mean"))?, self.variable(&format!("{name}/variance"))?);
        let deviation = variance.into_iter().map(|v| v.max(f64::from(Normalization::LEAST_VARIANCE)).sqrt()).collect();
        Ok((mean, deviation))
    }
}

/// `[S]`: the root mean square of errors `[S, K]` in units of the usual ones, `[K]`.
fn scores(errors: &[f64], rmse: &[f64]) -> Vec<f64> {
    let score = |of: &[f64]| {
        let squares: f64 = of.iter().zip(rmse).map(|(error, rmse)| (error / rmse).powi(2)).sum();
        (squares / rmse.len() as f64).sqrt()
    };
    errors.chunks(rmse.len().max(1)).map(score).collect()
}

/// `[S, F]` of differences `[S, T, F]`: the root mean square over the steps.
fn root_mean_squares(predicted: &[f32], truth: &[f32], steps: usize, features: usize) -> Vec<f64> {
    let samples = predicted.chunks(steps * features).zip(truth.chunks(steps * features));
    let of_sample = |(predicted, truth): (&[f32], &[f32])| {
        let mut squares = vec![0.0; features];
        for (i, (p, t)) in predicted.iter().zip(truth).enumerate() {
            squares[i % features] += (f64::from(*p) - f64::from(*t)).powi(2);
        }
        squares.into_iter().map(|sum| (sum / steps as f64).sqrt()).collect::<Vec<f64>>()
    };
    samples.flat_map(of_sample).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_is_the_root_mean_square_of_errors_in_units_of_the_usual_ones() {
        assert_eq!(scores(&[3.0, 8.0, 0.0, 2.0], &[3.0, 2.0]), [(17.0f64 / 2.0).sqrt(), 0.5f64.sqrt()]);
        assert_eq!(root_mean_squares(&[1.0, 5.0, 1.0, 9.0], &[0.0, 5.0, 2.0, 6.0], 2, 2), [1.0, 4.5f64.sqrt()]);
    }
}
