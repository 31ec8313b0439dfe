//! The LSTM layer.

use serde_json::{Map, Value, json};

mod run;

use super::activation::Activation;
use super::bidirectional::Traits;
use super::dropout::check_rate;
use super::initializer::Initializer;
use super::layer::{Layer, Layout, Shape, VariableSpec, features};
use super::layer_norm_lstm::LayerNormLstm;
use super::recorder::{Recorder, Tensor};
use super::recurrent_batch_norm_lstm::RecurrentBatchNormLstm;
use super::regularizer::Regularizer;
use super::weight_args::{RecurrentArgs, weight_setters};
use crate::error::{Error, Result};
use run::Run;

/// Long short-term memory (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000), as Keras's `LSTM`.
///
/// z = x·kernel + h·recurrent_kernel + bias, gates i, f, c, o; c' = σ(f) c + σ(i) tanh(z_c); h' = σ(o) tanh(c').
/// Input `[T, F]`, and with an initial state h and c, each `[units]`; output `[units]`, or `[T, units]` with `return_sequences`, and
/// with `return_state` h and c after the last time step.
///
/// A masked time step keeps h and c and repeats the output before it (0 before the first that counts).
#[derive(Clone, Debug, PartialEq)]
pub struct Lstm {
    units: usize,
    activation: Activation,
    recurrent_activation: Activation,
    use_bias: bool,
    unit_forget_bias: bool,
    return_sequences: bool,
    return_state: bool,
    go_backwards: bool,
    stateful: bool,
    zero_output_for_mask: bool,
    dropout: f64,
    recurrent_dropout: f64,
    seed: Option<u64>,
    pub(crate) weights: RecurrentArgs,
    peepholes: bool,
    coupled_gates: bool,
}

impl Lstm {
    /// An LSTM of this many units.
    pub fn new(units: usize) -> Self {
        Lstm {
            units,
            activation: Activation::Tanh,
            recurrent_activation: Activation::Sigmoid,
            use_bias: true,
            unit_forget_bias: true,
            return_sequences: false,
            return_state: false,
            go_backwards: false,
            stateful: false,
            zero_output_for_mask: false,
            dropout: 0.0,
            recurrent_dropout: 0.0,
            seed: None,
            weights: RecurrentArgs::default(),
            peepholes: false,
            coupled_gates: false,
        }
    }

    /// Of the candidate and of the cell state on its way out; tanh unless set.
    pub fn activation(self, activation: Activation) -> Self {
        Lstm { activation, ..self }
    }

    /// Of the gates; sigmoid unless set.
    pub fn recurrent_activation(self, recurrent_activation: Activation) -> Self {
        Lstm { recurrent_activation, ..self }
    }

    /// Whether there is a bias (the default).
    pub fn use_bias(self, use_bias: bool) -> Self {
        Lstm { use_bias, ..self }
    }

    /// Whether the forget gate's bias begins at 1 (the default).
    pub fn unit_forget_bias(self, unit_forget_bias: bool) -> Self {
        Lstm { unit_forget_bias, ..self }
    }

    /// Whether every time step's output is given, or only the last one's (the default).
    pub fn return_sequences(self, return_sequences: bool) -> Self {
        Lstm { return_sequences, ..self }
    }

    /// Whether h and c after the last time step are given too, behind the output.
    pub fn return_state(self, return_state: bool) -> Self {
        Lstm { return_state, ..self }
    }

    /// Whether the sequence is read from its end; outputs come in the order in which they are made, the last time step's first.
    pub fn go_backwards(self, go_backwards: bool) -> Self {
        Lstm { go_backwards, ..self }
    }

    /// Whether the final states of a batch are the initial states of the next, row by row, until
    /// [`Model::reset_states`](crate::train::Model::reset_states); all batches must be equally large. Gradients do not flow from
    /// batch to batch (truncated backpropagation through time).
    pub fn stateful(self, stateful: bool) -> Self {
        Lstm { stateful, ..self }
    }

