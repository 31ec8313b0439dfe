//! Batch normalisation in a plan: statistics, output, gradients.

use super::batch_normalization::BatchNormalization;
use super::recorder::{Recorder, Tensor};
use super::renorm::Corrected;
use super::turned_steps::TurnedSteps;
use crate::kernels::{
    BLOCK_ROWS, BatchNormApply, BatchNormApplySlots, BatchNormCombine, BatchNormCombineSlots, BatchNormGrad,
    BatchNormGradRest, BatchNormGradRestSlots, BatchNormGradSlots, BatchNormGradSums, BatchNormGradSumsSlots,
    BatchNormMask, BatchNormPartial, BatchNormPartialSlots, ColumnSum, ColumnSumSlots, Copy, CopySlots, Statistics,
};
use crate::plan::Slot;

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
    /// `[F]`, with a mask `[F + 1]` or `[2, F]`, the number of rows that count behind the means.
    pub mean: Slot,
    pub variance: Slot,
    gamma: Option<Slot>,
    beta: Option<Slot>,
    /// With renormalisation.
    corrected: Option<Corrected>,
}

const BLOCK: usize = BLOCK_ROWS as usize;

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
        let (mean, variance) = if of_batch {
            let means = features + mask.as_ref().map_or(0, |mask| mask.width(features));
            (recorder.plan.scratch("mean", &[means]), recorder.plan.scratch("variance", &[features]))
        } else {
            (recorder.variable("moving_mean"), recorder.variable("moving_variance"))
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
            gamma: layer.scale.then(|| recorder.variable("gamma")),
            beta: layer.center.then(|| recorder.variable("beta")),
            corrected: (of_batch && layer.renorm.on).then(|| Corrected::new(recorder, features)),
        }
    }

    /// Records the batch's mean and variance.
    pub fn statistics(&self, recorder: &mut Recorder) {
        let (rows, features) = (self.rows, self.features);
        let plan = &mut recorder.plan;
        let blocks = rows.div_ceil(BLOCK);
        let means = plan.scratch("block_means", &[blocks, features]);
        let m2s = plan.scratch("block_m2s", &[blocks, features]);
        let counts =
            self.mask.as_ref().map(|mask| (mask, plan.scratch("block_counts", &[blocks, mask.width(features)])));
        for range in plan.row_chunks(rows, &[features]) {
            let partial = BatchNormPartial {
                rows: range.len() as u32,
                features: features as u32,
                block_rows: BLOCK_ROWS,
                block_at: (range.start / BLOCK) as u32,
                x_at: 0,
                divide: 0,
            };
            let mask = counts.as_ref().map(|(mask, counts)| (mask.rows(range.clone(), features), counts.clone()));
            let x = self.x.rows(range, features);
            partial.record(plan, BatchNormPartialSlots { x, mask, means: means.clone(), m2s: m2s.clone() });
        }
        let combine = BatchNormCombine { rows: rows as u32, features: features as u32, block_rows: BLOCK_ROWS };
        let (mean, variance) = (self.mean.clone(), self.variance.clone());
        let counts = counts.map(|(mask, counts)| mask.like(counts));
        combine.record(plan, BatchNormCombineSlots { means, m2s, counts, mean, variance });
    }

    /// Records what renormalisation makes of them.
    pub fn correct(&self, layer: &BatchNormalization, recorder: &mut Recorder) {
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

    /// Records the output.
    pub fn forward(&self, recorder: &mut Recorder, output: &Slot) {
        match self.turned {
            None => self.apply(recorder, output),
            Some(turned) => {
                let y = turned.room(recorder, "turned_output");
                self.apply(recorder, &y);
                turned.turn_back(recorder, y, output.clone(), false);
            }
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
        let mut statistics = Statistics::Fixed;
        if self.of_batch {
            let sums = self.gradient_sums(recorder, &dy);
            self.variable_gradients(recorder, &sums);
            statistics = match self.mask.clone() {
                Some(mask) => Statistics::OfMasked(sums, mask),
                None => {
                    if input.differentiable {
                        self.gradient_rest(recorder, &dy, &sums);
                    }
                    Statistics::OfBatch(sums)
                }
            };
        }
        if input.differentiable {
            let (dx, accumulate) = recorder.gradient_target(input);
            match self.turned {
                None => self.input_gradient(recorder, &dy, &statistics, (&dx, accumulate)),
                Some(turned) => {
                    let turned_dx = turned.room(recorder, "turned_gradient");
                    self.input_gradient(recorder, &dy, &statistics, (&turned_dx, false));
                    turned.turn_back(recorder, turned_dx, dx, accumulate);
                }
            }
        }
    }

    fn variable_gradients(&self, recorder: &mut Recorder, sums: &Slot) {
        for (name, wanted, row) in [("beta", self.beta.is_some(), 0), ("gamma", self.gamma.is_some(), 1)] {
            let Some((out, accumulate)) = wanted.then(|| recorder.variable_gradient(name)).flatten() else { continue };
            match &self.corrected {
                Some(corrected) if name == "gamma" => {
                    corrected.gamma_gradient(recorder, sums.rows(0..2, self.features), (out, accumulate));
                }
                _ => {
                    let x = sums.rows(row..row + 1, self.features);
                    Copy::record(accumulate, &mut recorder.plan, CopySlots { x, out });
                }
            }
        }
    }

    /// `[3, F]`: the sums over all rows of dy and of dy x̂, and room for what rounding leaves.
    fn gradient_sums(&self, recorder: &mut Recorder, dy: &Slot) -> Slot {
        let (rows, features) = (self.rows, self.features);
        let plan = &mut recorder.plan;
        let blocks = rows.div_ceil(BLOCK);
        let partial = plan.scratch("block_sums", &[blocks, 2, features]);
        for range in plan.row_chunks(rows, &[features]) {
            let kernel = BatchNormGradSums {
                rows: range.len() as u32,
                features: features as u32,
                block_rows: BLOCK_ROWS,
                block_at: (range.start / BLOCK) as u32,
                grouped: 0,
                epsilon: self.epsilon,
                x_at: 0,
                dy_at: 0,
            };
            let slots = BatchNormGradSumsSlots {
                x: self.x.rows(range.clone(), features),
                dy: dy.rows(range, features),
                mean: self.mean.clone(),
                variance: self.variance.clone(),
                sums: partial.clone(),
            };
            kernel.record(plan, slots);
        }
        let sums = plan.scratch("gradient_sums", &[3, features]);
        let out = sums.rows(0..2, features);
        ColumnSum::record_whole([blocks, 2 * features], false, plan, ColumnSumSlots { x: partial, out });
        sums
    }

    /// Fills the third row of the sums: what rounding leaves of the sum of dx.
    fn gradient_rest(&self, recorder: &mut Recorder, dy: &Slot, sums: &Slot) {
        let (rows, features) = (self.rows, self.features);
        let plan = &mut recorder.plan;
        let blocks = rows.div_ceil(BLOCK);
        let partial = plan.scratch("block_rests", &[blocks, features]);
        for range in plan.row_chunks(rows, &[features]) {
            let kernel = BatchNormGradRest {
                rows: range.len() as u32,
                features: features as u32,
                block_rows: BLOCK_ROWS,
                block_at: (range.start / BLOCK) as u32,
                total_rows: rows as u32,
                epsilon: self.epsilon,
            };
            let slots = BatchNormGradRestSlots {
                x: self.x.rows(range.clone(), features),
                dy: dy.rows(range, features),
                mean: self.mean.clone(),
                variance: self.variance.clone(),
                sums: sums.rows(0..2, features),
                rest: partial.clone(),
            };
            kernel.record(plan, slots);
        }
        let out = sums.rows(2..3, features);
        ColumnSum::record_whole([blocks, features], false, plan, ColumnSumSlots { x: partial, out });
    }

    fn input_gradient(
        &self,
        recorder: &mut Recorder,
        dy: &Slot,
        statistics: &Statistics,
        (dx, accumulate): (&Slot, bool),
    ) {
        let features = self.features;
        let (gamma, _) = self.scale_and_offset();
        for range in recorder.plan.row_chunks(self.rows, &[features]) {
            let kernel = BatchNormGrad::of_rows(range.clone(), self.rows, features, self.epsilon);
            let slots = BatchNormGradSlots {
                x: self.x.rows(range.clone(), features),
                dy: dy.rows(range.clone(), features),
                mean: self.mean.clone(),
                variance: self.variance.clone(),
                gamma: gamma.clone(),
                statistics: statistics.of_rows(range.clone(), features),
                dx: dx.rows(range, features),
            };
            BatchNormGrad { accumulate: accumulate.into(), ..kernel }.record(&mut recorder.plan, slots);
        }
    }
}
