//! The BatchNormalization layer.

use serde_json::{Map, Value, json};

use super::initializer::Initializer;
use super::layer::{Layer, Shape, VariableSpec, features, single};
use super::moving_statistics::BatchStatistics;
use super::recorder::{Recorder, Tensor};
use super::weight_args::{WeightArgs, weight_setters, write_initializer};
use crate::error::{Error, Result};
use crate::kernels::{
    BLOCK_ROWS, BatchNormApply, BatchNormApplySlots, BatchNormCombine, BatchNormCombineSlots, BatchNormGrad,
    BatchNormGradRest, BatchNormGradRestSlots, BatchNormGradSlots, BatchNormGradSums, BatchNormGradSumsSlots,
    BatchNormPartial, BatchNormPartialSlots, ColumnSum, ColumnSumSlots, Copy, CopySlots, Statistics,
};
use crate::plan::Slot;

/// Batch normalisation (Ioffe & Szegedy 2015) over all axes but the last, as Keras's `BatchNormalization`.
///
/// Training uses the batch's mean and biased variance over N·T rows and moves the moving ones; inference, and a layer that is not
/// trainable, use the moving ones. Of a masked sequence only the valid steps count in mean and variance, which divide by their
/// number + 1e-7, as Keras does; all steps are normalised.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormalization {
    momentum: f64,
    epsilon: f64,
    center: bool,
    scale: bool,
    pub(crate) beta: WeightArgs,
    pub(crate) gamma: WeightArgs,
    pub(crate) moving_mean: Initializer,
    pub(crate) moving_variance: Initializer,
}

impl Default for BatchNormalization {
    fn default() -> Self {
        BatchNormalization {
            momentum: 0.99,
            epsilon: 1e-3,
            center: true,
            scale: true,
            beta: WeightArgs::new(Self::BETA),
            gamma: WeightArgs::new(Self::GAMMA),
            moving_mean: Self::MOVING_MEAN,
            moving_variance: Self::MOVING_VARIANCE,
        }
    }
}

impl BatchNormalization {
    /// Keras's default of `beta_initializer`.
    pub(crate) const BETA: Initializer = Initializer::Zeros;
    /// Keras's default of `gamma_initializer`.
    pub(crate) const GAMMA: Initializer = Initializer::Ones;
    /// Keras's default of `moving_mean_initializer`.
    pub(crate) const MOVING_MEAN: Initializer = Initializer::Zeros;
    /// Keras's default of `moving_variance_initializer`.
    pub(crate) const MOVING_VARIANCE: Initializer = Initializer::Ones;

    /// Keras's defaults: momentum 0.99, epsilon 1e-3, beta and gamma.
    pub fn new() -> Self {
        Self::default()
    }

    /// How much of the moving statistics stays at each step.
    pub fn momentum(self, momentum: f64) -> Self {
        BatchNormalization { momentum, ..self }
    }

    /// What is added to the variance.
    pub fn epsilon(self, epsilon: f64) -> Self {
        BatchNormalization { epsilon, ..self }
    }

    /// Whether beta is added.
    pub fn center(self, center: bool) -> Self {
        BatchNormalization { center, ..self }
    }

    /// Whether gamma multiplies.
    pub fn scale(self, scale: bool) -> Self {
        BatchNormalization { scale, ..self }
    }

    /// How the moving mean begins (zeros by default).
    pub fn moving_mean_initializer(self, initializer: Initializer) -> Self {
        BatchNormalization { moving_mean: initializer, ..self }
    }

    /// How the moving variance begins (ones by default).
    pub fn moving_variance_initializer(self, initializer: Initializer) -> Self {
        BatchNormalization { moving_variance: initializer, ..self }
    }

    weight_setters! {
        beta: beta_initializer, beta_regularizer, beta_constraint;
        gamma: gamma_initializer, gamma_regularizer, gamma_constraint;
    }
}

