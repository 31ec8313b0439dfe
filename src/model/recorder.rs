//! Records a model into a plan: named tensors forwards, then the tape of hand-written gradients backwards.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::activation::Activation;
use super::moving_statistics::{Followed, advance_all};
use super::random::hash;
use super::table::{Arena, Table, buffers};
use crate::plan::{BufferSpec, Limits, Plan, Slot};

/// What a plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// The output, in inference.
    Predict,
    /// Loss and metrics, in inference.
    Evaluate,
    /// Everything of a training step but the optimiser's update, and the gradient of the input too.
    Gradients,
    /// A training step that keeps its gradient for a later one's update.
    Accumulate,
    /// One batch of the pass that gathers a data set's statistics for batch normalisation: forwards, in training mode.
    Statistics,
    /// A training step.
    Train,
}

impl Mode {
    /// Whether batch statistics are used and gradients computed.
    pub fn is_training(self) -> bool {
        matches!(self, Mode::Gradients | Mode::Statistics | Mode::Accumulate | Mode::Train)
    }
}

/// A tensor of the plan, time-major: `[T, N, F]`, or `[N, F]` without steps.
#[derive(Clone, Debug)]
pub struct Tensor {
    id: usize,
    /// Where it lies.
    pub slot: Slot,
    /// T, of a sequence.
    pub steps: Option<usize>,
    /// F.
    pub features: usize,
    /// Whether a gradient should reach it.
    pub differentiable: bool,
    /// `[T, N]`, 1 where a step counts and 0 where it is masked; of sequences only.
    pub mask: Option<Slot>,
    /// For the output of an activation: which, and its input, so that a loss may go through the logits.
    pub before: Option<(Activation, Box<Tensor>)>,
}

type Backward = Box<dyn FnOnce(&mut Recorder)>;

/// The layer that left something on the tape, and whether it is trained.
type Scope = (String, bool);

/// A plan under way.
pub struct Recorder {
    /// What has been recorded.
    pub plan: Plan,
    /// What for.
    pub mode: Mode,
    /// N, samples of the batch.
    pub samples: usize,
    /// Whether the layer that records is trained.
    pub trainable: bool,
    /// Of what is drawn at random in training.
    pub seed: u64,
    /// Slots of one number each: what regularizers add to the loss, weighted already.
    pub penalties: Vec<Slot>,
    /// What stateful layers keep from batch to batch.
    pub states: Vec<BufferSpec>,
    table: Arc<Table>,
    layer: String,
    tape: Vec<(Scope, Backward)>,
    last: Vec<(Scope, Backward)>,
    gradients: HashMap<usize, Slot>,
    /// Where gradients go that have not come yet.
    reserved: HashMap<usize, Slot>,
    /// How many keys of random numbers were taken under each path.
    keys: HashMap<String, u32>,
    with_gradient: HashSet<String>,
    /// Moving means whose batch's lies in [`buffers::batch_statistics`].
    pub(super) followed: HashSet<String>,
    pub(super) in_place: Vec<Followed>,
    tensors: usize,
}

impl Recorder {
    /// An empty recording for batches of `samples`.
    pub fn new(mode: Mode, samples: usize, table: Arc<Table>, limits: Limits) -> Self {
        Recorder {
            plan: Plan::new(limits),
            mode,
            samples,
            trainable: true,
            seed: 0,
            penalties: Vec::new(),
            states: Vec::new(),
            table,
            layer: String::new(),
            tape: Vec::new(),
            last: Vec::new(),
            gradients: HashMap::new(),
            reserved: HashMap::new(),
            keys: HashMap::new(),
            with_gradient: HashSet::new(),
            followed: HashSet::new(),
            in_place: Vec::new(),
            tensors: 0,
        }
    }

    /// Where the variables lie.
    pub(super) fn table(&self) -> Arc<Table> {
        self.table.clone()
    }

    /// Names the layer that records from here on.
    pub fn enter(&mut self, layer: &str) {
        self.layer = layer.to_owned();
        self.plan.set_scope(layer);
    }

    /// Names a layer wrapped by the current one while `record` runs, as `bidirectional/forward`; without a part it is the current one.
    pub fn within<R>(&mut self, part: Option<&str>, record: impl FnOnce(&mut Recorder) -> R) -> R {
        let Some(part) = part else { return record(self) };
        let outer = self.layer.clone();
        self.enter(&format!("{outer}/{part}"));
        let result = record(self);
        self.enter(&outer);
        result
    }

    fn scope(&self) -> Scope {
        (self.layer.clone(), self.trainable)
    }

    fn reenter(&mut self, (layer, trainable): Scope) {
        self.enter(&layer);
        self.trainable = trainable;
    }

    /// A tensor over a slot.
    pub fn tensor(&mut self, slot: Slot, steps: Option<usize>, features: usize, differentiable: bool) -> Tensor {
        self.tensors += 1;
        Tensor { id: self.tensors, slot, steps, features, differentiable, mask: None, before: None }
    }

