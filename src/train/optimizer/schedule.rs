//! Learning rates that change from step to step, with Keras's arguments and defaults. They are computed on the host.

use std::f64::consts::PI;

use crate::error::{Error, Result};

/// A learning rate: a number, or a schedule that gives it for every step.
#[derive(Clone, Debug, PartialEq)]
pub enum LearningRate {
    /// The same in all steps, until it is changed.
    Constant(f64),
    /// Falls by a factor.
    ExponentialDecay(ExponentialDecay),
    /// Falls along half a cosine.
    CosineDecay(CosineDecay),
    /// Falls along half a cosine again and again.
    CosineDecayRestarts(CosineDecayRestarts),
    /// Changes at given steps.
    PiecewiseConstantDecay(PiecewiseConstantDecay),
    /// Falls along a power.
    PolynomialDecay(PolynomialDecay),
    /// Falls as 1 / step.
    InverseTimeDecay(InverseTimeDecay),
}

impl From<f64> for LearningRate {
    fn from(rate: f64) -> Self {
        LearningRate::Constant(rate)
    }
}

/// Declares a schedule once: its arguments, those that have defaults, and a method that sets each of them.
macro_rules! schedule {
    (
        $(#[$meta:meta])* $name:ident,
        needs { $($(#[$need_meta:meta])* $need:ident: $need_kind:ty),* $(,)? }
        may { $($(#[$field_meta:meta])* $field:ident: $kind:ty = $default:expr),* $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $($(#[$need_meta])* pub $need: $need_kind,)*
            $($(#[$field_meta])* pub $field: $kind,)*
        }

        impl $name {
            /// Keras's defaults for all other arguments.
            pub fn new($($need: $need_kind),*) -> Self {
                $name { $($need,)* $($field: $default,)* }
            }
            $($(#[$field_meta])* pub fn $field(self, $field: $kind) -> Self { $name { $field, ..self } })*
        }

        impl From<$name> for LearningRate {
            fn from(schedule: $name) -> Self {
                LearningRate::$name(schedule)
            }
        }
    };
}

schedule! {
    /// initial_learning_rate · decay_rate^(step / decay_steps)
    ExponentialDecay,
    needs {
        /// The rate of the first step.
        initial_learning_rate: f64,
        /// Steps after which it has fallen by `decay_rate`.
        decay_steps: u64,
        /// The factor.
        decay_rate: f64,
    }
    may {
        /// Whether it falls only after every `decay_steps` steps.
        staircase: bool = false,
    }
}

schedule! {
    /// From the initial rate to `alpha` times it along half a cosine (Loshchilov & Hutter 2017); with a warmup, first from the initial
    /// rate to the warmup's target in a line, then down from there.
    CosineDecay,
    needs {
        /// The rate of the first step.
        initial_learning_rate: f64,
        /// Steps of the fall.
        decay_steps: u64,
    }
    may {
        /// What is left at the end, as a share of where the fall began.
        alpha: f64 = 0.0,
        /// Where the warmup leads to; none: no warmup.
        warmup_target: Option<f64> = None,
        /// Steps of the warmup.
        warmup_steps: u64 = 0,
    }
}

schedule! {
    /// Falls along half a cosine and begins again, each time over more steps (Loshchilov & Hutter 2017).
    CosineDecayRestarts,
    needs {
        /// The rate of the first step.
        initial_learning_rate: f64,
        /// Steps of the first fall.
        first_decay_steps: u64,
    }
    may {
        /// How many times as many steps each fall takes as the one before.
        t_mul: f64 = 2.0,
        /// Where each fall begins, as a share of the one before.
        m_mul: f64 = 1.0,
        /// What is left at the end of a fall, as a share of the initial rate.
        alpha: f64 = 0.0,
    }
}

schedule! {
    /// `values[0]` up to step `boundaries[0]`, `values[1]` up to `boundaries[1]`, and so on.
    PiecewiseConstantDecay,
    needs {
        /// The last step of each value but the last, in ascending order.
        boundaries: Vec<u64>,
        /// One more than boundaries.
        values: Vec<f64>,
    }
    may {}
}

schedule! {
    /// (initial_learning_rate - end_learning_rate) (1 - step / decay_steps)^power + end_learning_rate
    PolynomialDecay,
    needs {
        /// The rate of the first step.
        initial_learning_rate: f64,
        /// Steps of the fall.
        decay_steps: u64,
    }
    may {
        /// The rate after `decay_steps`.
        end_learning_rate: f64 = 1e-4,
        /// The power.
        power: f64 = 1.0,
        /// Whether it begins again, over more and more steps.
        cycle: bool = false,
    }
}

schedule! {
    /// initial_learning_rate / (1 + decay_rate · step / decay_steps)
    InverseTimeDecay,
    needs {
        /// The rate of the first step.
        initial_learning_rate: f64,
        /// Steps after which `decay_rate` has been added to the divisor.
        decay_steps: u64,
        /// What is added.
        decay_rate: f64,
    }
    may {
        /// Whether it falls only after every `decay_steps` steps.
        staircase: bool = false,
    }
}

impl LearningRate {
    /// The rate of the step after `done` steps.
    pub fn at(&self, done: u64) -> f64 {
        let step = done as f64;
        match self {
            LearningRate::Constant(rate) => *rate,
            LearningRate::ExponentialDecay(s) => {
                s.initial_learning_rate * s.decay_rate.powf(share(step, s.decay_steps, s.staircase))
            }
            LearningRate::CosineDecay(s) => s.at(step),
            LearningRate::CosineDecayRestarts(s) => s.at(step),
            LearningRate::PiecewiseConstantDecay(s) => {
                let passed = s.boundaries.iter().filter(|&&boundary| done > boundary).count();
                s.values.get(passed).copied().unwrap_or(f64::NAN)
            }
            LearningRate::PolynomialDecay(s) => s.at(step),
            LearningRate::InverseTimeDecay(s) => {
                s.initial_learning_rate / (1.0 + s.decay_rate * share(step, s.decay_steps, s.staircase))
            }
        }
    }

    /// Refuses arguments that give no learning rate.
    pub(super) fn check(&self) -> Result<()> {
        let steps = |name: &str, steps: u64| match steps {
            0 => Err(Error::usage(format!("the learning rate's {name} must be at least 1"))),
            _ => Ok(()),
        };
        let numbers: Vec<(&str, f64)> = match self {
            LearningRate::Constant(rate) => vec![("", *rate)],
            LearningRate::ExponentialDecay(s) => {
                steps("decay_steps", s.decay_steps)?;
                vec![("initial_learning_rate", s.initial_learning_rate), ("decay_rate", s.decay_rate)]
            }
            LearningRate::CosineDecay(s) => {
                steps("decay_steps", s.decay_steps)?;
                let target = s.warmup_target.unwrap_or_default();
                vec![("initial_learning_rate", s.initial_learning_rate), ("alpha", s.alpha), ("warmup_target", target)]
            }
            LearningRate::CosineDecayRestarts(s) => {
                steps("first_decay_steps", s.first_decay_steps)?;
                if !(s.t_mul.is_finite() && s.t_mul >= 1.0) {
                    return Err(Error::usage(format!("the learning rate's t_mul must be at least 1, not {}", s.t_mul)));
                }
                vec![("initial_learning_rate", s.initial_learning_rate), ("m_mul", s.m_mul), ("alpha", s.alpha)]
            }
            LearningRate::PiecewiseConstantDecay(s) => {
                if s.values.len() != s.boundaries.len() + 1 || !s.boundaries.is_sorted() {
                    return Err(Error::usage(
                        "PiecewiseConstantDecay needs boundaries in ascending order, and one value more than boundaries",
                    ));
                }
                s.values.iter().map(|&value| ("values", value)).collect()
            }
            LearningRate::PolynomialDecay(s) => {
                steps("decay_steps", s.decay_steps)?;
                let (first, last) = (s.initial_learning_rate, s.end_learning_rate);
                vec![("initial_learning_rate", first), ("end_learning_rate", last), ("power", s.power)]
            }
            LearningRate::InverseTimeDecay(s) => {
                steps("decay_steps", s.decay_steps)?;
                vec![("initial_learning_rate", s.initial_learning_rate), ("decay_rate", s.decay_rate)]
            }
        };
        match numbers.into_iter().find(|(_, value)| !(value.is_finite() && *value >= 0.0)) {
            None => Ok(()),
            Some(("", rate)) => {
                Err(Error::usage(format!("the learning rate must be a number of at least 0, not {rate}")))
            }
            Some((name, value)) => {
                Err(Error::usage(format!("the learning rate's {name} must be a number of at least 0, not {value}")))
            }
        }
    }
}

/// step / steps, or its whole part.
fn share(step: f64, steps: u64, staircase: bool) -> f64 {
    let share = step / steps as f64;
    if staircase { share.floor() } else { share }
}

/// From 1 to 0 along half a cosine.
fn half_cosine(share: f64) -> f64 {
    0.5 * (1.0 + (PI * share).cos())
}

impl CosineDecay {
    fn at(&self, step: f64) -> f64 {
        let (decay_steps, warmup_steps) = (self.decay_steps as f64, self.warmup_steps as f64);
        let decayed = |from: f64, step: f64| {
            from * ((1.0 - self.alpha) * half_cosine(step.min(decay_steps) / decay_steps) + self.alpha)
        };
        match self.warmup_target {
            None => decayed(self.initial_learning_rate, step),
            Some(target) if step < warmup_steps => {
                (target - self.initial_learning_rate) * (step / warmup_steps) + self.initial_learning_rate
            }
            Some(target) => decayed(target, step - warmup_steps),
        }
    }
}

impl CosineDecayRestarts {
    fn at(&self, step: f64) -> f64 {
        let share = step / self.first_decay_steps as f64;
        // Which fall, and how much of it is done.
        let (restarts, share) = if self.t_mul == 1.0 {
            (share.floor(), share - share.floor())
        } else {
            let restarts = ((1.0 - share * (1.0 - self.t_mul)).ln() / self.t_mul.ln()).floor();
            let length = self.t_mul.powf(restarts);
            (restarts, (share - (1.0 - length) / (1.0 - self.t_mul)) / length)
        };
        let cosine = self.m_mul.powf(restarts) * half_cosine(share);
        self.initial_learning_rate * ((1.0 - self.alpha) * cosine + self.alpha)
    }
}

impl PolynomialDecay {
    fn at(&self, step: f64) -> f64 {
        let steps = self.decay_steps as f64;
        let share = match self.cycle {
            true => step / (steps * if step == 0.0 { 1.0 } else { (step / steps).ceil() }),
            false => step.min(steps) / steps,
        };
        (self.initial_learning_rate - self.end_learning_rate) * (1.0 - share).powf(self.power) + self.end_learning_rate
    }
}
