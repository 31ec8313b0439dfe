//! The GRU layer.

mod run;

use serde_json::{Map, Value, json};

use super::activation::Activation;
use super::bidirectional::Traits;
use super::dropout::check_rate;
use super::layer::{Layer, Layout, Shape, VariableSpec, features};
use super::recorder::{Recorder, Tensor};
use super::regularizer::Regularizer;
use super::weight_args::{RecurrentArgs, weight_setters};
use crate::error::{Error, Result};
use run::Run;

/// Gated recurrent unit (Cho et al. 2014), as Keras's `GRU`.
///
/// z = σ(x·K_z + h·U_z), r = σ(x·K_r + h·U_r), g = tanh(x·K_g + r (h·U_g)) with `reset_after` (the default), else
/// tanh(x·K_g + (r h)·U_g), each with its bias; h' = z h + (1 - z) g. Input `[T, F]`, and with an initial state h `[units]`; output `[units]`, or
/// `[T, units]` with `return_sequences`, and with `return_state` h after the last time step. A masked time step keeps h.
#[derive(Clone, Debug, PartialEq)]
pub struct Gru {
    units: usize,
    activation: Activation,
    recurrent_activation: Activation,
    use_bias: bool,
    reset_after: bool,
    return_sequences: bool,
    return_state: bool,
    go_backwards: bool,
    stateful: bool,
    zero_output_for_mask: bool,
    dropout: f64,
    recurrent_dropout: f64,
    seed: Option<u64>,
    pub(crate) weights: RecurrentArgs,
}

