//! Where every variable of a model lies: its place in an arena and its order there.

use super::layer::VariableSpec;
use crate::error::{Error, Result};
use crate::plan::{ALIGNMENT, BufferSpec};

/// Which arena a variable lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arena {
    /// Trainable: parameters, with gradients and moments of the same layout.
    Trainable,
    /// Kept, but not trained: moving statistics, scaling.
    State,
}

/// A variable and its place.
#[derive(Clone, Debug)]
pub struct Variable {
    /// `layer/name`, as in Keras.
    pub path: String,
    /// What the layer asked for.
    pub spec: VariableSpec,
    /// Its arena.
    pub arena: Arena,
    /// Its first element there.
    pub offset: usize,
    /// Elements.
    pub len: usize,
    /// Elements on the device, where they may be more.
    pub device_len: usize,
}

/// All variables of a model in Keras's order.
#[derive(Clone, Debug, Default)]
pub struct Table {
    variables: Vec<Variable>,
    trainable: usize,
    state: usize,
}

impl Table {
    /// Adds a layer's variables. Each begins where a binding may.
    pub fn add(&mut self, layer: &str, specs: Vec<VariableSpec>) {
        for spec in specs {
            let (arena, end) = match spec.trainable {
                true => (Arena::Trainable, &mut self.trainable),
                false => (Arena::State, &mut self.state),
            };
            let len: usize = spec.shape.iter().product();
            let path = format!("{layer}/{}", spec.name);
            let device_len = spec.layout.device_len(len);
            self.variables.push(Variable { path, spec, arena, offset: *end, len, device_len });
            *end += device_len.next_multiple_of(ALIGNMENT);
        }
    }

    /// All variables in order.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// The variable of this path.
    pub fn find(&self, path: &str) -> Result<&Variable> {
        self.variables.iter().find(|v| v.path == path).ok_or_else(|| {
            let known: Vec<&str> = self.variables.iter().map(|v| v.path.as_str()).collect();
            Error::usage(format!("no variable `{path}`; there are: {}", known.join(", ")))
        })
    }

    /// Elements of an arena, padding included; never 0, so that a buffer can be made of it.
    pub fn arena_len(&self, arena: Arena) -> usize {
        match arena {
            Arena::Trainable => self.trainable.max(ALIGNMENT),
            Arena::State => self.state.max(ALIGNMENT),
        }
    }

    /// The trainable variable that holds an element of the arena, and the element's index in it, in Keras's order.
    pub fn locate(&self, element: usize) -> Option<(&Variable, usize)> {
        let holds = |v: &&Variable| v.arena == Arena::Trainable && v.device_range().contains(&element);
        let variable = self.variables.iter().find(holds)?;
        let index = (0..variable.len).find(|&i| variable.offset + variable.device_index(i) == element)?;
        Some((variable, index))
    }

    /// Number of trained numbers, and of the others.
    pub fn count(&self) -> (usize, usize) {
        let count = |t: bool| self.variables.iter().filter(|v| v.spec.trainable == t).map(|v| v.len).sum();
        (count(true), count(false))
    }
}

impl Variable {
    /// The layer that it belongs to.
    pub(super) fn layer(&self) -> &str {
        self.path.strip_suffix(&self.spec.name).and_then(|path| path.strip_suffix('/')).unwrap_or_default()
    }

    /// The index on the device of an element in Keras's order.
    fn device_index(&self, keras: usize) -> usize {
        self.spec.layout.device_index(self.spec.shape.last().copied().unwrap_or(1), keras)
    }

    /// Its shape on the device, where the last axis may be longer.
    pub(super) fn device_shape(&self) -> Vec<usize> {
        let mut shape = self.spec.shape.clone();
        if let Some(last) = shape.last_mut() {
            *last = *last * self.device_len / self.len.max(1);
        }
        shape
    }

    /// Where it lies in its arena.
    pub fn device_range(&self) -> std::ops::Range<usize> {
        self.offset..self.offset + self.device_len
    }

