//! The Bidirectional wrapper.

use serde_json::{Map, Value, json};

use super::gru::Gru;
use super::layer::{Layer, Shape, VariableSpec};
use super::lstm::Lstm;
use super::network::snake_case;
use super::recorder::{Recorder, Tensor};
use super::recurrence::Direction;
use crate::error::{Error, Result};
use crate::kernels::{Columns, CopyColumns, CopyHow, Multiply};
use crate::plan::Slot;

/// How the outputs of the two directions are joined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MergeMode {
    /// Side by side: `2 units`, forward first.
    #[default]
    Concat,
    /// Added.
    Sum,
    /// Multiplied.
    Mul,
    /// Their mean.
    Ave,
    /// Not at all: two outputs. Keras's `None`.
    Separate,
}

impl MergeMode {
    /// All of them.
    pub const ALL: [MergeMode; 5] =
        [MergeMode::Concat, MergeMode::Sum, MergeMode::Mul, MergeMode::Ave, MergeMode::Separate];

    /// Keras's name; none is `None`.
    pub fn name(self) -> Option<&'static str> {
        match self {
            MergeMode::Concat => Some("concat"),
            MergeMode::Sum => Some("sum"),
            MergeMode::Mul => Some("mul"),
            MergeMode::Ave => Some("ave"),
            MergeMode::Separate => None,
        }
    }
}

/// A layer that Bidirectional can wrap.
#[derive(Clone, Debug, PartialEq)]
pub enum Wrapped {
    /// An LSTM.
    Lstm(Lstm),
    /// A GRU.
    Gru(Gru),
}

impl From<Lstm> for Wrapped {
    fn from(layer: Lstm) -> Self {
        Wrapped::Lstm(layer)
    }
}

impl From<Gru> for Wrapped {
    fn from(layer: Gru) -> Self {
        Wrapped::Gru(layer)
    }
}

/// What Bidirectional must know of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Traits {
    pub units: usize,
    pub go_backwards: bool,
    pub return_sequences: bool,
    pub return_state: bool,
    pub stateful: bool,
}

impl Wrapped {
    fn layer(&self) -> &dyn Layer {
        match self {
            Wrapped::Lstm(layer) => layer,
            Wrapped::Gru(layer) => layer,
        }
    }

    fn traits(&self) -> Traits {
        match self {
            Wrapped::Lstm(layer) => layer.traits(),
            Wrapped::Gru(layer) => layer.traits(),
        }
    }

    fn backwards(&self) -> Wrapped {
        match self {
            Wrapped::Lstm(layer) => layer.clone().go_backwards(true).into(),
            Wrapped::Gru(layer) => layer.clone().go_backwards(true).into(),
        }
    }

    /// Sequences come in the order of time, and masked steps of them are 0.
    fn record(&self, recorder: &mut Recorder, direction: Direction) -> Vec<Vec<Tensor>> {
        match self {
            Wrapped::Lstm(layer) => Lstm::record_wrapped(&[(layer, direction)], recorder),
            Wrapped::Gru(layer) => Gru::record_wrapped(&[(layer, direction)], recorder),
        }
    }

    /// The same of both directions, whose time steps are taken together where they can be.
    fn record_both(layers: [&Wrapped; 2], recorder: &mut Recorder, [a, b]: [Direction; 2]) -> Vec<Vec<Tensor>> {
        match layers {
            [Wrapped::Lstm(forward), Wrapped::Lstm(backward)] => {
                Lstm::record_wrapped(&[(forward, a), (backward, b)], recorder)
            }
            [Wrapped::Gru(forward), Wrapped::Gru(backward)] => {
                Gru::record_wrapped(&[(forward, a), (backward, b)], recorder)
            }
            [forward, backward] => [forward.record(recorder, a), backward.record(recorder, b)].concat(),
        }
    }
}

