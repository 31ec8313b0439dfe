//! Optimisers, with Keras's arguments and defaults.

mod record;
mod rules;
mod schedule;

pub(super) use record::{average_to_weights, record_health};
pub use rules::{Adagrad, Adam, AdamW, Common, Lion, Nadam, RmsProp, Sgd};
pub use schedule::{
    CosineDecay, CosineDecayRestarts, ExponentialDecay, InverseTimeDecay, LearningRate, PiecewiseConstantDecay,
    PolynomialDecay,
};

use crate::error::{Error, Result};
use crate::kernels::StepScalars;
use crate::model::buffers;

/// How gradients change the weights.
#[derive(Clone, Debug, PartialEq)]
pub enum Optimizer {
    /// Adam.
    Adam(Adam),
    /// Adam with decoupled weight decay.
    AdamW(AdamW),
    /// Gradient descent.
    Sgd(Sgd),
    /// RMSprop.
    RmsProp(RmsProp),
    /// Adam with Nesterov's momentum.
    Nadam(Nadam),
    /// Adagrad.
    Adagrad(Adagrad),
    /// Lion.
    Lion(Lion),
}

/// A number that an optimiser keeps for each trained element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct MomentSpec {
    /// The buffer.
    pub buffer: &'static str,
    /// Keras's name.
    pub name: &'static str,
    /// What it begins with.
    pub initial: f64,
    /// A mean or sum of squares, which is never below 0.
    pub squares: bool,
}

const fn moment(buffer: &'static str, name: &'static str) -> MomentSpec {
    MomentSpec { buffer, name, initial: 0.0, squares: false }
}

const fn squares(buffer: &'static str, name: &'static str) -> MomentSpec {
    MomentSpec { squares: true, ..moment(buffer, name) }
}

/// The same field of every optimiser.
macro_rules! of_all {
    ($self:expr, $optimizer:ident => $value:expr) => {
        match $self {
            Optimizer::Adam($optimizer) => $value,
            Optimizer::AdamW($optimizer) => $value,
            Optimizer::Sgd($optimizer) => $value,
            Optimizer::RmsProp($optimizer) => $value,
            Optimizer::Nadam($optimizer) => $value,
            Optimizer::Adagrad($optimizer) => $value,
            Optimizer::Lion($optimizer) => $value,
        }
    };
}

impl Optimizer {
    /// The arguments that all optimisers have.
    pub fn common(&self) -> &Common {
        of_all!(self, optimizer => &optimizer.common)
    }

    /// The same, to change them.
    pub fn common_mut(&mut self) -> &mut Common {
        of_all!(self, optimizer => &mut optimizer.common)
    }

    /// The learning rate: a number or a schedule.
    pub fn schedule(&self) -> &LearningRate {
        of_all!(self, optimizer => &optimizer.learning_rate)
    }

    /// The learning rate; of a schedule, that of the first step.
    pub fn learning_rate(&self) -> f64 {
        self.schedule().at(0)
    }

    /// Changes the learning rate, or puts it in a schedule's place.
    pub fn set_learning_rate(&mut self, rate: impl Into<LearningRate>) {
        of_all!(self, optimizer => optimizer.learning_rate = rate.into());
    }

