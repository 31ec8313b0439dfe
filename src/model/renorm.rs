//! Batch renormalisation: batch normalisation corrected towards the moving statistics while it trains (Ioffe 2017).

use serde_json::{Map, Value, json};

use super::batch_normalization::BatchNormalization;
use super::layer::VariableSpec;
use super::recorder::{Mode, Recorder};
use super::table::buffers;
use crate::error::{Error, Result};
use crate::kernels::{
    RenormCorrection, RenormCorrectionSlots, RenormGrad, RenormGradSlots, RenormMoving, RenormMovingSlots, RenormScale,
    RenormScaleSlots,
};
use crate::model::Initializer;
use crate::plan::Slot;

/// Bounds of the correction; without one it is not clipped there.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RenormClipping {
    /// The largest r.
    pub rmax: Option<f64>,
    /// The least r.
    pub rmin: Option<f64>,
    /// The largest magnitude of d.
    pub dmax: Option<f64>,
}

/// Keras's `renorm*` arguments.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Renorm {
    pub on: bool,
    pub clipping: RenormClipping,
    pub momentum: f64,
}

impl Default for Renorm {
    fn default() -> Self {
        Renorm { on: false, clipping: RenormClipping::default(), momentum: 0.99 }
    }
}

impl BatchNormalization {
    /// Whether training normalises to x̂ r + d, where r and d, taken as constants, lead to moving statistics of their own (Ioffe
    /// 2017). Inference is as without.
    pub fn renorm(mut self, renorm: bool) -> Self {
        self.renorm.on = renorm;
        self
    }

    /// Bounds of r and d; of `renorm` only.
    pub fn renorm_clipping(mut self, clipping: RenormClipping) -> Self {
        self.renorm.clipping = clipping;
        self
    }

    /// How much of the correction's moving statistics stays at each step (0.99 by default); of `renorm` only.
    pub fn renorm_momentum(mut self, momentum: f64) -> Self {
        self.renorm.momentum = momentum;
        self
    }
}

impl RenormClipping {
    fn named(self) -> [(&'static str, Option<f64>); 3] {
        [("rmax", self.rmax), ("rmin", self.rmin), ("dmax", self.dmax)]
    }
}

impl Renorm {
    /// What is wrong with the arguments.
    pub fn check(&self) -> Result<()> {
        let wrong = |why: String| Err(Error::usage(format!("BatchNormalization's {why}")));
        if !self.on {
            return Ok(());
        }
        if !(0.0..=1.0).contains(&self.momentum) {
            return wrong(format!("`renorm_momentum` is {}; it must be from 0 to 1", self.momentum));
        }
        for (name, bound) in self.clipping.named() {
            if bound.is_some_and(|bound| !(bound as f32).is_finite()) {
                return wrong(format!("`renorm_clipping` has a {name} that is not finite; leave it out for no bound"));
            }
        }
        match self.clipping {
            RenormClipping { rmax: Some(rmax), rmin: Some(rmin), .. } if rmax < rmin => {
                wrong(format!("`renorm_clipping` has rmax {rmax} below rmin {rmin}"))
            }
            RenormClipping { dmax: Some(dmax), .. } if dmax < 0.0 => {
                wrong(format!("`renorm_clipping` has dmax {dmax}; it must not be below 0"))
            }
            _ => Ok(()),
        }
    }

    /// Writes the arguments into a layer's, where it renormalises.
    pub fn write(&self, config: &mut Map<String, Value>) {
        if self.on {
            let bounds = self.clipping.named().into_iter();
            let bounds: Map<String, Value> =
                bounds.filter_map(|(name, bound)| Some((name.to_owned(), json!(bound?)))).collect();
            config.insert("renorm".into(), json!(true));
            config.insert("renorm_clipping".into(), bounds.into());
            config.insert("renorm_momentum".into(), json!(self.momentum));
        }
    }