/// A recurrent layer read in both directions (Schuster & Paliwal 1997), as Keras's `Bidirectional`.
///
/// Input `[T, F]`, and with initial states h and c of the forward layer, then of the backward one; output `[2 units]` or `[T, 2 units]`
/// for [`MergeMode::Concat`], else `[units]` or `[T, units]`, and with `return_state` the four final states. The backward layer's
/// outputs are in the order of time. With `return_sequences`, masked time steps give 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Bidirectional {
    forward: Wrapped,
    backward: Wrapped,
    merge_mode: MergeMode,
}

impl Bidirectional {
    /// Two layers like this one, one of them from the last time step to the first.
    pub fn new(layer: impl Into<Wrapped>) -> Self {
        let forward = layer.into();
        Bidirectional { backward: forward.backwards(), forward, merge_mode: MergeMode::Concat }
    }

    /// A backward layer of its own; it must go backwards, and give what the forward one gives.
    pub fn backward_layer(self, backward: impl Into<Wrapped>) -> Self {
        Bidirectional { backward: backward.into(), ..self }
    }

    /// How the outputs are joined; side by side unless set.
    pub fn merge_mode(self, merge_mode: MergeMode) -> Self {
        Bidirectional { merge_mode, ..self }
    }

    /// The two layers, each with its part of the names of variables.
    fn directions(&self) -> [(&'static str, &Wrapped); 2] {
        [("forward", &self.forward), ("backward", &self.backward)]
    }

    fn check(&self) -> Result<()> {
        let (forward, backward) = (self.forward.traits(), self.backward.traits());
        if forward.go_backwards || !backward.go_backwards {
            return Err(Error::usage(
                "Bidirectional needs a layer that goes forwards and, where it is given, a backward_layer with go_backwards",
            ));
        }
        if (Traits { go_backwards: false, ..backward }) != forward {
            return Err(Error::usage(
                "Bidirectional needs two layers with the same units, return_sequences, return_state and stateful",
            ));
        }
        Ok(())
    }

    /// The inputs of one direction: the sequence and its half of the initial states.
    fn inputs_of<T: Clone>(&self, inputs: &[T], direction: usize) -> Vec<T> {
        let Some((sequence, states)) = inputs.split_first() else { return Vec::new() };
        let half = states.len() / 2;
        [std::slice::from_ref(sequence), &states[direction * half..(direction + 1) * half]].concat()
    }
}

impl Layer for Bidirectional {
    fn class_name(&self) -> &'static str {
        "Bidirectional"
    }

    fn config(&self) -> Map<String, Value> {
        let entry = |direction: &str, layer: &Wrapped| {
            let layer = layer.layer();
            let mut config = layer.config();
            config.insert("name".into(), format!("{direction}_{}", snake_case(layer.class_name())).into());
            config.insert("dtype".into(), "float32".into());
            let class = layer.class_name();
            match layer.in_keras() {
                true => {
                    json!({ "module": "keras.layers", "class_name": class, "config": config, "registered_name": null })
                }
                false => json!({
                    "module": "gatenorm", "class_name": class, "config": config, "registered_name": format!("gatenorm>{class}")
                }),
            }
        };
        let config = json!({
            "merge_mode": self.merge_mode.name(),
            "layer": entry("forward", &self.forward),
            "backward_layer": entry("backward", &self.backward),
        });
        config.as_object().cloned().unwrap_or_default()
    }

