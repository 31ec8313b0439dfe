//! Activation functions by Keras's names.

use crate::error::{Error, Result};
use crate::kernels::activation as code;

/// An activation function of a Dense layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// x
    #[default]
    Linear,
    /// 1 / (1 + e^-x)
    Sigmoid,
    /// tanh x
    Tanh,
    /// max(x, 0)
    Relu,
}

impl Activation {
    /// All of them.
    pub const ALL: [Activation; 4] = [Activation::Linear, Activation::Sigmoid, Activation::Tanh, Activation::Relu];

    /// Keras's name.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Linear => "linear",
            Activation::Sigmoid => "sigmoid",
            Activation::Tanh => "tanh",
            Activation::Relu => "relu",
        }
    }

    /// The activation of this name.
    pub fn from_name(name: &str) -> Result<Activation> {
        Self::ALL.into_iter().find(|a| a.name() == name).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|a| a.name()).collect();
            Error::usage(format!("activation `{name}` is not supported here; there are: {}", known.join(", ")))
        })
    }

    /// The value of the kernels' override `ACTIVATION`.
    pub(crate) fn code(self) -> u32 {
        match self {
            Activation::Linear => code::LINEAR,
            Activation::Sigmoid => code::SIGMOID,
            Activation::Tanh => code::TANH,
            Activation::Relu => code::RELU,
        }
    }
}