impl Gru {
    /// A GRU of this many units.
    pub fn new(units: usize) -> Self {
        Gru {
            units,
            activation: Activation::Tanh,
            recurrent_activation: Activation::Sigmoid,
            use_bias: true,
            reset_after: true,
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

    /// Of the candidate; tanh unless set.
    pub fn activation(self, activation: Activation) -> Self {
        Gru { activation, ..self }
    }

    /// Of the gates; sigmoid unless set.
    pub fn recurrent_activation(self, recurrent_activation: Activation) -> Self {
        Gru { recurrent_activation, ..self }
    }

    /// Whether there is a bias (the default); with `reset_after` one for x and one for h.
    pub fn use_bias(self, use_bias: bool) -> Self {
        Gru { use_bias, ..self }
    }

    /// Whether the reset gate comes after the product of h with the recurrent kernel (the default).
    pub fn reset_after(self, reset_after: bool) -> Self {
        Gru { reset_after, ..self }
    }

    /// Whether every time step's output is given, or only the last one's (the default).
    pub fn return_sequences(self, return_sequences: bool) -> Self {
        Gru { return_sequences, ..self }
    }

    /// Whether h after the last time step is given too, behind the output.
    pub fn return_state(self, return_state: bool) -> Self {
        Gru { return_state, ..self }
    }

    /// Whether the sequence is read from its end; outputs come in the order in which they are made.
    pub fn go_backwards(self, go_backwards: bool) -> Self {
        Gru { go_backwards, ..self }
    }

    /// Whether the final state of a batch is the initial state of the next, as of [`Lstm::stateful`](super::Lstm::stateful).
    pub fn stateful(self, stateful: bool) -> Self {
        Gru { stateful, ..self }
    }

    /// Whether masked time steps give 0, not the output before them.
    pub fn zero_output_for_mask(self, zero_output_for_mask: bool) -> Self {
        Gru { zero_output_for_mask, ..self }
    }

    /// The share of the input's features that are dropped in training, the same in all time steps of a sequence; with
    /// `recurrent_dropout` too, each gate has its own.
    pub fn dropout(self, dropout: f64) -> Self {
        Gru { dropout, ..self }
    }

    /// The share of h that each gate does not see in training, the same in all time steps of a sequence.
    pub fn recurrent_dropout(self, recurrent_dropout: f64) -> Self {
        Gru { recurrent_dropout, ..self }
    }

    /// A seed of its own for its dropout, instead of the model's.
    pub fn seed(self, seed: u64) -> Self {
        Gru { seed: Some(seed), ..self }
    }

    /// What is added to the loss for all that the layer gives (nothing by default).
    pub fn activity_regularizer(mut self, regularizer: Regularizer) -> Self {
        self.weights.activity_regularizer = Some(regularizer);
        self
    }

    weight_setters! {
        weights.kernel: kernel_initializer, kernel_regularizer, kernel_constraint;
        weights.recurrent: recurrent_initializer, recurrent_regularizer, recurrent_constraint;
        weights.bias: bias_initializer, bias_regularizer, bias_constraint;
    }

    /// What a wrapper must know of it.
    pub(super) fn traits(&self) -> Traits {
        let Gru { units, go_backwards, return_sequences, return_state, stateful, .. } = *self;
        Traits { units, go_backwards, return_sequences, return_state, stateful }
    }

    /// Records the layer as a part of Bidirectional: sequences come in the order of time, and masked steps of them are 0.
    pub(super) fn record_wrapped(&self, recorder: &mut Recorder, inputs: &[Tensor]) -> Vec<Tensor> {
        let wrapped = Gru { zero_output_for_mask: self.return_sequences, go_backwards: false, ..self.clone() };
        Run::record(&wrapped, recorder, inputs, self.go_backwards)
    }
}

impl Layer for Gru {
    fn class_name(&self) -> &'static str {
        "GRU"
    }

    fn config(&self) -> Map<String, Value> {
        let config = json!({
            "units": self.units,
            "activation": self.activation.name(),
            "recurrent_activation": self.recurrent_activation.name(),
            "use_bias": self.use_bias,
            "reset_after": self.reset_after,
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
            "go_backwards": self.go_backwards,
            "stateful": self.stateful,
            "zero_output_for_mask": self.zero_output_for_mask,
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "seed": self.seed,
        });
        let mut config = config.as_object().cloned().unwrap_or_default();
        self.weights.write(&mut config);
        config
    }

    fn output_shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        if self.units == 0 {
            return Err(Error::usage("GRU needs units >= 1"));
        }
        [self.activation, self.recurrent_activation].iter().try_for_each(|a| a.check_of_one("GRU"))?;
        self.weights.activity_regularizer.iter().try_for_each(Regularizer::check)?;
        check_rate("GRU dropout", self.dropout)?;
        check_rate("GRU recurrent_dropout", self.recurrent_dropout)?;
        let state = vec![self.units];
        let steps = match inputs {
            [sequence] => sequence,
            [sequence, initial] if *initial == state && !self.stateful => sequence,
            others => {
                return Err(Error::usage(format!(
                    "GRU takes a sequence or, where it is not stateful, a sequence and an initial state of shape {state:?}, but gets {others:?}"
                )));
            }
        };
        let [steps, _] = steps[..] else {
            return Err(Error::usage(format!(
                "GRU takes sequences [steps, features], but gets {steps:?}; a recurrent layer before it needs return_sequences"
            )));
        };
        let output = if self.return_sequences { vec![steps, self.units] } else { state.clone() };
        Ok(if self.return_state { vec![output, state] } else { vec![output] })
    }

    fn variables(&self, inputs: &[Shape]) -> Vec<VariableSpec> {
        let width = 3 * self.units;
        let RecurrentArgs { kernel, recurrent, bias, .. } = &self.weights;
        let kernel = kernel.variable("kernel", &[features(inputs), width]);
        let recurrent = recurrent.variable("recurrent_kernel", &[self.units, width]);
        let bias = match self.reset_after {
            true => bias.variable("bias", &[2, width]).laid_out(Layout::GRU_BIASES),
            false => bias.variable("bias", &[width]).laid_out(Layout::GRU),
        };
        let kernels = [kernel.laid_out(Layout::GRU), recurrent.laid_out(Layout::GRU_RECURRENT)];
        kernels.into_iter().chain(self.use_bias.then_some(bias)).collect()
    }

    fn record(&self, recorder: &mut Recorder, inputs: &[Tensor]) -> Vec<Tensor> {
        Run::record(self, recorder, inputs, self.go_backwards)
    }
}
