//! Optimisers, with Keras's arguments and defaults.

use crate::error::{Error, Result};
use crate::kernels::StepScalars;
use crate::kernels::{self, AdamSlots, GradNorm, GradNormPartial, GradNormPartialSlots, GradNormSlots, SgdSlots};
use crate::model::{Arena, Table, buffers};
use crate::plan::{BufferSpec, Plan};

/// Adam (Kingma & Ba 2015).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// Step size.
    pub learning_rate: f64,
    /// Decay of the first moment.
    pub beta_1: f64,
    /// Decay of the second moment.
    pub beta_2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
}

impl Default for Adam {
    fn default() -> Self {
        Adam { learning_rate: 1e-3, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 }
    }
}

impl Adam {
    /// Keras's defaults but for the learning rate.
    pub fn new(learning_rate: f64) -> Self {
        Adam { learning_rate, ..Adam::default() }
    }
}

/// Stochastic gradient descent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    /// Step size.
    pub learning_rate: f64,
    /// How much of the velocity stays.
    pub momentum: f64,
    /// Nesterov's form of the momentum.
    pub nesterov: bool,
}

impl Default for Sgd {
    fn default() -> Self {
        Sgd { learning_rate: 1e-2, momentum: 0.0, nesterov: false }
    }
}

impl Sgd {
    /// Without momentum.
    pub fn new(learning_rate: f64) -> Self {
        Sgd { learning_rate, ..Sgd::default() }
    }
    /// With this momentum.
    pub fn momentum(self, momentum: f64) -> Self {
        Sgd { momentum, ..self }
    }
    /// With Nesterov's form of it.
    pub fn nesterov(self, nesterov: bool) -> Self {
        Sgd { nesterov, ..self }
    }
}

/// How gradients change the weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// Adam.
    Adam(Adam),
    /// Gradient descent.
    Sgd(Sgd),
}

impl From<Adam> for Optimizer {
    fn from(adam: Adam) -> Self {
        Optimizer::Adam(adam)
    }
}

impl From<Sgd> for Optimizer {
    fn from(sgd: Sgd) -> Self {
        Optimizer::Sgd(sgd)
    }
}

/// Elements of one block of the gradient norm: few enough blocks that one thread may join them.
const NORM_BLOCK: usize = 1024;
const NORM_BLOCKS: usize = 256;

impl Optimizer {
    /// Refuses arguments that cannot train.
    pub(super) fn check(&self) -> Result<()> {
        let unit = |name: &str, value: f64| match (0.0..1.0).contains(&value) {
            true => Ok(()),
            false => Err(Error::usage(format!("{name} must be at least 0 and less than 1, not {value}"))),
        };
        let rate = self.learning_rate();
        if !(rate.is_finite() && rate >= 0.0) {
            return Err(Error::usage(format!("the learning rate must be a number of at least 0, not {rate}")));
        }
        match self {
            Optimizer::Adam(adam) => {
                unit("beta_1", adam.beta_1)?;
                unit("beta_2", adam.beta_2)?;
                match adam.epsilon > 0.0 && adam.epsilon.is_finite() {
                    true => Ok(()),
                    false => Err(Error::usage(format!("epsilon must be above 0, not {}", adam.epsilon))),
                }
            }
            Optimizer::Sgd(sgd) => unit("momentum", sgd.momentum),
        }
    }

    /// The learning rate.
    pub fn learning_rate(&self) -> f64 {
        match self {
            Optimizer::Adam(adam) => adam.learning_rate,
            Optimizer::Sgd(sgd) => sgd.learning_rate,
        }
    }

    /// Changes the learning rate.
    pub fn set_learning_rate(&mut self, rate: f64) {
        match self {
            Optimizer::Adam(adam) => adam.learning_rate = rate,
            Optimizer::Sgd(sgd) => sgd.learning_rate = rate,
        }
    }

    /// Buffers with a number for each trainable element that the optimiser keeps, in Keras's order.
    pub fn moments(&self) -> &'static [&'static str] {
        match self {
            Optimizer::Adam(_) => &[buffers::MOMENT_1, buffers::MOMENT_2],
            Optimizer::Sgd(sgd) if sgd.momentum != 0.0 => &[buffers::MOMENT_1],
            Optimizer::Sgd(_) => &[],
        }
    }

    /// The scalars of training step `step`, from 1.
    pub(super) fn scalars(&self, step: u64) -> StepScalars {
        let learning_rate = self.learning_rate();
        let adam_rate = match self {
            Optimizer::Adam(adam) => {
                let t = step as f64;
                learning_rate * (1.0 - adam.beta_2.powf(t)).sqrt() / (1.0 - adam.beta_1.powf(t))
            }
            Optimizer::Sgd(_) => 0.0,
        };
        StepScalars { learning_rate, adam_rate, step: step as u32, ..StepScalars::default() }
    }

    /// Records the update of all weights.
    pub(super) fn record(&self, plan: &mut Plan, table: &Table) {
        let n = table.arena_len(Arena::Trainable);
        let mut arena = |name| plan.persistent(&buffers::trainable(name, table));
        let (grads, params) = (arena(buffers::GRADIENTS), arena(buffers::PARAMETERS));
        let (m, v) = match self.moments() {
            [] => (None, None),
            [m] => (Some(arena(m)), None),
            [m, v, ..] => (Some(arena(m)), Some(arena(v))),
        };
        let health = plan.persistent(&buffers::health());
        match (self, m, v) {
            (Optimizer::Adam(adam), Some(m), Some(v)) => kernels::Adam {
                n: n as u32,
                one_minus_beta_1: (1.0 - adam.beta_1) as f32,
                one_minus_beta_2: (1.0 - adam.beta_2) as f32,
                epsilon: adam.epsilon as f32,
            }
            .record(plan, AdamSlots { grads, health, params, m, v }),
            (Optimizer::Sgd(sgd), m, _) => kernels::Sgd { n: n as u32, momentum: sgd.momentum as f32 }.record(
                sgd.nesterov,
                plan,
                SgdSlots { grads, health, params, m },
            ),
            _ => plan.fail("Adam has two moments".into()),
        }
    }
}

/// Records the global gradient norm and the check that all gradients are finite.
pub(super) fn record_health(plan: &mut Plan, table: &Table) {
    let n = table.arena_len(Arena::Trainable);
    let block = n.div_ceil(NORM_BLOCKS).max(NORM_BLOCK);
    let blocks = n.div_ceil(block);
    let grads = plan.persistent(&buffers::trainable(buffers::GRADIENTS, table));
    let (squares, bad) = (plan.scratch("squares", &[blocks]), plan.scratch_u32("not_finite", &[blocks]));
    let slots = GradNormPartialSlots { grads, squares: squares.clone(), bad: bad.clone() };
    GradNormPartial { n: n as u32, block: block as u32 }.record(plan, slots);
    let norm = plan.persistent(&BufferSpec::persistent(buffers::NORM, &[1]));
    let health = plan.persistent(&buffers::health());
    GradNorm { blocks: blocks as u32 }.record(plan, GradNormSlots { squares, bad, norm, health });
}
