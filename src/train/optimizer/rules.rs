//! The optimisers and their arguments.

use super::{LearningRate, Optimizer};

/// Arguments that every optimiser of Keras has.
#[derive(Clone, Debug, PartialEq)]
pub struct Common {
    /// Before each update, w -= w · weight_decay · learning rate (Loshchilov & Hutter 2019).
    pub weight_decay: Option<f64>,
    /// Variables whose name holds one of these words, such as `bias`, keep out of the weight decay. Keras's files have no place
    /// for this: it is kept in a part of the file that Keras does not read.
    pub exclude_from_weight_decay: Vec<String>,
    /// The largest norm of each variable's gradient.
    pub clipnorm: Option<f64>,
    /// The largest norm of all gradients together.
    pub global_clipnorm: Option<f64>,
    /// The largest magnitude of an element of a gradient.
    pub clipvalue: Option<f64>,
    /// Whether a moving average of the weights is kept, which becomes the weights at the end of `fit`.
    pub use_ema: bool,
    /// How much of that average stays in each step.
    pub ema_momentum: f64,
    /// After every so many steps the average becomes the weights.
    pub ema_overwrite_frequency: Option<u32>,
    /// The weights are updated once in so many training steps, with the mean of their gradients.
    pub gradient_accumulation_steps: Option<u32>,
}

impl Default for Common {
    fn default() -> Self {
        Common {
            weight_decay: None,
            exclude_from_weight_decay: Vec::new(),
            clipnorm: None,
            global_clipnorm: None,
            clipvalue: None,
            use_ema: false,
            ema_momentum: 0.99,
            ema_overwrite_frequency: None,
            gradient_accumulation_steps: None,
        }
    }
}

/// Declares an optimiser once: its arguments, Keras's defaults, and a method that sets each.
macro_rules! optimizer {
    (
        $(#[$meta:meta])* $name:ident, learning_rate: $rate:expr, weight_decay: $decay:expr,
        { $($(#[$field_meta:meta])* $field:ident: $kind:ty = $default:expr),* $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            /// Step size: a number or a schedule.
            pub learning_rate: LearningRate,
            $($(#[$field_meta])* pub $field: $kind,)*
            /// What all optimisers have.
            pub common: Common,
        }

        impl Default for $name {
            fn default() -> Self {
                $name {
                    learning_rate: LearningRate::Constant($rate),
                    $($field: $default,)*
                    common: Common { weight_decay: $decay, ..Common::default() },
                }
            }
        }

        impl $name {
            /// Keras's defaults but for the learning rate.
            pub fn new(learning_rate: impl Into<LearningRate>) -> Self {
                $name { learning_rate: learning_rate.into(), ..$name::default() }
            }
            $($(#[$field_meta])* pub fn $field(self, $field: $kind) -> Self { $name { $field, ..self } })*
            /// Before each update, w -= w · weight_decay · learning rate (Loshchilov & Hutter 2019).
            pub fn weight_decay(mut self, weight_decay: f64) -> Self {
                self.common.weight_decay = Some(weight_decay);
                self
            }
            /// Keeps variables whose name holds one of these words, such as `bias`, out of the weight decay.
            pub fn exclude_from_weight_decay(mut self, words: &[&str]) -> Self {
                self.common.exclude_from_weight_decay = words.iter().map(|&word| word.to_owned()).collect();
                self
            }
            /// Holds each variable's gradient to this norm.
            pub fn clipnorm(mut self, norm: f64) -> Self {
                self.common.clipnorm = Some(norm);
                self
            }
            /// Holds all gradients together to this norm.
            pub fn global_clipnorm(mut self, norm: f64) -> Self {
                self.common.global_clipnorm = Some(norm);
                self
            }
            /// Holds every element of a gradient to this magnitude.
            pub fn clipvalue(mut self, value: f64) -> Self {
                self.common.clipvalue = Some(value);
                self
            }
            /// Keeps a moving average of the weights, of which so much stays in each step; it becomes the weights at the end of
            /// `fit`, and after every `overwrite_frequency` steps.
            pub fn use_ema(mut self, momentum: f64, overwrite_frequency: Option<u32>) -> Self {
                self.common.use_ema = true;
                self.common.ema_momentum = momentum;
                self.common.ema_overwrite_frequency = overwrite_frequency;
                self
            }
            /// Updates the weights once in so many training steps, 2 or more, with the mean of their gradients, as if their batches
            /// were one.
            pub fn gradient_accumulation_steps(mut self, steps: u32) -> Self {
                self.common.gradient_accumulation_steps = Some(steps);
                self
            }
        }

        impl From<$name> for Optimizer {
            fn from(optimizer: $name) -> Self {
                Optimizer::$name(optimizer)
            }
        }
    };
}

optimizer! {
    /// Adam (Kingma & Ba 2015).
    Adam, learning_rate: 1e-3, weight_decay: None,
    {
        /// Decay of the first moment.
        beta_1: f64 = 0.9,
        /// Decay of the second moment.
        beta_2: f64 = 0.999,
        /// Added to the root of the second moment.
        epsilon: f64 = 1e-7,
        /// Whether the largest second moment so far is used (Reddi et al. 2018).
        amsgrad: bool = false,
    }
}

optimizer! {
    /// Adam with decoupled weight decay (Loshchilov & Hutter 2019), 0.004 by default.
    AdamW, learning_rate: 1e-3, weight_decay: Some(0.004),
    {
        /// Decay of the first moment.
        beta_1: f64 = 0.9,
        /// Decay of the second moment.
        beta_2: f64 = 0.999,
        /// Added to the root of the second moment.
        epsilon: f64 = 1e-7,
        /// Whether the largest second moment so far is used (Reddi et al. 2018).
        amsgrad: bool = false,
    }
}

optimizer! {
    /// Stochastic gradient descent.
    Sgd, learning_rate: 1e-2, weight_decay: None,
    {
        /// How much of the velocity stays.
        momentum: f64 = 0.0,
        /// Nesterov's form of the momentum.
        nesterov: bool = false,
    }
}

optimizer! {
    /// RMSprop (Hinton 2012).
    RmsProp, learning_rate: 1e-3, weight_decay: None,
    {
        /// How much of the mean square stays.
        rho: f64 = 0.9,
        /// How much of the last change stays.
        momentum: f64 = 0.0,
        /// Added under the root.
        epsilon: f64 = 1e-7,
        /// Whether the variance takes the mean square's place.
        centered: bool = false,
    }
}

optimizer! {
    /// Adam with Nesterov's momentum (Dozat 2016).
    Nadam, learning_rate: 1e-3, weight_decay: None,
    {
        /// Decay of the first moment.
        beta_1: f64 = 0.9,
        /// Decay of the second moment.
        beta_2: f64 = 0.999,
        /// Added to the root of the second moment.
        epsilon: f64 = 1e-7,
    }
}

optimizer! {
    /// Adagrad (Duchi et al. 2011).
    Adagrad, learning_rate: 1e-3, weight_decay: None,
    {
        /// What the sum of squares begins with.
        initial_accumulator_value: f64 = 0.1,
        /// Added under the root.
        epsilon: f64 = 1e-7,
    }
}

optimizer! {
    /// Lion (Chen et al. 2023).
    Lion, learning_rate: 1e-3, weight_decay: None,
    {
        /// How much of the momentum counts for the step.
        beta_1: f64 = 0.9,
        /// How much of the momentum stays.
        beta_2: f64 = 0.99,
    }
}
