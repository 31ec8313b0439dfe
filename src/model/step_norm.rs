//! Batch normalisation of each time step on its own, within a recurrent layer.

use std::ops::Range;

use super::batch_norm_run::statistics_of_batch;
use super::moving_statistics::BatchStatistics;
use super::recorder::Recorder;
use crate::kernels::{
    BatchNorm, BatchNormApply, BatchNormApplySlots, BatchNormGrad, BatchNormGradSlots, BatchNormOutput, BatchNormSlots,
    BatchNormTask, ColumnSum, ColumnSumSlots, Copy, CopySlots, OfVariables, Statistics,
};
use crate::plan::{Plan, Slot};

/// Batch normalisation over the N rows of each time step, with one gamma, and one beta if any, for all steps.
///
/// Of the variables `gamma_PART`, `moving_mean_PART` and `moving_variance_PART` of the layer that records.
pub(super) struct StepNorm {
    part: &'static str,
    beta_name: Option<&'static str>,
    samples: usize,
    features: usize,
    epsilon: f32,
    /// `[T, 2, F]`, the sums of dy and of dy x̂ over a step's rows; where mean and variance are the batch's.
    sums: Option<Slot>,
    /// `[groups, F]`: the batch's, for each step, or the moving ones.
    mean: Slot,
    variance: Slot,
    gamma: Slot,
    beta: Option<Slot>,
}

impl StepNorm {
    /// For tensors of T steps and N samples; in training the moving statistics are moved at the end of the step.
    pub(super) fn new(
        recorder: &mut Recorder,
        part: &'static str,
        beta_name: Option<&'static str>,
        [steps, samples]: [usize; 2],
        momentum: f64,
        epsilon: f64,
    ) -> StepNorm {
        let gamma = recorder.variable(&format!("gamma_{part}"));
        let features = gamma.len;
        let of_batch = recorder.mode.is_training() && recorder.trainable;
        let (mean, variance) = if of_batch {
            statistics_of_batch(recorder, &format!("statistics_{part}"), [steps * features; 2])
        } else {
            moving(recorder, part)
        };
        let sums = of_batch.then(|| recorder.plan.scratch(&format!("gradient_sums_{part}"), &[steps, 2, features]));
        if of_batch {
            let statistics = BatchStatistics {
                mean: mean.clone(),
                variance: variance.clone(),
                rows: samples,
                masked: false,
                moving: ["mean", "variance"].map(|name| format!("moving_{name}_{part}")),
                momentum,
                in_place: false,
            };
            statistics.follow(recorder);
        }
        let beta = beta_name.map(|name| recorder.variable(name));
        let epsilon = epsilon as f32;
        StepNorm { part, beta_name, samples, features, epsilon, sums, mean, variance, gamma, beta }
    }

    fn rows(&self, steps: &Range<usize>) -> Range<usize> {
        steps.start * self.samples..steps.end * self.samples
    }

    fn last_group(&self) -> u32 {
        (self.mean.len / self.features) as u32 - 1
    }

    /// y (+)= BN(x), rows of some steps.
    pub(super) fn forward(&self, plan: &mut Plan, steps: Range<usize>, x: &Slot, (y, accumulate): (&Slot, bool)) {
        let (rows, features) = (self.rows(&steps), self.features);
        if self.sums.is_some() {
            let kernel = BatchNorm {
                group_rows: self.samples as u32,
                group_at: steps.start as u32,
                accumulate: accumulate.into(),
                ..BatchNorm::of_rows(rows.len(), features, self.epsilon)
            };
            let (gamma, beta, y) = (Some(self.gamma.clone()), self.beta.clone(), y.clone());
            let slots = BatchNormSlots {
                x: x.clone(),
                mask: None,
                mean: self.mean.clone(),
                variance: self.variance.clone(),
                output: Some(BatchNormOutput { gamma, beta, y }),
            };
            return kernel.record(plan, slots);
        }
        let apply = BatchNormApply {
            group_rows: self.samples as u32,
            last_group: self.last_group(),
            accumulate: accumulate.into(),
            ..BatchNormApply::of_rows(rows, features, self.epsilon)
        };
        let slots = BatchNormApplySlots {
            x: x.clone(),
            mean: self.mean.clone(),
            variance: self.variance.clone(),
            gamma: Some(self.gamma.clone()),
            beta: self.beta.clone(),
            y: y.clone(),
        };
        apply.record(plan, slots);
    }

    /// dx (+)= the gradient of x, from rows of some steps of x and dy.
    pub(super) fn backward(
        &self,
        plan: &mut Plan,
        steps: Range<usize>,
        [x, dy]: [&Slot; 2],
        (dx, accumulate): (&Slot, bool),
    ) {
        let (rows, features) = (self.rows(&steps), self.features);
        let (statistics, task) = match &self.sums {
            None => (Statistics::Fixed, BatchNormTask::Input(dx.clone())),
            Some(sums) => {
                let task = BatchNormTask::All(OfVariables::default(), dx.clone());
                (Statistics::OfGroups(sums.clone()), task)
            }
        };
        let kernel = BatchNormGrad {
            group_rows: self.samples as u32,
            last_group: self.last_group(),
            accumulate: accumulate.into(),
            ..BatchNormGrad::of_rows(rows, self.samples, features, self.epsilon)
        };
        let slots = BatchNormGradSlots {
            x: x.clone(),
            dy: dy.clone(),
            mean: self.mean.clone(),
            variance: self.variance.clone(),
            gamma: Some(self.gamma.clone()),
            statistics,
            task,
        };
        kernel.record(plan, slots);
    }

    /// The gradients of gamma and beta, after `backward` of all steps.
    pub(super) fn variable_gradients(&self, recorder: &mut Recorder) {
        let Some(sums) = &self.sums else { return };
        let width = 2 * self.features;
        let total = recorder.plan.scratch(&format!("gradient_total_{}", self.part), &[2, self.features]);
        let slots = ColumnSumSlots { x: sums.clone(), out: total.clone() };
        ColumnSum::record([sums.len / width, width], false, &mut recorder.plan, slots);
        let gamma = format!("gamma_{}", self.part);
        for (row, name) in [(0, self.beta_name), (1, Some(gamma.as_str()))] {
            if let Some((out, accumulate)) = name.and_then(|name| recorder.variable_gradient(name)) {
                let x = total.rows(row..row + 1, self.features);
                Copy::record(accumulate, &mut recorder.plan, CopySlots { x, out });
            }
        }
    }
}

fn moving(recorder: &mut Recorder, part: &str) -> (Slot, Slot) {
    (recorder.variable(&format!("moving_mean_{part}")), recorder.variable(&format!("moving_variance_{part}")))
}