    /// Keras's name of its class.
    pub fn class_name(&self) -> &'static str {
        match self {
            Optimizer::Adam(_) => "Adam",
            Optimizer::AdamW(_) => "AdamW",
            Optimizer::Sgd(_) => "SGD",
            Optimizer::RmsProp(_) => "RMSprop",
            Optimizer::Nadam(_) => "Nadam",
            Optimizer::Adagrad(_) => "Adagrad",
            Optimizer::Lion(_) => "Lion",
        }
    }

    /// Refuses arguments that cannot train.
    pub(super) fn check(&self) -> Result<()> {
        self.schedule().check()?;
        match self {
            Optimizer::Adam(Adam { beta_1, beta_2, epsilon, .. })
            | Optimizer::AdamW(AdamW { beta_1, beta_2, epsilon, .. })
            | Optimizer::Nadam(Nadam { beta_1, beta_2, epsilon, .. }) => {
                unit("beta_1", *beta_1)?;
                unit("beta_2", *beta_2)?;
                above_zero("epsilon", *epsilon)?;
            }
            Optimizer::Sgd(sgd) => unit("momentum", sgd.momentum)?,
            Optimizer::RmsProp(rms) => {
                unit("rho", rms.rho)?;
                unit("momentum", rms.momentum)?;
                above_zero("epsilon", rms.epsilon)?;
            }
            Optimizer::Adagrad(adagrad) => {
                at_least_zero("initial_accumulator_value", adagrad.initial_accumulator_value)?;
                above_zero("epsilon", adagrad.epsilon)?;
            }
            Optimizer::Lion(lion) => {
                unit("beta_1", lion.beta_1)?;
                unit("beta_2", lion.beta_2)?;
            }
        }
        self.common().check()
    }

    /// What is kept for each trained element, in Keras's order: variable by variable within each group.
    pub(crate) fn moment_groups(&self) -> Vec<Vec<MomentSpec>> {
        let (m, v, third) = (buffers::MOMENT_1, buffers::MOMENT_2, buffers::MOMENT_3);
        let mut groups = Vec::new();
        if self.common().use_ema {
            groups.push(vec![moment(buffers::AVERAGE, "average")]);
        }
        if self.common().gradient_accumulation_steps.is_some() {
            groups.push(vec![moment(buffers::ACCUMULATOR, "gradient_accumulator")]);
        }
        match self {
            Optimizer::Adam(Adam { amsgrad, .. }) | Optimizer::AdamW(AdamW { amsgrad, .. }) => {
                groups.push(vec![moment(m, "momentum"), squares(v, "velocity")]);
                groups.extend(amsgrad.then(|| vec![squares(third, "velocity_hat")]));
            }
            Optimizer::Nadam(_) => groups.push(vec![moment(m, "momentum"), squares(v, "velocity")]),
            Optimizer::Sgd(sgd) => groups.extend((sgd.momentum != 0.0).then(|| vec![moment(m, "momentum")])),
            Optimizer::RmsProp(rms) => {
                groups.push(vec![squares(v, "velocity")]);
                groups.extend((rms.momentum != 0.0).then(|| vec![moment(m, "momentum")]));
                groups.extend(rms.centered.then(|| vec![moment(third, "average_gradient")]));
            }
            Optimizer::Adagrad(adagrad) => {
                let initial = adagrad.initial_accumulator_value;
                groups.push(vec![MomentSpec { initial, ..squares(v, "accumulator") }]);
            }
            Optimizer::Lion(_) => groups.push(vec![moment(m, "momentum")]),
        }
        groups
    }

    /// The same in one list.
    pub(crate) fn moments(&self) -> Vec<MomentSpec> {
        self.moment_groups().concat()
    }

    /// Updates of the weights in so many training steps: as many, or one for every `gradient_accumulation_steps` of them.
    pub fn updates(&self, steps: u64) -> u64 {
        steps / u64::from(self.common().gradient_accumulation_steps.unwrap_or(1))
    }

    /// Whether training step `step`, from 1, updates the weights.
    pub(super) fn is_update(&self, step: u64) -> bool {
        self.updates(step) > self.updates(step - 1)
    }

    /// The scalars of training step `step`, from 1. As in Keras a schedule counts steps, a bias correction counts updates.
    pub(super) fn scalars(&self, step: u64) -> StepScalars {
        let done = step.saturating_sub(1);
        let learning_rate = self.schedule().at(done);
        let scalars = StepScalars { learning_rate, step: step as u32, ..StepScalars::default() };
        let update = self.updates(done) + 1;
        let t = update as f64;
        match self {
            Optimizer::Adam(Adam { beta_1, beta_2, .. }) | Optimizer::AdamW(AdamW { beta_1, beta_2, .. }) => {
                let adam_rate = learning_rate * (1.0 - beta_2.powf(t)).sqrt() / (1.0 - beta_1.powf(t));
                StepScalars { adam_rate, ..scalars }
            }
            Optimizer::Nadam(nadam) => {
                let (u, u_next) = (nadam.momentum(update), nadam.momentum(update + 1));
                let product = nadam.momentum_product(update);
                StepScalars {
                    momentum_rate: learning_rate * u_next / (1.0 - product * u_next),
                    gradient_rate: learning_rate * (1.0 - u) / (1.0 - product),
                    variance_rate: 1.0 / (1.0 - nadam.beta_2.powf(t)),
                    ..scalars
                }
            }
            _ => scalars,
        }
    }
}

impl Nadam {
    /// The momentum of update `step`, from 1: beta_1 (1 - 0.96^step / 2).
    fn momentum(&self, step: u64) -> f64 {
        self.beta_1 * (1.0 - 0.5 * 0.96f64.powf(step as f64))
    }

    /// The product of the momenta of all updates up to this one.
    pub(crate) fn momentum_product(&self, step: u64) -> f64 {
        // From here on 0.96^step is lost beside 1.
        const LAST: u64 = 1000;
        let first = (1..=step.min(LAST)).fold(1.0, |product, i| product * self.momentum(i));
        first * self.beta_1.powf(step.saturating_sub(LAST) as f64)
    }
}

impl Common {
    fn check(&self) -> Result<()> {
        let clips =
            [("clipnorm", self.clipnorm), ("global_clipnorm", self.global_clipnorm), ("clipvalue", self.clipvalue)];
        let given: Vec<&str> = clips.iter().filter(|(_, limit)| limit.is_some()).map(|(name, _)| *name).collect();
        if let [first, second, ..] = given[..] {
            return Err(Error::usage(format!("gradients can be clipped in one way only, not by {first} and {second}")));
        }
        for (name, limit) in clips {
            above_zero(name, limit.unwrap_or(1.0))?;
        }
        at_least_zero("weight_decay", self.weight_decay.unwrap_or(0.0))?;
        if !self.exclude_from_weight_decay.is_empty() && self.weight_decay.is_none() {
            return Err(Error::usage("exclude_from_weight_decay needs a weight_decay"));
        }
        if self.use_ema && !(0.0..=1.0).contains(&self.ema_momentum) {
            return Err(Error::usage(format!("ema_momentum must be from 0 to 1, not {}", self.ema_momentum)));
        }
        if self.gradient_accumulation_steps.is_some_and(|steps| steps < 2) {
            return Err(Error::usage("gradient_accumulation_steps must be at least 2"));
        }
        if self.ema_overwrite_frequency == Some(0) {
            return Err(Error::usage("ema_overwrite_frequency must be at least 1"));
        }
        Ok(())
    }
}

fn unit(name: &str, value: f64) -> Result<()> {
    match (0.0..1.0).contains(&value) {
        true => Ok(()),
        false => Err(Error::usage(format!("{name} must be at least 0 and less than 1, not {value}"))),
    }
}

fn above_zero(name: &str, value: f64) -> Result<()> {
    match value > 0.0 && value.is_finite() {
        true => Ok(()),
        false => Err(Error::usage(format!("{name} must be above 0, not {value}"))),
    }
}

fn at_least_zero(name: &str, value: f64) -> Result<()> {
    match value >= 0.0 && value.is_finite() {
        true => Ok(()),
        false => Err(Error::usage(format!("{name} must be a number of at least 0, not {value}"))),
    }
}