    fn output_shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        self.check()?;
        if inputs.len().is_multiple_of(2) {
            return Err(Error::usage(format!(
                "Bidirectional takes a sequence, or a sequence and the initial states of both directions, but gets {inputs:?}"
            )));
        }
        let mut given = Vec::with_capacity(2);
        for (i, (_, layer)) in self.directions().into_iter().enumerate() {
            given.push(layer.layer().output_shapes(&self.inputs_of(inputs, i))?);
        }
        let (forward, backward) = (&given[0], &given[1]);
        let outputs = match self.merge_mode {
            MergeMode::Separate => vec![forward[0].clone(), backward[0].clone()],
            MergeMode::Concat => {
                let mut joined = forward[0].clone();
                if let (Some(last), Some(more)) = (joined.last_mut(), backward[0].last()) {
                    *last += more;
                }
                vec![joined]
            }
            _ => vec![forward[0].clone()],
        };
        Ok([outputs, forward[1..].to_vec(), backward[1..].to_vec()].concat())
    }

    fn variables(&self, inputs: &[Shape]) -> Vec<VariableSpec> {
        let named = |(direction, layer): (&str, &Wrapped)| {
            let specs = layer.layer().variables(&inputs[..1]).into_iter();
            specs.map(|spec| VariableSpec { name: format!("{direction}/{}", spec.name), ..spec }).collect::<Vec<_>>()
        };
        self.directions().into_iter().flat_map(named).collect()
    }

    fn record(&self, recorder: &mut Recorder, inputs: &[Tensor]) -> Vec<Tensor> {
        let direction = |i: usize| Direction::of(Some(self.directions()[i].0), &self.inputs_of(inputs, i), i == 1);
        let (Some(forward), Some(backward)) = (direction(0), direction(1)) else { return Vec::new() };
        let given = Wrapped::record_both([&self.forward, &self.backward], recorder, [forward, backward]);
        let [forward, backward] = &given[..] else { return Vec::new() };
        let outputs = match self.merge_mode {
            MergeMode::Separate => vec![forward[0].clone(), backward[0].clone()],
            mode => vec![merge(recorder, mode, [&forward[0], &backward[0]])],
        };
        [outputs, forward[1..].to_vec(), backward[1..].to_vec()].concat()
    }
}

/// Records the joint output and its gradient.
fn merge(recorder: &mut Recorder, mode: MergeMode, parts: [&Tensor; 2]) -> Tensor {
    let features = match mode {
        MergeMode::Concat => parts[0].features + parts[1].features,
        _ => parts[0].features,
    };
    let mut output = recorder.new_tensor("output", parts[0].steps, features, true);
    output.mask = parts[0].mask.clone();
    let rows = recorder.rows(&output);
    for (i, part) in parts.into_iter().enumerate() {
        let (x, to) = (Columns::all(&part.slot, part.features), side(&output.slot, features, parts, i));
        let times =
            (mode == MergeMode::Mul).then(|| Multiply::Columns(Columns::all(&parts[1 - i].slot, part.features)));
        match mode {
            // One run does both.
            MergeMode::Mul if i == 1 => {}
            _ => {
                let accumulate = i == 1 && mode != MergeMode::Concat;
                let how = CopyHow { scale: scale(mode), multiply: times, accumulate, flip: None };
                CopyColumns::record([rows, part.features], &mut recorder.plan, &x, &to, how);
            }
        }
    }
    let (parts, result) = (parts.map(Tensor::clone), output.clone());
    recorder.on_backward(move |recorder| {
        let Some(dy) = recorder.gradient(&output) else { return };
        for (i, part) in parts.iter().enumerate() {
            let (dx, accumulate) = recorder.gradient_target(part);
            let x = side(&dy, features, [&parts[0], &parts[1]], i);
            let other = &parts[1 - i];
            let times = (mode == MergeMode::Mul).then(|| Multiply::Columns(Columns::all(&other.slot, other.features)));
            let how = CopyHow { scale: scale(mode), multiply: times, accumulate, flip: None };
            CopyColumns::record([rows, part.features], &mut recorder.plan, &x, &Columns::all(&dx, part.features), how);
        }
    });
    result
}

/// Where a part's columns lie in the joint output: its own side of a concatenation, else all.
fn side(slot: &Slot, features: usize, parts: [&Tensor; 2], i: usize) -> Columns {
    let side_by_side = features == parts[0].features + parts[1].features;
    Columns::from(slot, features, if side_by_side && i == 1 { parts[0].features } else { 0 })
}

fn scale(mode: MergeMode) -> f32 {
    if mode == MergeMode::Ave { 0.5 } else { 1.0 }
}