impl Layer for BatchNormalization {
    fn class_name(&self) -> &'static str {
        "BatchNormalization"
    }

    fn config(&self) -> Map<String, Value> {
        let config = json!({
            "axis": -1,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
        });
        let mut config = config.as_object().cloned().unwrap_or_default();
        self.beta.write("beta", &Self::BETA, &mut config);
        self.gamma.write("gamma", &Self::GAMMA, &mut config);
        write_initializer("moving_mean", &self.moving_mean, &Self::MOVING_MEAN, &mut config);
        write_initializer("moving_variance", &self.moving_variance, &Self::MOVING_VARIANCE, &mut config);
        config
    }

    fn output_shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        let input = single("BatchNormalization", inputs)?;
        if !(0.0..=1.0).contains(&self.momentum) {
            return Err(Error::usage(format!(
                "BatchNormalization needs a momentum from 0 to 1, not {}",
                self.momentum
            )));
        }
        if !(self.epsilon > 0.0 && self.epsilon.is_finite()) {
            return Err(Error::usage(format!("BatchNormalization needs an epsilon above 0, not {}", self.epsilon)));
        }
        match input {
            [] => {
                Err(Error::usage("BatchNormalization takes [features] or [steps, features], but gets a single number"))
            }
            shape => Ok(vec![shape.to_vec()]),
        }
    }

    fn variables(&self, inputs: &[Shape]) -> Vec<VariableSpec> {
        let shape = [features(inputs)];
        let gamma = self.scale.then(|| self.gamma.variable("gamma", &shape));
        let beta = self.center.then(|| self.beta.variable("beta", &shape));
        let moving_mean = VariableSpec::new("moving_mean", &shape, self.moving_mean.clone()).fixed();
        let moving_variance = VariableSpec::new("moving_variance", &shape, self.moving_variance.clone()).fixed();
        gamma.into_iter().chain(beta).chain([moving_mean, moving_variance]).collect()
    }

    fn record(&self, recorder: &mut Recorder, inputs: &[Tensor]) -> Vec<Tensor> {
        let [input] = inputs else { return Vec::new() };
        let run = Run::new(self, recorder, input);
        let differentiable = input.differentiable || (recorder.trainable && (self.center || self.scale));
        let mut output = recorder.new_tensor("output", input.steps, input.features, differentiable);
        output.mask = input.mask.clone();
        if run.of_batch {
            run.statistics(recorder, &input.slot);
            let statistics = BatchStatistics {
                mean: run.mean.clone(),
                variance: run.variance.clone(),
                rows: run.rows,
                masked: run.mask.is_some(),
                moving: ["moving_mean", "moving_variance"].map(str::to_owned),
                momentum: self.momentum,
            };
            statistics.follow(recorder);
        }
        run.apply(recorder, &input.slot, &output.slot);
        let (input, result) = (input.clone(), output.clone());
        recorder.on_backward(move |recorder| run.backward(recorder, &input, &output));
        vec![result]
    }
}

/// One use of the layer in a plan.
struct Run {
    rows: usize,
    features: usize,
    epsilon: f32,
    /// Whether mean and variance are the batch's; else they are the moving ones.
    of_batch: bool,
    /// `[T, N]`, which steps count; of the batch's statistics only.
    mask: Option<Slot>,
    /// `[F]`, with a mask `[F + 1]`, the last the number of rows that count.
    mean: Slot,
    variance: Slot,
    gamma: Option<Slot>,
    beta: Option<Slot>,
}

const BLOCK: usize = BLOCK_ROWS as usize;

impl Run {
    fn new(layer: &BatchNormalization, recorder: &mut Recorder, input: &Tensor) -> Run {
        let features = input.features;
        let of_batch = recorder.mode.is_training() && recorder.trainable;
        let mask = input.mask.clone().filter(|_| of_batch);
        let (mean, variance) = if of_batch {
            let means = features + usize::from(mask.is_some());
            (recorder.plan.scratch("mean", &[means]), recorder.plan.scratch("variance", &[features]))
        } else {
            (recorder.variable("moving_mean"), recorder.variable("moving_variance"))
        };
        Run {
            rows: recorder.rows(input),
            features,
            epsilon: layer.epsilon as f32,
            of_batch,
            mask,
            mean,
            variance,
            gamma: layer.scale.then(|| recorder.variable("gamma")),
            beta: layer.center.then(|| recorder.variable("beta")),
        }
    }