    /// A new buffer and the tensor in it.
    pub fn new_tensor(&mut self, name: &str, steps: Option<usize>, features: usize, differentiable: bool) -> Tensor {
        let slot = match steps {
            Some(steps) => self.plan.scratch(name, &[steps, self.samples, features]),
            None => self.plan.scratch(name, &[self.samples, features]),
        };
        self.tensor(slot, steps, features, differentiable)
    }

    /// T·N of a tensor.
    pub fn rows(&self, tensor: &Tensor) -> usize {
        tensor.steps.unwrap_or(1) * self.samples
    }

    /// A state that the current layer keeps from batch to batch.
    pub fn state(&mut self, name: &str, shape: &[usize]) -> Slot {
        let spec = BufferSpec::persistent(format!("states/{}/{name}", self.layer), shape);
        let slot = self.plan.persistent(&spec);
        self.states.push(spec);
        slot
    }

    /// The path of a variable of the current layer.
    pub(super) fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.layer)
    }

    /// The variable `name` of the current layer.
    pub fn variable(&mut self, name: &str) -> Slot {
        let table = self.table.clone();
        let path = format!("{}/{name}", self.layer);
        match table.find(&path) {
            Ok(v) => {
                let spec = match v.arena {
                    Arena::Trainable => buffers::trainable(buffers::PARAMETERS, &table),
                    Arena::State => buffers::state(&table),
                };
                self.plan.persistent(&spec).range(v.device_range())
            }
            Err(error) => {
                self.plan.fail(error.to_string());
                self.plan.nothing()
            }
        }
    }

    /// Where the gradient of a variable of the current layer goes, and whether it adds to one that is there; nothing for a
    /// variable that is not trained.
    pub fn variable_gradient(&mut self, name: &str) -> Option<(Slot, bool)> {
        let table = self.table.clone();
        let path = format!("{}/{name}", self.layer);
        match table.find(&path) {
            Ok(v) if v.arena == Arena::State => None,
            Ok(v) => {
                let arena = self.plan.persistent(&buffers::trainable(buffers::GRADIENTS, &table));
                Some((arena.range(v.device_range()), !self.with_gradient.insert(path)))
            }
            Err(error) => {
                self.plan.fail(error.to_string());
                None
            }
        }
    }

    /// A key of random numbers that depends on the seed (a layer's own, or else the model's), the current layer's path, what they
    /// are for, and how often that was asked for: each call of a shared layer draws anew, and a plan that is recorded again draws
    /// the same. Their second source is the number of the training step, which the kernels know.
    pub fn random_key(&mut self, what: &str, seed: Option<u64>) -> [u32; 2] {
        let path = format!("{}/{what}", self.layer);
        let before = self.keys.entry(path.clone()).or_default();
        let parts = [&seed.unwrap_or(self.seed).to_le_bytes()[..], path.as_bytes(), &before.to_le_bytes()];
        *before += 1;
        let key = hash(parts.concat());
        [key as u32, (key >> 32) as u32]
    }

    /// The gradient that has reached a tensor.
    pub fn gradient(&self, tensor: &Tensor) -> Option<Slot> {
        self.gradients.get(&tensor.id).cloned()
    }

    /// Lets the gradients of tensors of one shape lie where one binding can show them together.
    pub fn keep_gradients_together(&mut self, tensors: &[&Tensor]) {
        let Some(first) = tensors.first().filter(|_| self.mode.is_training()) else { return };
        let shape = self.shape(first);
        let slots = self.plan.scratch_each("gradient", &shape, tensors.len());
        self.reserved.extend(tensors.iter().map(|tensor| tensor.id).zip(slots));
    }

    fn shape(&self, tensor: &Tensor) -> Vec<usize> {
        tensor.steps.into_iter().chain([self.samples, tensor.features]).collect()
    }

    /// Where a gradient of a tensor goes, and whether it adds to what reached it before: a tensor used twice sums its gradients.
    pub fn gradient_target(&mut self, tensor: &Tensor) -> (Slot, bool) {
        if let Some(slot) = self.gradients.get(&tensor.id) {
            return (slot.clone(), true);
        }
        let slot = match self.reserved.remove(&tensor.id) {
            Some(slot) => slot,
            None => self.plan.scratch("gradient", &self.shape(tensor)),
        };
        self.gradients.insert(tensor.id, slot.clone());
        (slot, false)
    }

    /// Leaves the current layer's backward pass on the tape.
    pub fn on_backward(&mut self, backward: impl FnOnce(&mut Recorder) + 'static) {
        if self.mode.is_training() {
            self.tape.push((self.scope(), Box::new(backward)));
        }
    }

    /// Leaves what must wait until all gradients are known to be finite.
    pub fn on_healthy(&mut self, update: impl FnOnce(&mut Recorder) + 'static) {
        if self.mode.is_training() {
            self.last.push((self.scope(), Box::new(update)));
        }
    }

    /// Records the backward pass of all layers, last to first.
    pub fn backward(&mut self) {
        while let Some((scope, backward)) = self.tape.pop() {
            self.reenter(scope);
            backward(self);
        }
    }

    /// Records what waited for healthy gradients.
    pub fn updates(&mut self) {
        for (scope, update) in std::mem::take(&mut self.last) {
            self.reenter(scope);
            update(self);
        }
        advance_all(self);
    }
}
