//! The LSTM layer.

use serde_json::{Map, Value, json};

mod run;

use super::activation::Activation;
use super::bidirectional::Traits;
use super::initializer::Initializer;
use super::layer::{Layer, Layout, Shape, VariableSpec, features};
use super::layer_norm_lstm::LayerNormLstm;
use super::recorder::{Recorder, Tensor};
use super::recurrence::Direction;
use super::recurrent::{Recurrent, recurrent_setters};
use super::recurrent_batch_norm_lstm::RecurrentBatchNormLstm;
use super::weight_args::RecurrentArgs;
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
    pub(crate) recurrent: Recurrent,
    unit_forget_bias: bool,
    peepholes: bool,
    coupled_gates: bool,
}

impl Lstm {
    /// An LSTM of this many units.
    pub fn new(units: usize) -> Self {
        Lstm { recurrent: Recurrent::new(units), unit_forget_bias: true, peepholes: false, coupled_gates: false }
    }

    recurrent_setters! {
        /// Of the candidate and of the cell state on its way out; tanh unless set.
        activation: Activation;

        /// Whether there is a bias (the default).
        use_bias: bool;

        /// Whether h and c after the last time step are given too, behind the output.
        return_state: bool;

        /// Whether the sequence is read from its end; outputs come in the order in which they are made, the last time step's first.
        go_backwards: bool;

        /// Whether the final states of a batch are the initial states of the next, row by row, until
        /// [`Model::reset_states`](crate::train::Model::reset_states); all batches must be equally large. Gradients do not flow from
        /// batch to batch (truncated backpropagation through time).
        stateful: bool;
    }

    /// Whether the forget gate's bias begins at 1 (the default).
    pub fn unit_forget_bias(self, unit_forget_bias: bool) -> Self {
        Lstm { unit_forget_bias, ..self }
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

    /// The same with batch normalisation in its recurrence, with moving statistics for this many time steps. Of the other options
    /// it has only `return_sequences`.
    pub fn recurrent_batch_norm(self, max_steps: usize) -> RecurrentBatchNormLstm {
        let Recurrent { units, return_sequences, .. } = self.recurrent;
        let layer = RecurrentBatchNormLstm::new(units, max_steps).return_sequences(return_sequences);
        if self.has_other_options() { layer.of_other_options() } else { layer }
    }

    /// The same with layer normalisation in its recurrence. Of the other options it has only `return_sequences`.
    pub fn layer_norm(self) -> LayerNormLstm {
        let Recurrent { units, return_sequences, .. } = self.recurrent;
        let layer = LayerNormLstm::new(units).return_sequences(return_sequences);
        if self.has_other_options() { layer.of_other_options() } else { layer }
    }

    fn has_other_options(&self) -> bool {
        *self != Lstm::new(self.recurrent.units).return_sequences(self.recurrent.return_sequences)
    }

    /// What a wrapper must know of it.
    pub(super) fn traits(&self) -> Traits {
        self.recurrent.traits()
    }

    /// Records layers as parts of Bidirectional: sequences come in the order of time, and masked steps of them are 0.
    pub(super) fn record_wrapped(directions: &[(&Lstm, Direction)], recorder: &mut Recorder) -> Vec<Vec<Tensor>> {
        let wrapped = |layer: &Lstm| Lstm { recurrent: layer.recurrent.wrapped(), ..layer.clone() };
        let directions: Vec<_> =
            directions.iter().map(|(layer, direction)| (wrapped(layer), direction.clone())).collect();
        Run::record(&directions, recorder)
    }

    /// What inputs of these shapes give.
    fn shapes(&self, class: &str, inputs: &[Shape]) -> Result<Vec<Shape>> {
        let Recurrent { units, return_sequences, return_state, stateful, .. } = self.recurrent;
        self.recurrent.check(class)?;
        let state = vec![units];
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
        if stateful && inputs.len() > 1 {
            return Err(Error::usage(format!("{class} takes an initial state or is stateful, not both")));
        }
        let output = if return_sequences { vec![steps, units] } else { state.clone() };
        let states = if return_state { vec![state.clone(), state] } else { Vec::new() };
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
        let args = &self.recurrent;
        let config = json!({
            "units": args.units,
            "activation": args.activation.name(),
            "recurrent_activation": args.recurrent_activation.name(),
            "use_bias": args.use_bias,
            "unit_forget_bias": self.unit_forget_bias,
            "return_sequences": args.return_sequences,
        });
        let mut config = config.as_object().cloned().unwrap_or_default();
        if args.dropout != 0.0 || args.recurrent_dropout != 0.0 {
            let rates = [("dropout", json!(args.dropout)), ("recurrent_dropout", json!(args.recurrent_dropout))];
            config.extend(rates.into_iter().chain([("seed", json!(args.seed))]).map(|(name, v)| (name.to_owned(), v)));
        }
        let flags = [
            ("return_state", args.return_state),
            ("go_backwards", args.go_backwards),
            ("stateful", args.stateful),
            ("zero_output_for_mask", args.zero_output_for_mask),
            ("peepholes", self.peepholes),
            ("coupled_gates", self.coupled_gates),
        ];
        config.extend(flags.into_iter().filter(|(_, on)| *on).map(|(name, on)| (name.to_owned(), on.into())));
        args.weights.write(&mut config);
        config
    }

    fn output_shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        self.shapes(self.class_name(), inputs)
    }

    fn variables(&self, inputs: &[Shape]) -> Vec<VariableSpec> {
        let Recurrent { units, use_bias, ref weights, .. } = self.recurrent;
        let gates = if self.coupled_gates { 3 } else { 4 };
        let layout = if self.coupled_gates { Layout::COUPLED } else { Layout::LSTM };
        let width = gates * units;
        let RecurrentArgs { kernel, recurrent, bias, .. } = weights;
        let mut variables = vec![
            kernel.variable("kernel", &[features(inputs), width]).laid_out(layout),
            recurrent.variable("recurrent_kernel", &[units, width]).laid_out(layout),
        ];
        if use_bias {
            let bias = bias.variable("bias", &[width]).laid_out(layout);
            let initializer = match self.unit_forget_bias {
                true => Initializer::UnitForgetBias(gates, Box::new(bias.initializer)),
                false => bias.initializer,
            };
            variables.push(VariableSpec { initializer, ..bias });
        }
        if self.peepholes {
            variables.push(VariableSpec::new("peephole_kernel", &[3, units], Initializer::GlorotUniform));
        }
        variables
    }

    fn record(&self, recorder: &mut Recorder, inputs: &[Tensor]) -> Vec<Tensor> {
        let Some(direction) = Direction::of(None, inputs, self.recurrent.go_backwards) else { return Vec::new() };
        Run::record(&[(self.clone(), direction)], recorder).into_iter().flatten().collect()
    }
}
