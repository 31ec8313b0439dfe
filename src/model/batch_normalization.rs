//! The BatchNormalization layer.

use serde_json::{Map, Value, json};

use super::batch_norm_run::Run;
use super::initializer::Initializer;
use super::layer::{ANY_LENGTH, Layer, Shape, VariableSpec, single};
use super::moving_statistics::BatchStatistics;
use super::recorder::{Recorder, Tensor};
use super::renorm::Renorm;
use super::weight_args::{WeightArgs, weight_setters, write_initializer};
use crate::error::{Error, Result};

/// Batch normalisation (Ioffe & Szegedy 2015) over all axes but one, as Keras's `BatchNormalization`.
///
/// Training uses the batch's mean and biased variance over N·T rows and moves the moving ones; inference, and a layer that is not
/// trainable, use the moving ones. Of a masked sequence only the valid steps count in mean and variance, which divide by their
/// number + 1e-7, as Keras does; all steps are normalised.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormalization {
    pub(super) axis: i64,
    momentum: f64,
    pub(super) epsilon: f64,
    pub(super) center: bool,
    pub(super) scale: bool,
    pub(crate) beta: WeightArgs,
    pub(crate) gamma: WeightArgs,
    pub(crate) moving_mean: Initializer,
    pub(crate) moving_variance: Initializer,
    pub(super) renorm: Renorm,
    synchronized: bool,
}

impl Default for BatchNormalization {
    fn default() -> Self {
        BatchNormalization {
            axis: -1,
            momentum: 0.99,
            epsilon: 1e-3,
            center: true,
            scale: true,
            beta: WeightArgs::new(Self::BETA),
            gamma: WeightArgs::new(Self::GAMMA),
            moving_mean: Self::MOVING_MEAN,
            moving_variance: Self::MOVING_VARIANCE,
            renorm: Renorm::default(),
            synchronized: false,
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

    /// The axis that keeps statistics of its own, counted as in Keras with the batch's: -1, the features, by default; of sequences
    /// also 1 or -2, the steps, whose number must be fixed: then each step is normalised over the batch and all features.
    pub fn axis(self, axis: i64) -> Self {
        BatchNormalization { axis, ..self }
    }

    /// Whether statistics are those of all replicas of a distributed training. Here there is one, so that results are the same;
    /// files keep it.
    pub fn synchronized(self, synchronized: bool) -> Self {
        BatchNormalization { synchronized, ..self }
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

    /// The index in a shape without the batch axis; none where the axis is not in it.
    fn axis_in(&self, shape: &[usize]) -> Option<usize> {
        let rank = shape.len() as i64 + 1;
        let axis = if self.axis < 0 { self.axis + rank } else { self.axis };
        (1..rank).contains(&axis).then_some(axis as usize - 1)
    }

    /// Leaves what becomes of the batch's statistics for the end of the step.
    fn follow(&self, run: &Run, recorder: &mut Recorder) {
        let (mean, variance) = (run.mean.clone(), run.variance.clone());
        if self.renorm.on {
            let mean = mean.range(0..run.features);
            return self.renorm.follow(recorder, (self.momentum, run.epsilon), mean, variance);
        }
        let masked = run.mask.is_some();
        let moving = ["moving_mean", "moving_variance"].map(str::to_owned);
        let (rows, momentum, in_place) = (run.rows, self.momentum, run.in_place);
        BatchStatistics { mean, variance, rows, masked, moving, momentum, in_place }.follow(recorder);
    }
}

impl Layer for BatchNormalization {
    fn class_name(&self) -> &'static str {
        "BatchNormalization"
    }

    fn config(&self) -> Map<String, Value> {
        let config = json!({
            "axis": self.axis,
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
        self.renorm.write(&mut config);
        if self.synchronized {
            config.insert("synchronized".into(), json!(true));
        }
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
        self.renorm.check()?;
        match (input, self.axis_in(input)) {
            ([], _) => {
                Err(Error::usage("BatchNormalization takes [features] or [steps, features], but gets a single number"))
            }
            (_, None) => Err(Error::usage(format!(
                "BatchNormalization's axis {} is none of {input:?}; it is from 1, or counts from -1 backwards",
                self.axis
            ))),
            (_, Some(axis)) if input[axis] == ANY_LENGTH => Err(Error::usage(format!(
                "BatchNormalization's axis {} is the steps, whose number must be fixed: give the input a length",
                self.axis
            ))),
            (shape, _) => Ok(vec![shape.to_vec()]),
        }
    }

    fn variables(&self, inputs: &[Shape]) -> Vec<VariableSpec> {
        let input = inputs.first().map_or(&[][..], Vec::as_slice);
        let shape = [self.axis_in(input).map_or(1, |axis| input[axis])];
        let gamma = self.scale.then(|| self.gamma.variable("gamma", &shape));
        let beta = self.center.then(|| self.beta.variable("beta", &shape));
        let moving_mean = VariableSpec::new("moving_mean", &shape, self.moving_mean.clone()).fixed();
        let moving_variance = VariableSpec::new("moving_variance", &shape, self.moving_variance.clone()).fixed();
        let renorm = self.renorm.variables(&shape, &self.moving_mean, &self.moving_variance);
        gamma.into_iter().chain(beta).chain([moving_mean, moving_variance]).chain(renorm).collect()
    }

    fn record(&self, recorder: &mut Recorder, inputs: &[Tensor]) -> Vec<Tensor> {
        let [input] = inputs else { return Vec::new() };
        let run = Run::new(self, recorder, input);
        let differentiable = input.differentiable || (recorder.trainable && (self.center || self.scale));
        let mut output = recorder.new_tensor("output", input.steps, input.features, differentiable);
        output.mask = input.mask.clone();
        run.forward(self, recorder, &output.slot);
        if run.of_batch {
            self.follow(&run, recorder);
        }
        let (input, result) = (input.clone(), output.clone());
        recorder.on_backward(move |recorder| run.backward(recorder, &input, &output));
        vec![result]
    }
}
