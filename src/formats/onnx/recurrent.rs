//! Recurrent layers: what of their states is given, and in which order. The recurrence itself is the operator `LSTM` or
//! `GRU` (`native.rs`) where they have words for it, else a `Scan` (`cells.rs`).

use serde_json::Value as Json;

use super::graph::{Graph, int};
use super::masks;
use super::site::Site;
use super::{Value, cells, native};
use crate::formats::keras_args::{Args, Read, object};
use crate::formats::keras_layers::activation;
use crate::model::{Activation, MergeMode};

/// An LSTM or a GRU, in Keras's words.
#[derive(Clone, Debug)]
pub(super) struct Recurrent {
    pub gru: bool,
    pub units: usize,
    pub activation: Activation,
    pub recurrent_activation: Activation,
    pub use_bias: bool,
    /// Of a GRU.
    pub reset_after: bool,
    /// Of an LSTM.
    pub peepholes: bool,
    pub coupled_gates: bool,
    return_sequences: bool,
    return_state: bool,
    pub go_backwards: bool,
    stateful: bool,
    zero_output_for_mask: bool,
}

/// What a recurrence gives.
pub(super) struct Swept {
    /// The output after each step in the order of time, `[N, T, H]`; a masked step repeats the one that was read before
    /// it.
    pub outputs: String,
    /// The final states, each `[N, H]`; the first is the output's.
    pub last: Vec<String>,
}

impl Recurrent {
    fn read(class: &str, args: &mut Args<'_>) -> Read<Recurrent> {
        Ok(Recurrent {
            gru: class == "GRU",
            units: args.count("units")?,
            activation: activation(args, "activation", Activation::Tanh)?,
            recurrent_activation: activation(args, "recurrent_activation", Activation::Sigmoid)?,
            use_bias: args.flag("use_bias", true)?,
            reset_after: args.flag("reset_after", true)?,
            peepholes: args.flag("peepholes", false)?,
            coupled_gates: args.flag("coupled_gates", false)?,
            return_sequences: args.flag("return_sequences", false)?,
            return_state: args.flag("return_state", false)?,
            go_backwards: args.flag("go_backwards", false)?,
            stateful: args.flag("stateful", false)?,
            zero_output_for_mask: args.flag("zero_output_for_mask", false)?,
        })
    }

    /// Names of the states: h, and an LSTM's c.
    fn states(&self) -> &'static [&'static str] {
        if self.gru { &["state_h"] } else { &["state_h", "state_c"] }
    }

    /// Output and, where they are asked for, final states. Whether the outputs of all steps come in the order in which
    /// they were made is the layer's `go_backwards`, unless it is `wrapped`.
    fn write(&self, site: &mut Site<'_>, inputs: &[Value], wrapped: bool) -> Read<Vec<Value>> {
        let [input, given @ ..] = inputs else { return Err("a recurrent layer without an input".to_owned()) };
        let initial: Vec<String> = if self.stateful {
            self.states().iter().map(|name| site.state(name, self.units)).collect()
        } else {
            given.iter().map(|value| value.name.clone()).collect()
        };
        let swept = if native::knows(self) {
            native::write(site, self, input, &initial)?
        } else if self.gru {
            cells::gru(site, self, input, initial)?
        } else {
            cells::lstm(site, self, input, initial)?
        };
        if self.stateful {
            self.states().iter().zip(&swept.last).for_each(|(name, last)| site.keep(name, last));
        }
        let blank = if wrapped { self.return_sequences } else { self.zero_output_for_mask };
        let mask = input.mask.as_ref();
        let output = match self.return_sequences {
            true => {
                let outputs = blanked_steps(site.graph, swept.outputs, mask.filter(|_| blank));
                let turned = self.go_backwards && !wrapped;
                let name = if turned { turned_round(site.graph, &outputs) } else { outputs };
                Value { name, mask: mask.cloned() }
            }
            false => Value::plain(self.blanked_last(site.graph, &swept.last[0], mask.filter(|_| blank))),
        };
        let states = swept.last.into_iter().map(Value::plain).filter(|_| self.return_state);
        Ok(std::iter::once(output).chain(states).collect())
    }

    /// The final output: 0 where the step that is read last is masked and blanked.
    fn blanked_last(&self, graph: &mut Graph, last: &str, mask: Option<&String>) -> String {
        let Some(mask) = mask else { return last.to_owned() };
        let place = graph.ints(&[if self.go_backwards { 0 } else { -1 }]);
        let counts = graph.op("Gather", &[mask, &place], vec![int("axis", 1)]);
        graph.op("Mul", &[last, &counts], vec![])
    }
}

fn blanked_steps(graph: &mut Graph, outputs: String, mask: Option<&String>) -> String {
    let Some(mask) = mask else { return outputs };
    let column = masks::column(graph, mask);
    graph.op("Mul", &[&outputs, &column], vec![])
}

/// `[N, T, F]` with the last step first.
fn turned_round(graph: &mut Graph, x: &str) -> String {
    let (first, beyond, axis, by) = (graph.ints(&[-1]), graph.ints(&[i64::MIN]), graph.ints(&[1]), graph.ints(&[-1]));
    graph.op("Slice", &[x, &first, &beyond, &axis, &by], vec![])
}

/// An LSTM or a GRU by itself.
pub(super) fn write(site: &mut Site<'_>, class: &str, args: &mut Args<'_>, inputs: &[Value]) -> Read<Vec<Value>> {
    Recurrent::read(class, args)?.write(site, inputs, false)
}

/// One in each direction.
pub(super) fn bidirectional(site: &mut Site<'_>, args: &mut Args<'_>, inputs: &[Value]) -> Read<Vec<Value>> {
    let name = args.get("merge_mode").and_then(Json::as_str);
    let mode = MergeMode::ALL.into_iter().find(|mode| mode.name() == name).unwrap_or_default();
    let [input, states @ ..] = inputs else { return Err("Bidirectional without an input".to_owned()) };
    let mut given = Vec::with_capacity(2);
    for (i, (part, argument)) in [("forward", "layer"), ("backward", "backward_layer")].into_iter().enumerate() {
        let entry = args.get(argument).ok_or_else(|| args.missing(argument))?;
        let (class, config) = object(args.place(), entry)?;
        let layer = Recurrent::read(class, &mut Args::new(args.place(), config)?)?;
        let half = states.len() / 2;
        let inputs = [std::slice::from_ref(input), &states[i * half..(i + 1) * half]].concat();
        given.push(site.within(part, |site| layer.write(site, &inputs, true))?);
    }
    let [forward, backward] = &given[..] else { return Err("Bidirectional without its layers".to_owned()) };
    let outputs = match mode {
        MergeMode::Separate => vec![forward[0].clone(), backward[0].clone()],
        mode => vec![merge(site.graph, mode, [&forward[0], &backward[0]])],
    };
    Ok([outputs, forward[1..].to_vec(), backward[1..].to_vec()].concat())
}

fn merge(graph: &mut Graph, mode: MergeMode, [forward, backward]: [&Value; 2]) -> Value {
    let parts = [forward.name.as_str(), backward.name.as_str()];
    let name = match mode {
        MergeMode::Concat | MergeMode::Separate => graph.op("Concat", &parts, vec![int("axis", -1)]),
        MergeMode::Sum => graph.op("Add", &parts, vec![]),
        MergeMode::Mul => graph.op("Mul", &parts, vec![]),
        MergeMode::Ave => {
            let (sum, half) = (graph.op("Add", &parts, vec![]), graph.float(0.5));
            graph.op("Mul", &[&sum, &half], vec![])
        }
    };
    Value { name, mask: forward.mask.clone() }
}
