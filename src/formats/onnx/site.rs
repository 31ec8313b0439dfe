//! The place in a graph where a layer is written.

use std::collections::BTreeMap;

use super::graph::Graph;
use crate::formats::keras_args::Read;
use crate::train::Weight;

/// A layer's place: the graph, and the layer's variables.
pub(super) struct Site<'a> {
    pub graph: &'a mut Graph,
    weights: &'a BTreeMap<&'a str, &'a Weight>,
    states: &'a mut States,
    /// What the names of its variables begin with: `lstm`, or `bidirectional/forward`.
    path: String,
}

/// What stateful layers keep: inputs and outputs that a model has beside its own.
#[derive(Debug, Default)]
pub(super) struct States(pub Vec<State>);

/// The state of a layer.
#[derive(Debug)]
pub(super) struct State {
    path: String,
    /// The input that it begins with.
    pub input: String,
    /// The tensor that it is now.
    pub now: String,
    pub units: usize,
}

impl<'a> Site<'a> {
    /// Of the layer of this name.
    pub fn new(
        graph: &'a mut Graph,
        weights: &'a BTreeMap<&'a str, &'a Weight>,
        states: &'a mut States,
        layer: &str,
    ) -> Site<'a> {
        graph.enter(layer);
        Site { graph, weights, states, path: layer.to_owned() }
    }

    /// The part of a wrapper where a wrapped layer lies.
    pub fn within<T>(&mut self, part: &str, write: impl FnOnce(&mut Site<'_>) -> T) -> T {
        let path = format!("{}/{part}", self.path);
        let written = write(&mut Site::new(self.graph, self.weights, self.states, &path));
        self.graph.enter(&self.path);
        written
    }

    /// A variable as Keras has it.
    pub fn weight(&self, name: &str) -> Read<&'a Weight> {
        let path = format!("{}/{name}", self.path);
        self.weights.get(path.as_str()).copied().ok_or_else(|| format!("there is no variable `{path}`"))
    }

    /// A variable in the graph, as Keras has it.
    pub fn variable(&mut self, name: &str) -> Read<String> {
        let weight = self.weight(name)?;
        Ok(self.part(name, &weight.shape, &weight.values))
    }

    /// What is made of a variable, in the graph.
    pub fn part(&mut self, name: &str, shape: &[usize], values: &[f32]) -> String {
        self.graph.floats(&format!("{}/{name}", self.path), shape, values)
    }

    /// A state of the layer, of so many units; at first it is an input of the model.
    pub fn state(&mut self, name: &str, units: usize) -> String {
        let path = format!("{}/{name}", self.path);
        if let Some(state) = self.states.0.iter().find(|state| state.path == path) {
            return state.now.clone();
        }
        let input = self.graph.name(&path);
        self.states.0.push(State { path, input: input.clone(), now: input.clone(), units });
        input
    }

    /// What the state is after the layer.
    pub fn keep(&mut self, name: &str, tensor: &str) {
        let path = format!("{}/{name}", self.path);
        if let Some(state) = self.states.0.iter_mut().find(|state| state.path == path) {
            state.now = tensor.to_owned();
        }
    }
}

/// The name of the output that holds a state after a run.
pub(super) fn next_of(state: &State) -> String {
    format!("{}_next", state.path)
}