    fn statistics(&self, recorder: &mut Recorder, x: &Slot) {
        let (rows, features) = (self.rows, self.features);
        let plan = &mut recorder.plan;
        let blocks = rows.div_ceil(BLOCK);
        let means = plan.scratch("block_means", &[blocks, features]);
        let m2s = plan.scratch("block_m2s", &[blocks, features]);
        let counts = self.mask.as_ref().map(|_| plan.scratch("block_counts", &[blocks]));
        for range in plan.row_chunks(rows, &[features]) {
            let partial = BatchNormPartial {
                rows: range.len() as u32,
                features: features as u32,
                block_rows: BLOCK_ROWS,
                block_at: (range.start / BLOCK) as u32,
                x_at: 0,
                divide: 0,
            };
            let mask = self.mask.as_ref().map(|mask| mask.range(range.clone())).zip(counts.clone());
            let x = x.rows(range, features);
            partial.record(plan, BatchNormPartialSlots { x, mask, means: means.clone(), m2s: m2s.clone() });
        }
        let combine = BatchNormCombine { rows: rows as u32, features: features as u32, block_rows: BLOCK_ROWS };
        let (mean, variance) = (self.mean.clone(), self.variance.clone());
        combine.record(plan, BatchNormCombineSlots { means, m2s, counts, mean, variance });
    }

    fn apply(&self, recorder: &mut Recorder, x: &Slot, y: &Slot) {
        let features = self.features;
        for range in recorder.plan.row_chunks(self.rows, &[features]) {
            let apply = BatchNormApply::of_rows(range.clone(), features, self.epsilon);
            let slots = BatchNormApplySlots {
                x: x.rows(range.clone(), features),
                mean: self.mean.clone(),
                variance: self.variance.clone(),
                gamma: self.gamma.clone(),
                beta: self.beta.clone(),
                y: y.rows(range, features),
            };
            apply.record(&mut recorder.plan, slots);
        }
    }

    fn backward(&self, recorder: &mut Recorder, input: &Tensor, output: &Tensor) {
        let Some(dy) = recorder.gradient(output) else { return };
        let mut statistics = Statistics::Fixed;
        if self.of_batch {
            let sums = self.gradient_sums(recorder, &input.slot, &dy);
            for (name, wanted, row) in [("beta", self.beta.is_some(), 0), ("gamma", self.gamma.is_some(), 1)] {
                if let Some((out, accumulate)) = wanted.then(|| recorder.variable_gradient(name)).flatten() {
                    let x = sums.rows(row..row + 1, self.features);
                    Copy::record(accumulate, &mut recorder.plan, CopySlots { x, out });
                }
            }
            statistics = match self.mask.clone() {
                Some(mask) => Statistics::OfMasked(sums, mask),
                None => {
                    if input.differentiable {
                        self.gradient_rest(recorder, &input.slot, &dy, &sums);
                    }
                    Statistics::OfBatch(sums)
                }
            };
        }
        if input.differentiable {
            let (dx, accumulate) = recorder.gradient_target(input);
            self.input_gradient(recorder, &input.slot, &dy, &statistics, (&dx, accumulate));
        }
    }

    /// `[3, F]`: the sums over all rows of dy and of dy x̂, and room for what rounding leaves.
    fn gradient_sums(&self, recorder: &mut Recorder, x: &Slot, dy: &Slot) -> Slot {
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
                x: x.rows(range.clone(), features),
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
    fn gradient_rest(&self, recorder: &mut Recorder, x: &Slot, dy: &Slot, sums: &Slot) {
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
                x: x.rows(range.clone(), features),
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
        x: &Slot,
        dy: &Slot,
        statistics: &Statistics,
        (dx, accumulate): (&Slot, bool),
    ) {
        let features = self.features;
        for range in recorder.plan.row_chunks(self.rows, &[features]) {
            let kernel = BatchNormGrad::of_rows(range.clone(), self.rows, features, self.epsilon);
            let slots = BatchNormGradSlots {
                x: x.rows(range.clone(), features),
                dy: dy.rows(range.clone(), features),
                mean: self.mean.clone(),
                variance: self.variance.clone(),
                gamma: self.gamma.clone(),
                statistics: statistics.of_rows(range.clone()),
                dx: dx.rows(range, features),
            };
            BatchNormGrad { accumulate: accumulate.into(), ..kernel }.record(&mut recorder.plan, slots);
        }
    }
}