    /// Whether masked time steps give 0, not the output before them.
    pub fn zero_output_for_mask(self, zero_output_for_mask: bool) -> Self {
        Lstm { zero_output_for_mask, ..self }
    }

    /// The share of the input's features that are dropped in training, the same in all time steps of a sequence; with
    /// `recurrent_dropout` too, each gate has its own.
    pub fn dropout(self, dropout: f64) -> Self {
        Lstm { dropout, ..self }
    }

    /// The share of h that each gate does not see in training, the same in all time steps of a sequence (Gal & Ghahramani 2016).
    pub fn recurrent_dropout(self, recurrent_dropout: f64) -> Self {
        Lstm { recurrent_dropout, ..self }
    }

    /// A seed of its own for its dropout, instead of the model's.
    pub fn seed(self, seed: u64) -> Self {
        Lstm { seed: Some(seed), ..self }
    }

    /// Whether the gates see the cell state: i and f that of the step before, o the new one, each with a weight for every unit
    /// (`peephole_kernel`, `[3, units]`; Gers & Schmidhuber 2000). Keras has no such layer: in its files it is one of this crate's.
    pub fn peepholes(self, peepholes: bool) -> Self {
        Lstm { peepholes, ..self }
    }

    /// Whether the input gate is 1 - f, so that a unit takes in as much as it forgets (Greff et al. 2017): `kernel`,
    /// `recurrent_kernel` and `bias` are of the three gates f, c, o. In Keras's files it is a layer of this crate's.
    pub fn coupled_gates(self, coupled_gates: bool) -> Self {
        Lstm { coupled_gates, ..self }
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

    /// The same with batch normalisation in its recurrence, with moving statistics for this many time steps. Of the other options
    /// it has only `return_sequences`.
    pub fn recurrent_batch_norm(self, max_steps: usize) -> RecurrentBatchNormLstm {
        let layer = RecurrentBatchNormLstm::new(self.units, max_steps).return_sequences(self.return_sequences);
        if self.has_other_options() { layer.of_other_options() } else { layer }
    }

    /// The same with layer normalisation in its recurrence. Of the other options it has only `return_sequences`.
    pub fn layer_norm(self) -> LayerNormLstm {
        let layer = LayerNormLstm::new(self.units).return_sequences(self.return_sequences);
        if self.has_other_options() { layer.of_other_options() } else { layer }
    }

    fn has_other_options(&self) -> bool {
        *self != Lstm::new(self.units).return_sequences(self.return_sequences)
    }

    /// What a wrapper must know of it.
    pub(super) fn traits(&self) -> Traits {
        let Lstm { units, go_backwards, return_sequences, return_state, stateful, .. } = *self;
        Traits { units, go_backwards, return_sequences, return_state, stateful }
    }

    /// Records the layer as a part of Bidirectional: sequences come in the order of time, and masked steps of them are 0.
    pub(super) fn record_wrapped(&self, recorder: &mut Recorder, inputs: &[Tensor]) -> Vec<Tensor> {
        let wrapped = Lstm { zero_output_for_mask: self.return_sequences, go_backwards: false, ..self.clone() };
        Run::record(&wrapped, recorder, inputs, self.go_backwards)
    }

    /// What inputs of these shapes give.
    fn shapes(&self, class: &str, inputs: &[Shape]) -> Result<Vec<Shape>> {
        if self.units == 0 {
            return Err(Error::usage(format!("{class} needs units >= 1")));
        }
        [self.activation, self.recurrent_activation].iter().try_for_each(|a| a.check_of_one(class))?;
        self.weights.activity_regularizer.iter().try_for_each(Regularizer::check)?;
        check_rate(&format!("{class} dropout"), self.dropout)?;
        check_rate(&format!("{class} recurrent_dropout"), self.recurrent_dropout)?;
        let state = vec![self.units];
        let steps = match inputs {
            [sequence] | [sequence, _, _] if sequence.len() == 2 => sequence[0],
            [other] => {
                return Err(Error::usage(format!(
                    "{class} takes sequences [steps, features], but gets {other:?}; an LSTM before it needs return_sequences"
                )));
            }
            others => {
                return Err(Error::usage(format!(
                    "{class} takes a sequence, or a sequence and the initial h and c, but gets {others:?}"
                )));
            }
        };
        if let Some(wrong) = inputs[1..].iter().find(|shape| **shape != state) {
            return Err(Error::usage(format!("{class} takes initial states of shape {state:?}, but gets {wrong:?}")));
        }
        if self.stateful && inputs.len() > 1 {
            return Err(Error::usage(format!("{class} takes an initial state or is stateful, not both")));
        }
        let output = if self.return_sequences { vec![steps, self.units] } else { state.clone() };
        let states = if self.return_state { vec![state.clone(), state] } else { Vec::new() };
        Ok([vec![output], states].concat())
    }
}

impl Layer for Lstm {
    fn class_name(&self) -> &'static str {
        if self.peepholes || self.coupled_gates { "PeepholeLSTM" } else { "LSTM" }
    }

