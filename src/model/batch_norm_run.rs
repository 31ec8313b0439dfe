//! Batch normalisation in a plan: statistics, output, gradients.

use super::batch_normalization::BatchNormalization;
use super::moving_statistics::in_place;
use super::recorder::{Recorder, Tensor};
use super::renorm::Corrected;
use super::turned_steps::TurnedSteps;
use crate::kernels::{
    BatchNorm, BatchNormApply, BatchNormApplySlots, BatchNormGrad, BatchNormGradSlots, BatchNormMask, BatchNormOutput,
    BatchNormSlots, BatchNormTask, OfVariables, Statistics,
};
use crate::plan::{ALIGNMENT, Slot};
use std::ops::Range;

/// One use of the layer in a plan.
pub(super) struct Run {
    /// Where each step has statistics of its own.
    turned: Option<TurnedSteps>,
    /// `[rows, F]`: the input, or its steps as columns.
    x: Slot,
    pub rows: usize,
    /// F, means and variances.
    pub features: usize,
    pub epsilon: f32,
    /// Whether mean and variance are the batch's; else they are the moving ones.
    pub of_batch: bool,
    /// Which rows or elements count; of the batch's statistics only.
    pub mask: Option<BatchNormMask>,
    /// `[F]`, with a mask `[2, F]`, the number of rows that count behind the means.
    pub mean: Slot,
    pub variance: Slot,
    /// Whether these lie as the moving ones do.
    pub in_place: bool,
    gamma: Option<Slot>,
    beta: Option<Slot>,
    /// With renormalisation.
    corrected: Option<Corrected>,
}

/// Room for means and variances in one buffer.
pub(super) fn statistics_of_batch(recorder: &mut Recorder, name: &str, [means, variances]: [usize; 2]) -> (Slot, Slot) {
    let at = means.next_multiple_of(ALIGNMENT);
    let both = recorder.plan.scratch(name, &[at + variances]);
    (both.range(0..means), both.range(at..at + variances))
}

impl Run {
    /// With room for what it computes.
    pub fn new(layer: &BatchNormalization, recorder: &mut Recorder, input: &Tensor) -> Run {
        let over_steps = input.steps.is_some() && [1, -2].contains(&layer.axis);
        let turned = over_steps.then(|| TurnedSteps::of(recorder, input));
        let (rows, features) = match turned {
            Some(turned) => (turned.rows(), turned.steps),
            None => (recorder.rows(input), input.features),
        };
        let x = turned.map(|turned| turned.turn(recorder, "turned_input", &input.slot));
        let of_batch = recorder.mode.is_training() && recorder.trainable;
        let mask = input.mask.as_ref().filter(|_| of_batch).map(|mask| match turned {
            Some(turned) => BatchNormMask::OfElements(turned.mask(recorder, mask)),
            None => BatchNormMask::OfRows(mask.clone()),
        });
        let in_place = match of_batch && mask.is_none() && !layer.renorm.on {
            true => in_place(recorder, features),
            false => None,
        };
        let is_in_place = in_place.is_some();
        let (mean, variance) = match in_place {
            Some(statistics) => statistics,
            None if of_batch => {
                let means = if mask.is_some() { 2 * features } else { features };
                statistics_of_batch(recorder, "statistics", [means, features])
            }
            None => (recorder.variable("moving_mean"), recorder.variable("moving_variance")),
        };
        Run {
            turned,
            x: x.unwrap_or_else(|| input.slot.clone()),
            rows,
            features,
            epsilon: layer.epsilon as f32,
            of_batch,
            mask,
            mean,
            variance,
            in_place: is_in_place,
            gamma: layer.scale.then(|| recorder.variable("gamma")),
            beta: layer.center.then(|| recorder.variable("beta")),
            corrected: (of_batch && layer.renorm.on).then(|| Corrected::new(recorder, features)),
        }
    }

    /// Records the batch's mean and variance, and with them the output where that is possible.
    fn statistics(&self, recorder: &mut Recorder, output: Option<&Slot>) {
        let plan = &mut recorder.plan;
        let chunks = plan.row_chunks(self.rows, &[self.features]);
        for range in &chunks {
            let kernel = BatchNorm {
                before: range.start as u32,
                finish: (range.end == self.rows).into(),
                ..BatchNorm::of_rows(range.len(), self.features, self.epsilon)
            };
            let (gamma, beta) = (self.gamma.clone(), self.beta.clone());
            let slots = BatchNormSlots {
                x: self.x.rows(range.clone(), self.features),
                mask: self.mask.as_ref().map(|mask| mask.rows(range.clone(), self.features)),
                mean: self.mean.clone(),
                variance: self.variance.clone(),
                output: output.map(|y| BatchNormOutput { gamma, beta, y: y.clone() }),
            };
            kernel.record(plan, slots);
        }
    }

    /// Records what renormalisation makes of them.
    fn correct(&self, layer: &BatchNormalization, recorder: &mut Recorder) {
        if let Some(corrected) = &self.corrected {
            let statistics = (self.mean.range(0..self.features), self.variance.clone());
            let variables = (self.gamma.clone(), self.beta.clone());
            corrected.record(recorder, (&layer.renorm, self.epsilon), statistics, variables);
        }
    }

    /// What multiplies x̂, and what is added to it.
    fn scale_and_offset(&self) -> (Option<Slot>, Option<Slot>) {
        match &self.corrected {
            Some(corrected) => (Some(corrected.scale.clone()), Some(corrected.offset.clone())),
            None => (self.gamma.clone(), self.beta.clone()),
        }
    }