    /// Keras's order to the device's.
    pub fn to_device<V: Copy + Default>(&self, keras: &[V]) -> Vec<V> {
        let mut out = vec![V::default(); self.device_len];
        keras.iter().enumerate().for_each(|(i, &v)| out[self.device_index(i)] = v);
        out
    }

    /// The device's order to Keras's.
    pub fn to_keras<V: Copy>(&self, device: &[V]) -> Vec<V> {
        (0..self.len).map(|i| device[self.device_index(i)]).collect()
    }
}

/// The buffers that outlive plans, by name.
pub mod buffers {
    use super::{Arena, BufferSpec, Table};

    /// Trainable variables.
    pub const PARAMETERS: &str = "parameters";
    /// Their gradients.
    pub const GRADIENTS: &str = "gradients";
    /// Adam's first moment, or SGD's velocity.
    pub const MOMENT_1: &str = "moment_1";
    /// Adam's second moment.
    pub const MOMENT_2: &str = "moment_2";
    /// AMSGrad's largest second moment, or RMSprop's mean gradient.
    pub const MOMENT_3: &str = "moment_3";
    /// The moving average of the weights.
    pub const AVERAGE: &str = "average";
    /// The sum of the gradients of the batches since the last update.
    pub const ACCUMULATOR: &str = "gradient_accumulator";
    /// What the buffers begin with that count the rows of a pass over a data set, for each feature of a normalisation.
    pub const POPULATION_ROWS: &str = "population_rows";
    /// Statistics of the batch.
    pub const BATCH_STATISTICS: &str = "batch_statistics";
    /// Variables that are not trained.
    pub const STATE: &str = "state";
    /// The first step and index of a gradient that is not finite.
    pub const HEALTH: &str = "health";
    /// The norm of all gradients.
    pub const NORM: &str = "gradient_norm";
    /// Sums of loss and metrics per training step.
    pub const LOG: &str = "log";

    /// One of the buffers that have a number for each trainable element.
    pub fn trainable(name: &str, table: &Table) -> BufferSpec {
        BufferSpec::persistent(name, &[table.arena_len(Arena::Trainable)])
    }

    /// Variables that are not trained.
    pub fn state(table: &Table) -> BufferSpec {
        BufferSpec::persistent(STATE, &[table.arena_len(Arena::State)])
    }

    /// Statistics of the batch, where the moving ones lie in [`state`].
    pub fn batch_statistics(table: &Table) -> BufferSpec {
        BufferSpec::persistent(BATCH_STATISTICS, &[table.arena_len(Arena::State)])
    }

    /// Step and index, integers.
    pub fn health() -> BufferSpec {
        BufferSpec::persistent(HEALTH, &[2]).u32()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Initializer, Layout};

    #[test]
    fn gates_lie_together_on_the_device_and_apart_in_keras() {
        let mut table = Table::default();
        table.add("lstm", vec![VariableSpec::new("kernel", &[2, 12], Initializer::Zeros).laid_out(Layout::LSTM)]);
        let variable = &table.variables()[0];
        let keras: Vec<usize> = (0..24).collect();
        let device = variable.to_device(&keras);
        assert_eq!(device[..4], [0, 3, 6, 9], "the four gates of unit 0 for input 0");
        assert_eq!(device[12..16], [12, 15, 18, 21], "of unit 0 for input 1");
        assert_eq!(variable.to_keras(&device), keras);
    }

    #[test]
    fn coupled_gates_leave_room_for_the_input_gate_that_they_do_not_have() {
        let mut table = Table::default();
        table.add("lstm", vec![VariableSpec::new("kernel", &[2, 6], Initializer::Zeros).laid_out(Layout::COUPLED)]);
        let variable = &table.variables()[0];
        let keras: Vec<usize> = (1..=12).collect();
        let device = variable.to_device(&keras);
        assert_eq!(device[..8], [0, 1, 3, 5, 0, 2, 4, 6], "f, c and o of units 0 and 1 for input 0");
        assert_eq!(variable.to_keras(&device), keras);
        assert_eq!(table.locate(2).map(|(_, index)| index), Some(2), "c of unit 0");
        assert!(table.locate(0).is_none(), "no variable's element");
    }
}