    fn in_keras(&self) -> bool {
        !self.peepholes && !self.coupled_gates
    }

    fn config(&self) -> Map<String, Value> {
        let config = json!({
            "units": self.units,
            "activation": self.activation.name(),
            "recurrent_activation": self.recurrent_activation.name(),
            "use_bias": self.use_bias,
            "unit_forget_bias": self.unit_forget_bias,
            "return_sequences": self.return_sequences,
        });
        let mut config = config.as_object().cloned().unwrap_or_default();
        if self.dropout != 0.0 || self.recurrent_dropout != 0.0 {
            let rates = [("dropout", json!(self.dropout)), ("recurrent_dropout", json!(self.recurrent_dropout))];
            config.extend(rates.into_iter().chain([("seed", json!(self.seed))]).map(|(name, v)| (name.to_owned(), v)));
        }
        let flags = [
            ("return_state", self.return_state),
            ("go_backwards", self.go_backwards),
            ("stateful", self.stateful),
            ("zero_output_for_mask", self.zero_output_for_mask),
            ("peepholes", self.peepholes),
            ("coupled_gates", self.coupled_gates),
        ];
        config.extend(flags.into_iter().filter(|(_, on)| *on).map(|(name, on)| (name.to_owned(), on.into())));
        self.weights.write(&mut config);
        config
    }

    fn output_shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        self.shapes(self.class_name(), inputs)
    }

    fn variables(&self, inputs: &[Shape]) -> Vec<VariableSpec> {
        let gates = if self.coupled_gates { 3 } else { 4 };
        let layout = if self.coupled_gates { Layout::COUPLED } else { Layout::LSTM };
        let width = gates * self.units;
        let RecurrentArgs { kernel, recurrent, bias, .. } = &self.weights;
        let mut variables = vec![
            kernel.variable("kernel", &[features(inputs), width]).laid_out(layout),
            recurrent.variable("recurrent_kernel", &[self.units, width]).laid_out(layout),
        ];
        if self.use_bias {
            let bias = bias.variable("bias", &[width]).laid_out(layout);
            let initializer = match self.unit_forget_bias {
                true => Initializer::UnitForgetBias(gates, Box::new(bias.initializer)),
                false => bias.initializer,
            };
            variables.push(VariableSpec { initializer, ..bias });
        }
        if self.peepholes {
            variables.push(VariableSpec::new("peephole_kernel", &[3, self.units], Initializer::GlorotUniform));
        }
        variables
    }

    fn record(&self, recorder: &mut Recorder, inputs: &[Tensor]) -> Vec<Tensor> {
        Run::record(self, recorder, inputs, self.go_backwards)
    }
}
