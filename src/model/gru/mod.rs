//! The GRU layer.

mod run;

use serde_json::{Map, Value, json};

use super::activation::Activation;
use super::bidirectional::Traits;
use super::layer::{Layer, Layout, Shape, VariableSpec, features};
use super::recorder::{Recorder, Tensor};
use super::recurrence::Direction;
use super::recurrent::{Recurrent, recurrent_setters};
use super::weight_args::RecurrentArgs;
use crate::error::{Error, Result};
use run::Run;

/// Gated recurrent unit (Cho et al. 2014), as Keras's `GRU`.
///
/// z = σ(x·K_z + h·U_z), r = σ(x·K_r + h·U_r), g = tanh(x·K_g + r (h·U_g)) with `reset_after` (the default), else
/// tanh(x·K_g + (r h)·U_g), each with its bias; h' = z h + (1 - z) g. Input `[T, F]`, and with an initial state h `[units]`; output `[units]`, or
/// `[T, units]` with `return_sequences`, and with `return_state` h after the last time step. A masked time step keeps h.
#[derive(Clone, Debug, PartialEq)]
pub struct Gru {
    pub(crate) recurrent: Recurrent,
    reset_after: bool,
}

impl Gru {
    /// A GRU of this many units.
    pub fn new(units: usize) -> Self {
        Gru { recurrent: Recurrent::new(units), reset_after: true }
    }

    recurrent_setters! {
        /// Of the candidate; tanh unless set.
        activation: Activation;

        /// Whether there is a bias (the default); with `reset_after` one for x and one for h.
        use_bias: bool;

        /// Whether h after the last time step is given too, behind the output.
        return_state: bool;

        /// Whether the sequence is read from its end; outputs come in the order in which they are made.
        go_backwards: bool;

        /// Whether the final state of a batch is the initial state of the next, as of [`Lstm::stateful`](super::Lstm::stateful).
        stateful: bool;
    }

    /// Whether the reset gate comes after the product of h with the recurrent kernel (the default).
    pub fn reset_after(self, reset_after: bool) -> Self {
        Gru { reset_after, ..self }
    }

    /// What a wrapper must know of it.
    pub(super) fn traits(&self) -> Traits {
        self.recurrent.traits()
    }

    /// Records layers as parts of Bidirectional: sequences come in the order of time, and masked steps of them are 0.
    pub(super) fn record_wrapped(directions: &[(&Gru, Direction)], recorder: &mut Recorder) -> Vec<Vec<Tensor>> {
        let wrapped = |layer: &Gru| Gru { recurrent: layer.recurrent.wrapped(), ..layer.clone() };
        let directions: Vec<_> =
            directions.iter().map(|(layer, direction)| (wrapped(layer), direction.clone())).collect();
        Run::record(&directions, recorder)
    }
}

impl Layer for Gru {
    fn class_name(&self) -> &'static str {
        "GRU"
    }

    fn config(&self) -> Map<String, Value> {
        let args = &self.recurrent;
        let config = json!({
            "units": args.units,
            "activation": args.activation.name(),
            "recurrent_activation": args.recurrent_activation.name(),
            "use_bias": args.use_bias,
            "reset_after": self.reset_after,
            "return_sequences": args.return_sequences,
            "return_state": args.return_state,
            "go_backwards": args.go_backwards,
            "stateful": args.stateful,
            "zero_output_for_mask": args.zero_output_for_mask,
            "dropout": args.dropout,
            "recurrent_dropout": args.recurrent_dropout,
            "seed": args.seed,
        });
        let mut config = config.as_object().cloned().unwrap_or_default();
        args.weights.write(&mut config);
        config
    }

    fn output_shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        let Recurrent { units, return_sequences, return_state, stateful, .. } = self.recurrent;
        self.recurrent.check("GRU")?;
        let state = vec![units];
        let steps = match inputs {
            [sequence] => sequence,
            [sequence, initial] if *initial == state && !stateful => sequence,
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
        let output = if return_sequences { vec![steps, units] } else { state.clone() };
        Ok(if return_state { vec![output, state] } else { vec![output] })
    }

    fn variables(&self, inputs: &[Shape]) -> Vec<VariableSpec> {
        let Recurrent { units, use_bias, ref weights, .. } = self.recurrent;
        let width = 3 * units;
        let RecurrentArgs { kernel, recurrent, bias, .. } = weights;
        let kernel = kernel.variable("kernel", &[features(inputs), width]);
        let recurrent = recurrent.variable("recurrent_kernel", &[units, width]);
        let bias = match self.reset_after {
            true => bias.variable("bias", &[2, width]).laid_out(Layout::GRU_BIASES),
            false => bias.variable("bias", &[width]).laid_out(Layout::GRU),
        };
        let kernels = [kernel.laid_out(Layout::GRU), recurrent.laid_out(Layout::GRU_RECURRENT)];
        kernels.into_iter().chain(use_bias.then_some(bias)).collect()
    }

    fn record(&self, recorder: &mut Recorder, inputs: &[Tensor]) -> Vec<Tensor> {
        let Some(direction) = Direction::of(None, inputs, self.recurrent.go_backwards) else { return Vec::new() };
        Run::record(&[(self.clone(), direction)], recorder).into_iter().flatten().collect()
    }
}