    /// Records statistics and output.
    pub fn forward(&self, layer: &BatchNormalization, recorder: &mut Recorder, output: &Slot) {
        let y = self.turned.map_or(output.clone(), |turned| turned.room(recorder, "turned_output"));
        let at_once = recorder.plan.row_chunks(self.rows, &[self.features]).len() == 1;
        if self.of_batch && self.corrected.is_none() && at_once {
            self.statistics(recorder, Some(&y));
        } else {
            if self.of_batch {
                self.statistics(recorder, None);
                self.correct(layer, recorder);
            }
            self.apply(recorder, &y);
        }
        if let Some(turned) = self.turned {
            turned.turn_back(recorder, y, output.clone(), false);
        }
    }

    fn apply(&self, recorder: &mut Recorder, y: &Slot) {
        let features = self.features;
        let (gamma, beta) = self.scale_and_offset();
        for range in recorder.plan.row_chunks(self.rows, &[features]) {
            let apply = BatchNormApply::of_rows(range.clone(), features, self.epsilon);
            let slots = BatchNormApplySlots {
                x: self.x.rows(range.clone(), features),
                mean: self.mean.clone(),
                variance: self.variance.clone(),
                gamma: gamma.clone(),
                beta: beta.clone(),
                y: y.rows(range, features),
            };
            apply.record(&mut recorder.plan, slots);
        }
    }

    /// Records the gradients of input and variables.
    pub fn backward(&self, recorder: &mut Recorder, input: &Tensor, output: &Tensor) {
        let Some(dy) = recorder.gradient(output) else { return };
        let dy = self.turned.map_or(dy.clone(), |turned| turned.turn(recorder, "turned_gradient", &dy));
        let dx = input.differentiable.then(|| match self.turned {
            None => recorder.gradient_target(input),
            Some(turned) => (turned.room(recorder, "turned_gradient"), false),
        });
        self.gradients(recorder, &dy, dx.clone());
        if let (Some(turned), Some((turned_dx, _))) = (self.turned, dx) {
            let (dx, accumulate) = recorder.gradient_target(input);
            turned.turn_back(recorder, turned_dx, dx, accumulate);
        }
    }

    fn gradients(&self, recorder: &mut Recorder, dy: &Slot, dx: Option<(Slot, bool)>) {
        let chunks = recorder.plan.row_chunks(self.rows, &[self.features]);
        let of_rows = |slot: &Slot, range: &Range<usize>| slot.rows(range.clone(), self.features);
        let of_dx = |range: &Range<usize>| dx.as_ref().map(|(slot, _)| of_rows(slot, range));
        if !self.of_batch {
            let tasks = chunks.iter().filter_map(|range| Some((range, BatchNormTask::Input(of_dx(range)?))));
            tasks.for_each(|(range, task)| self.gradient(recorder, dy, &Statistics::Fixed, range, &dx, task));
            return;
        }
        let sums = recorder.plan.scratch("gradient_sums", &[if self.mask.is_some() { 2 } else { 3 }, self.features]);
        let statistics = match self.mask.clone() {
            Some(mask) => Statistics::OfMasked(sums.clone(), mask),
            None => Statistics::OfBatch(sums.clone()),
        };
        let variables = self.variable_gradients(recorder);
        match (&chunks[..], &dx) {
            ([all], Some((slot, _))) => {
                let task = BatchNormTask::All(variables, slot.clone());
                self.gradient(recorder, dy, &statistics, all, &dx, task);
            }
            _ => {
                let every = |recorder: &mut Recorder, task: &dyn Fn(&Range<usize>) -> Option<BatchNormTask>| {
                    let tasks = chunks.iter().filter_map(|range| Some((range, task(range)?)));
                    tasks.for_each(|(range, task)| self.gradient(recorder, dy, &statistics, range, &dx, task));
                };
                every(recorder, &|_| Some(BatchNormTask::Sums(variables.clone())));
                if dx.is_some() && self.mask.is_none() {
                    every(recorder, &|_| Some(BatchNormTask::Rest));
                }
                every(recorder, &|range| of_dx(range).map(BatchNormTask::Input));
            }
        }
        if let Some(corrected) = self.corrected.as_ref().filter(|_| self.gamma.is_some())
            && let Some(target) = recorder.variable_gradient("gamma")
        {
            corrected.gamma_gradient(recorder, sums.rows(0..2, self.features), target);
        }
    }

    /// Where the gradients of gamma and beta go; renormalisation makes gamma's from both sums.
    fn variable_gradients(&self, recorder: &mut Recorder) -> OfVariables {
        let mut target = |wanted: bool, name: &str| wanted.then(|| recorder.variable_gradient(name)).flatten();
        OfVariables {
            gamma: target(self.gamma.is_some() && self.corrected.is_none(), "gamma"),
            beta: target(self.beta.is_some(), "beta"),
        }
    }

    /// Records one run over some rows.
    fn gradient(
        &self,
        recorder: &mut Recorder,
        dy: &Slot,
        statistics: &Statistics,
        range: &Range<usize>,
        dx: &Option<(Slot, bool)>,
        task: BatchNormTask,
    ) {
        let (gamma, _) = self.scale_and_offset();
        let kernel = BatchNormGrad {
            before: (range.start > 0).into(),
            finish: (range.end == self.rows).into(),
            accumulate: dx.as_ref().is_some_and(|(_, accumulate)| *accumulate).into(),
            ..BatchNormGrad::of_rows(range.clone(), self.rows, self.features, self.epsilon)
        };
        let slots = BatchNormGradSlots {
            x: self.x.rows(range.clone(), self.features),
            dy: dy.rows(range.clone(), self.features),
            mean: self.mean.clone(),
            variance: self.variance.clone(),
            gamma,
            statistics: statistics.of_rows(range.clone(), self.features),
            task,
        };
        kernel.record(&mut recorder.plan, slots);
    }
}
