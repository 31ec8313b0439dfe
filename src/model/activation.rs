//! Activation functions by Keras's names.

use crate::error::{Error, Result};
use crate::kernels::activation as code;

/// An activation function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
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
    /// min(max(x + 3, 0), 6) / 6
    HardSigmoid,
    /// min(max(x, 0), 6)
    Relu6,
    /// x, below 0 a fifth of it
    LeakyRelu,
    /// x / (1 + |x|)
    Softsign,
    /// x, below 0 e^x - 1 (Clevert et al. 2016)
    Elu,
    /// s x, below 0 s α (e^x - 1) (Klambauer et al. 2017)
    Selu,
    /// x sigmoid(x), also called swish (Ramachandran et al. 2017)
    Silu,
    /// x Φ(x), Φ the normal distribution function (Hendrycks & Gimpel 2016)
    Gelu,
    /// e^x
    Exponential,
    /// ln(1 + e^x)
    Softplus,
    /// min(max(x, -1), 1)
    HardTanh,
    /// x tanh(ln(1 + e^x)) (Misra 2019)
    Mish,
    /// x hard_sigmoid(x), also called hard_swish (Howard et al. 2019)
    HardSilu,
    /// -ln(1 + e^-x)
    LogSigmoid,
    /// e^x / Σ e^x over the features, of Dense layers and their like only
    Softmax,
}

impl Activation {
    /// All that act on each element alone, in the order of the kernels' numbers.
    pub const ALL: [Activation; 18] = [
        Activation::Linear,
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::Relu,
        Activation::HardSigmoid,
        Activation::Relu6,
        Activation::LeakyRelu,
        Activation::Softsign,
        Activation::Elu,
        Activation::Selu,
        Activation::Silu,
        Activation::Gelu,
        Activation::Exponential,
        Activation::Softplus,
        Activation::HardTanh,
        Activation::Mish,
        Activation::HardSilu,
        Activation::LogSigmoid,
    ];

    /// Keras's name.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Linear => "linear",
            Activation::Sigmoid => "sigmoid",
            Activation::Tanh => "tanh",
            Activation::Relu => "relu",
            Activation::HardSigmoid => "hard_sigmoid",
            Activation::Relu6 => "relu6",
            Activation::LeakyRelu => "leaky_relu",
            Activation::Softsign => "softsign",
            Activation::Elu => "elu",
            Activation::Selu => "selu",
            Activation::Silu => "silu",
            Activation::Gelu => "gelu",
            Activation::Exponential => "exponential",
            Activation::Softplus => "softplus",
            Activation::HardTanh => "hard_tanh",
            Activation::Mish => "mish",
            Activation::HardSilu => "hard_silu",
            Activation::LogSigmoid => "log_sigmoid",
            Activation::Softmax => "softmax",
        }
    }

    /// The activation of this name; `swish` and `hard_swish` are second names in Keras.
    pub fn from_name(name: &str) -> Result<Activation> {
        let name = match name {
            "swish" => "silu",
            "hard_swish" => "hard_silu",
            other => other,
        };
        let all = || Self::ALL.into_iter().chain([Activation::Softmax]);
        all().find(|a| a.name() == name).ok_or_else(|| {
            let known: Vec<&str> = all().map(|a| a.name()).collect();
            Error::usage(format!("activation `{name}` is not supported here; there are: {}", known.join(", ")))
        })
    }

    /// Whether each output follows from one input, as the gates of a recurrent layer need it.
    pub(super) fn check_of_one(self, class: &str) -> Result<()> {
        match self.code() {
            Some(_) => Ok(()),
            None => {
                Err(Error::usage(format!("{class} cannot use `{}`, which looks at all features at once", self.name())))
            }
        }
    }

    /// The code of an activation that [`Activation::check_of_one`] was content with.
    pub(super) fn of_one(self) -> u32 {
        self.code().unwrap_or(code::LINEAR)
    }

    /// The value of the kernels' override `ACTIVATION`; none where it does not act on each element alone.
    pub(crate) fn code(self) -> Option<u32> {
        Some(match self {
            Activation::Linear => code::LINEAR,
            Activation::Sigmoid => code::SIGMOID,
            Activation::Tanh => code::TANH,
            Activation::Relu => code::RELU,
            Activation::HardSigmoid => code::HARD_SIGMOID,
            Activation::Relu6 => code::RELU6,
            Activation::LeakyRelu => code::LEAKY_RELU,
            Activation::Softsign => code::SOFTSIGN,
            Activation::Elu => code::ELU,
            Activation::Selu => code::SELU,
            Activation::Silu => code::SILU,
            Activation::Gelu => code::GELU,
            Activation::Exponential => code::EXPONENTIAL,
            Activation::Softplus => code::SOFTPLUS,
            Activation::HardTanh => code::HARD_TANH,
            Activation::Mish => code::MISH,
            Activation::HardSilu => code::HARD_SILU,
            Activation::LogSigmoid => code::LOG_SIGMOID,
            Activation::Softmax => return None,
        })
    }
}
