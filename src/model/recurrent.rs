//! The arguments that LSTM and GRU share.

use super::activation::Activation;
use super::bidirectional::Traits;
use super::dropout::check_rate;
use super::regularizer::Regularizer;
use super::weight_args::RecurrentArgs;
use crate::error::{Error, Result};

/// Keras's arguments of recurrent layers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Recurrent {
    pub units: usize,
    /// Of what is new.
    pub activation: Activation,
    /// Of the gates.
    pub recurrent_activation: Activation,
    pub use_bias: bool,
    pub return_sequences: bool,
    pub return_state: bool,
    pub go_backwards: bool,
    pub stateful: bool,
    pub zero_output_for_mask: bool,
    pub dropout: f64,
    pub recurrent_dropout: f64,
    pub seed: Option<u64>,
    pub weights: RecurrentArgs,
}

impl Recurrent {
    /// Keras's defaults.
    pub fn new(units: usize) -> Self {
        Recurrent {
            units,
            activation: Activation::Tanh,
            recurrent_activation: Activation::Sigmoid,
            use_bias: true,
            return_sequences: false,
            return_state: false,
            go_backwards: false,
            stateful: false,
            zero_output_for_mask: false,
            dropout: 0.0,
            recurrent_dropout: 0.0,
            seed: None,
            weights: RecurrentArgs::default(),
        }
    }

    /// What a wrapper must know of the layer.
    pub(super) fn traits(&self) -> Traits {
        let Recurrent { units, go_backwards, return_sequences, return_state, stateful, .. } = *self;
        Traits { units, go_backwards, return_sequences, return_state, stateful }
    }

    /// The same as a part of Bidirectional: sequences come in the order of time, and masked steps of them are 0.
    pub fn wrapped(&self) -> Self {
        Recurrent { zero_output_for_mask: self.return_sequences, go_backwards: false, ..self.clone() }
    }

    /// What is wrong with them whatever the inputs are.
    pub fn check(&self, class: &str) -> Result<()> {
        if self.units == 0 {
            return Err(Error::usage(format!("{class} needs units >= 1")));
        }
        [self.activation, self.recurrent_activation].iter().try_for_each(|a| a.check_of_one(class))?;
        self.weights.activity_regularizer.iter().try_for_each(Regularizer::check)?;
        check_rate(&format!("{class} dropout"), self.dropout)?;
        check_rate(&format!("{class} recurrent_dropout"), self.recurrent_dropout)
    }
}

/// The methods that set them, under Keras's names, of a layer that has them in its field `recurrent`.
macro_rules! recurrent_setters {
    (@plain $($(#[$doc:meta])* $name:ident: $kind:ty;)*) => { $(
        $(#[$doc])*
        pub fn $name(mut self, $name: $kind) -> Self {
            self.recurrent.$name = $name;
            self
        }
    )* };
    ($($(#[$doc:meta])* $name:ident: $kind:ty;)*) => {
        $crate::model::recurrent::recurrent_setters! { @plain
            $($(#[$doc])* $name: $kind;)*

            /// Whether every time step's output is given, or only the last one's (the default).
            return_sequences: bool;

            /// Whether masked time steps give 0, not the output before them.
            zero_output_for_mask: bool;

            /// Of the gates; sigmoid unless set.
            recurrent_activation: $crate::model::Activation;

            /// The share of the input's features that are dropped in training, the same in all time steps of a sequence; with
            /// `recurrent_dropout` too, each gate has its own.
            dropout: f64;

            /// The share of h that each gate does not see in training, the same in all time steps of a sequence (Gal & Ghahramani
            /// 2016).
            recurrent_dropout: f64;
        }

        /// A seed of its own for its dropout, instead of the model's.
        pub fn seed(mut self, seed: u64) -> Self {
            self.recurrent.seed = Some(seed);
            self
        }

        /// What is added to the loss for all that the layer gives (nothing by default).
        pub fn activity_regularizer(mut self, regularizer: $crate::model::Regularizer) -> Self {
            self.recurrent.weights.activity_regularizer = Some(regularizer);
            self
        }

        $crate::model::weight_args::weight_setters! {
            recurrent.weights.kernel: kernel_initializer, kernel_regularizer, kernel_constraint;
            recurrent.weights.recurrent: recurrent_initializer, recurrent_regularizer, recurrent_constraint;
            recurrent.weights.bias: bias_initializer, bias_regularizer, bias_constraint;
        }
    };
}
pub(super) use recurrent_setters;