    /// What it moves beside mean and variance, whose first values are given.
    pub fn variables(&self, shape: &[usize], mean: &Initializer, variance: &Initializer) -> Vec<VariableSpec> {
        let stddev = Initializer::SquareRoot(Box::new(variance.clone()));
        let variables = [("moving_stddev", &stddev), ("renorm_mean", mean), ("renorm_stddev", &stddev)];
        let variables = variables.map(|(name, first)| VariableSpec::new(name, shape, first.clone()).fixed());
        variables.into_iter().filter(|_| self.on).collect()
    }

    /// Moves the statistics of inference and of the correction once the step is known to be healthy.
    pub fn follow(self, recorder: &mut Recorder, (momentum, epsilon): (f64, f32), mean: Slot, variance: Slot) {
        if recorder.mode == Mode::Statistics {
            let why = "a BatchNormalization with renorm has no statistics of a whole data set, since its moving ones belong \
                       together; leave them to training";
            return recorder.plan.fail(why.into());
        }
        let kernel = RenormMoving {
            features: mean.len as u32,
            epsilon,
            momentum: momentum as f32,
            one_minus_momentum: (1.0 - momentum) as f32,
            renorm_momentum: self.momentum as f32,
            one_minus_renorm_momentum: (1.0 - self.momentum) as f32,
        };
        recorder.on_healthy(move |recorder| {
            let names = ["moving_mean", "moving_variance", "moving_stddev", "renorm_mean", "renorm_stddev"];
            let [moving_mean, moving_variance, moving_stddev, renorm_mean, renorm_stddev] =
                names.map(|name| recorder.variable(name));
            let health = recorder.plan.persistent(&buffers::health());
            let slots = RenormMovingSlots {
                mean,
                variance,
                health,
                moving_mean,
                moving_variance,
                moving_stddev,
                renorm_mean,
                renorm_stddev,
            };
            kernel.record(&mut recorder.plan, slots);
        });
    }
}

/// r and d of one use of the layer in training, and what they make of gamma and beta.
pub(super) struct Corrected {
    /// `[2, F]`: r, d
    correction: Slot,
    /// `[F]`: gamma r
    pub scale: Slot,
    /// `[F]`: gamma d + beta
    pub offset: Slot,
}

impl Corrected {
    /// Makes room for so many features.
    pub fn new(recorder: &mut Recorder, features: usize) -> Self {
        let correction = recorder.plan.scratch("correction", &[2, features]);
        let [scale, offset] = ["scale", "offset"].map(|name| recorder.plan.scratch(name, &[features]));
        Corrected { correction, scale, offset }
    }

    /// From the batch's mean and variance.
    pub fn record(
        &self,
        recorder: &mut Recorder,
        (renorm, epsilon): (&Renorm, f32),
        (mean, variance): (Slot, Slot),
        (gamma, beta): (Option<Slot>, Option<Slot>),
    ) {
        let bound = |bound: Option<f64>, none: f32| bound.map_or(none, |bound| bound as f32);
        let features = self.scale.len as u32;
        let kernel = RenormCorrection {
            features,
            epsilon,
            r_min: bound(renorm.clipping.rmin, 0.0),
            r_max: bound(renorm.clipping.rmax, f32::MAX),
            d_max: bound(renorm.clipping.dmax, f32::MAX),
        };
        let [renorm_mean, renorm_stddev] = ["renorm_mean", "renorm_stddev"].map(|name| recorder.variable(name));
        let correction = self.correction.clone();
        let slots = RenormCorrectionSlots { mean, variance, renorm_mean, renorm_stddev, correction };
        kernel.record(&mut recorder.plan, slots);
        let (correction, scale, offset) = (self.correction.clone(), self.scale.clone(), self.offset.clone());
        let slots = RenormScaleSlots { correction, gamma, beta, scale, offset };
        RenormScale { features }.record(&mut recorder.plan, slots);
    }

    /// Gamma's gradient from the sums over all rows of dy and of dy x̂, `[2, F]`.
    pub fn gamma_gradient(&self, recorder: &mut Recorder, sums: Slot, (dgamma, accumulate): (Slot, bool)) {
        let correction = self.correction.clone();
        RenormGrad::record(accumulate, &mut recorder.plan, RenormGradSlots { correction, sums, dgamma });
    }
}
