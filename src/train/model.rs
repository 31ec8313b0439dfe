//! A compiled model: its weights live on its device.

use std::collections::HashMap;
use std::fmt;

use super::anomalies::UsualErrors;
use super::data_spec::DataSpec;
use super::feed::Feed;
use super::loss::{Loss, Losses};
use super::metric::Metric;
use super::optimizer::{LearningRate, Optimizer};
use super::programs::{Compiled, Program, record};
use super::run_state::RunState;
use super::supply::Supplies;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::exec::profile::{Profile, Profiler};
use crate::exec::{Choices, Counters, CpuExecutor, Device, Executor};
use crate::model::{Arena, Call, Functional, Mode, Network, Normalization, Sequential, Table, Variable, buffers, hash};
use crate::plan::{BufferSpec, Plan};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Programs that are kept; an epoch needs two or three.
const PROGRAMS: usize = 12;

/// A variable's value in Keras's order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Weight {
    /// `layer/variable`.
    pub path: String,
    /// Keras's shape.
    pub shape: Vec<usize>,
    /// In C order.
    pub values: Vec<f32>,
    /// Whether the optimiser changes it.
    pub trainable: bool,
}

/// One of an optimiser's moments: its values for each trainable variable, by path.
pub type Moment = Vec<(String, Vec<f32>)>;

/// A model on a device, ready to train, evaluate and predict.
pub struct Model {
    pub(super) network: Network,
    pub(super) compiled: Compiled,
    pub(super) executor: Box<dyn Executor>,
    /// Training steps done, over all calls of `fit`.
    pub(super) iterations: u64,
    /// Epochs begun, which seed the shuffling.
    pub(super) shuffles: u64,
    /// Whether `fit` is running, whose callbacks have the model.
    pub(super) fitting: bool,
    device: Device,
    data_spec: Option<DataSpec>,
    /// As found since it was last trained.
    pub(super) usual_errors: Option<UsualErrors>,
    programs: HashMap<(Feed, Mode, usize), Program>,
    /// The data sets that batches are taken of.
    pub(super) supplies: Supplies,
    /// What stateful layers keep from batch to batch, by name.
    pub(super) states: HashMap<String, BufferSpec>,
    /// Where the run was that the model was saved in.
    pub(crate) run_state: Option<RunState>,
}

impl Sequential {
    /// Places the model on a device with fresh weights, ready to train.
    ///
    /// Errors: layers that do not fit each other, a device that cannot be used, optimiser arguments that cannot train.
    pub fn compile(
        self,
        device: Device,
        loss: impl Into<Losses>,
        optimizer: impl Into<Optimizer>,
        metrics: impl IntoIterator<Item = Metric>,
    ) -> Result<Model> {
        Model::fresh(self.build()?, (loss.into(), optimizer.into(), metrics.into_iter().collect()), device)
    }
}

impl Functional {
    /// The same for a model in functional form.
    pub fn compile(
        self,
        device: Device,
        loss: impl Into<Losses>,
        optimizer: impl Into<Optimizer>,
        metrics: impl IntoIterator<Item = Metric>,
    ) -> Result<Model> {
        Model::fresh(self.build()?, (loss.into(), optimizer.into(), metrics.into_iter().collect()), device)
    }
}

impl Model {
    /// Places a model on a device with first values drawn from its seed.
    pub(super) fn fresh(
        network: Network,
        (losses, optimizer, metrics): (Losses, Optimizer, Vec<Metric>),
        device: Device,
    ) -> Result<Model> {
        let compiled = Compiled::new(&network, losses, optimizer, metrics)?;
        let seed = network.seed;
        let draw = |_, variable: &Variable| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            // A stream of its own, so that adding a layer elsewhere in a model leaves this one's first weights as they are.
            rng.set_stream(hash(variable.path.bytes()));
            variable.spec.initializer.draw(&variable.spec.shape, &mut rng)
        };
        Model::new(network, compiled, device, draw)
    }
}

impl Model {
    /// Places a model on a device; `first` gives each variable's first values, in Keras's order.
    pub(super) fn new(
        network: Network,
        compiled: Compiled,
        device: Device,
        first: impl FnMut(usize, &Variable) -> Vec<f32>,
    ) -> Result<Model> {
        let executor = device.executor()?;
        let mut model = Model {
            network,
            compiled,
            executor,
            iterations: 0,
            shuffles: 0,
            fitting: false,
            device,
            data_spec: None,
            usual_errors: None,
            programs: HashMap::new(),
            supplies: Supplies::default(),
            states: HashMap::new(),
            run_state: None,
        };
        model.initialize(first)?;
        Ok(model)
    }

    /// Sets all variables, and forgets the optimiser's state.
    fn initialize(&mut self, mut first: impl FnMut(usize, &Variable) -> Vec<f32>) -> Result<()> {
        let table = self.network.table.clone();
        let mut arenas = [Arena::Trainable, Arena::State].map(|arena| vec![0f32; table.arena_len(arena)]);
        for (i, variable) in table.variables().iter().enumerate() {
            place(variable, &first(i, variable), &mut arenas[usize::from(variable.arena == Arena::State)])?;
        }
        self.executor.write(&buffers::trainable(buffers::PARAMETERS, &table), &arenas[0])?;
        self.executor.write(&buffers::state(&table), &arenas[1])?;
        self.compiled.optimizer.initialize(self.executor.as_mut(), &table)?;
        self.executor.write_u32(&buffers::health(), &[0, 0])
    }

    /// Layers, shapes and variables.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Where the model lives.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// How its input is made from a table, where that is known.
    pub fn data_spec(&self) -> Option<&DataSpec> {
        self.data_spec.as_ref()
    }

    /// Keeps with the model how its input is made from a table.
    pub fn set_data_spec(&mut self, spec: Option<DataSpec>) {
        self.data_spec = spec;
    }

    /// Sets mean and variance of the model's `Normalization` layers at its front to those of this data's features, as Keras's
    /// `adapt`. Give it the training data only.
    pub fn adapt(&mut self, data: &Dataset) -> Result<()> {
        self.check_data(data, false)?;
        let statistics = data.feature_statistics()?;
        let class = |call: &Call| self.network.layers[call.layer].layer.class_name();
        let at_front = |call: &&Call| call.inputs == [0] && class(call) == "Normalization";
        let layer = self.network.calls.iter().find(at_front).map(|call| &self.network.layers[call.layer]);
        let name = layer.map(|l| l.name.clone());
        let name = name.ok_or_else(|| Error::usage("adapt needs a Normalization layer at the model's front"))?;
        let mean: Vec<f32> = statistics.mean.iter().map(|&m| m as f32).collect();
        let least = Normalization::LEAST_VARIANCE;
        let variance: Vec<f32> = statistics.variance.iter().map(|&v| (v as f32).max(least)).collect();
        let (mean_path, variance_path) = (format!("{name}/mean"), format!("{name}/variance"));
        self.set_weights([(mean_path.as_str(), mean.as_slice()), (variance_path.as_str(), variance.as_slice())])
    }

    /// The loss it is trained with; of several outputs that of the first.
    pub fn loss(&self) -> Loss {
        self.compiled.scoring.outputs[0].loss
    }

    /// The losses as they were given: one for each output, or one for all.
    pub fn losses(&self) -> &[Loss] {
        &self.compiled.losses
    }

    /// What is reported beside the loss.
    pub fn metrics(&self) -> &[Metric] {
        &self.compiled.metrics
    }

    /// How gradients change its weights.
    pub fn optimizer(&self) -> &Optimizer {
        &self.compiled.optimizer
    }

    /// The learning rate of the next training step.
    pub fn learning_rate(&self) -> f64 {
        self.compiled.optimizer.schedule().at(self.iterations)
    }

    /// Changes the learning rate from the next training step on; a schedule's cannot be changed.
    pub fn set_learning_rate(&mut self, rate: f64) -> Result<()> {
        if !matches!(self.compiled.optimizer.schedule(), LearningRate::Constant(_)) {
            return Err(Error::usage("the learning rate follows a schedule, so it cannot be set"));
        }
        let mut optimizer = self.compiled.optimizer.clone();
        optimizer.set_learning_rate(rate);
        optimizer.check()?;
        self.compiled.optimizer = optimizer;
        Ok(())
    }

    /// Training steps done so far.
    pub fn iterations(&self) -> u64 {
        self.iterations
    }

    /// Times every kernel that is run from here on, which makes all slower; [`Model::profile`] tells what was measured.
    pub fn start_profile(&mut self) {
        let nothing = Box::new(CpuExecutor::<f32>::new());
        let executor = std::mem::replace(&mut self.executor, nothing);
        self.executor = Box::new(Profiler::new(executor));
    }

    /// What was measured since [`Model::start_profile`].
    pub fn profile(&self) -> Option<&Profile> {
        self.executor.profile()
    }

    /// What the executor has done so far.
    pub fn counters(&self) -> Counters {
        self.executor.counters()
    }

    /// Which variants computed the kernels so far, on a GPU; what is saved of them makes training go on to the same bits.
    pub fn choices(&self) -> Option<Choices> {
        self.executor.choices()
    }

    /// Computes kernels by what computed them in an earlier run, where that was on the same adapter and driver.
    pub fn set_choices(&mut self, choices: Choices) {
        self.executor.set_choices(choices);
    }

    /// The buffer that holds a variable's arena.
    fn arena(variable: &Variable) -> &'static str {
        match variable.arena {
            Arena::Trainable => buffers::PARAMETERS,
            Arena::State => buffers::STATE,
        }
    }

    /// A variable in Keras's order, in the executor's precision.
    pub fn variable(&mut self, path: &str) -> Result<Vec<f64>> {
        let variable = self.network.table.find(path)?.clone();
        self.read_variable(Self::arena(&variable), &variable)
    }

    /// The part of a buffer that belongs to a variable, in Keras's order.
    pub(super) fn read_variable(&mut self, buffer: &str, variable: &Variable) -> Result<Vec<f64>> {
        let device = self.executor.read(buffer, variable.device_range())?;
        Ok(variable.to_keras(&device))
    }

    /// All variables in Keras's order.
    pub fn weights(&mut self) -> Result<Vec<Weight>> {
        let table = self.network.table.clone();
        let mut read = |name: &str, arena| self.executor.read(name, 0..table.arena_len(arena));
        let (parameters, state) = (read(buffers::PARAMETERS, Arena::Trainable)?, read(buffers::STATE, Arena::State)?);
        let weight = |variable: &Variable| {
            let arena = if variable.arena == Arena::Trainable { &parameters } else { &state };
            let values = variable.to_keras(&arena[variable.device_range()]);
            Weight {
                path: variable.path.clone(),
                shape: variable.spec.shape.clone(),
                values: values.into_iter().map(|v| v as f32).collect(),
                trainable: variable.spec.trainable,
            }
        };
        Ok(table.variables().iter().map(weight).collect())
    }

    /// Sets variables, given by path in Keras's order.
    pub fn set_weights<'a>(&mut self, weights: impl IntoIterator<Item = (&'a str, &'a [f32])>) -> Result<()> {
        let table = self.network.table.clone();
        let mut arenas = self.read_arenas(&[buffers::PARAMETERS, buffers::STATE])?;
        for (path, values) in weights {
            let variable = table.find(path)?;
            place(variable, values, &mut arenas[usize::from(variable.arena == Arena::State)])?;
        }
        self.executor.write(&buffers::trainable(buffers::PARAMETERS, &table), &arenas[0])?;
        self.executor.write(&buffers::state(&table), &arenas[1])
    }

    /// Sets what the optimiser keeps: its step count and, for each of its moments, the trainable variables' values by path.
    pub fn set_optimizer_state(&mut self, iterations: u64, moments: &[Moment]) -> Result<()> {
        let table = self.network.table.clone();
        let specs = self.compiled.optimizer.moments();
        if specs.len() != moments.len() {
            return Err(Error::usage(format!("this optimiser keeps {} moments, not {}", specs.len(), moments.len())));
        }
        for (spec, values) in specs.iter().zip(moments) {
            let mut arena = vec![spec.initial as f32; table.arena_len(Arena::Trainable)];
            for (path, values) in values {
                place(table.find(path)?, values, &mut arena)?;
            }
            self.executor.write(&buffers::trainable(spec.buffer, &table), &arena)?;
        }
        self.iterations = iterations;
        Ok(())
    }

    /// What the optimiser keeps, as [`Model::set_optimizer_state`] takes it.
    pub fn optimizer_state(&mut self) -> Result<Vec<Moment>> {
        let table = self.network.table.clone();
        let names: Vec<&str> = self.compiled.optimizer.moments().iter().map(|moment| moment.buffer).collect();
        let arenas = self.read_arenas(&names)?;
        let trainable = || table.variables().iter().filter(|v| v.spec.trainable);
        let of = |arena: &Vec<f32>, v: &Variable| (v.path.clone(), v.to_keras(&arena[v.device_range()]));
        Ok(arenas.iter().map(|arena| trainable().map(|v| of(arena, v)).collect()).collect())
    }

    pub(super) fn read_arenas(&mut self, names: &[&str]) -> Result<Vec<Vec<f32>>> {
        let table = &self.network.table;
        let len = |name: &str| table.arena_len(if name == buffers::STATE { Arena::State } else { Arena::Trainable });
        let mut read = |name: &&str| {
            let values = self.executor.read(name, 0..len(name))?;
            Ok(values.into_iter().map(|v| v as f32).collect())
        };
        names.iter().map(&mut read).collect()
    }

    /// The recorded plan of a batch, from the cache where it is there.
    pub(super) fn program(&mut self, feed: &Feed, mode: Mode, samples: usize) -> Result<Program> {
        let (program, is_new) = self.recorded(feed, mode, samples)?;
        self.place_states(&program.states)?;
        if is_new {
            self.executor.prepare(&program.plan)?;
        }
        Ok(program)
    }

    /// The same where the device, and what stateful layers keep, are left alone; and whether it had not been recorded before.
    pub(super) fn recorded(&mut self, feed: &Feed, mode: Mode, samples: usize) -> Result<(Program, bool)> {
        let key = (feed.clone(), mode, samples);
        if let Some(program) = self.programs.get(&key).cloned() {
            return Ok((program, false));
        }
        let program = record(&self.network, &self.compiled, feed, mode, samples, self.executor.limits())?;
        if self.programs.len() >= PROGRAMS {
            self.programs.clear();
        }
        self.programs.insert(key, program.clone());
        Ok((program, true))
    }

    /// The plan of a batch of `samples` of this data set, to look at.
    pub fn plan(&mut self, data: &Dataset, mode: Mode, samples: usize) -> Result<Plan> {
        let feed = self.laid_out(data, samples)?;
        let limits = self.executor.limits();
        let program = record(&self.network, &self.compiled, &feed, mode, samples, limits)?;
        Ok((*program.plan).clone())
    }

    pub(super) fn table(&self) -> &Table {
        &self.network.table
    }
}

/// Puts a variable's values, in Keras's order, into its arena.
fn place(variable: &Variable, values: &[f32], arena: &mut [f32]) -> Result<()> {
    if values.len() != variable.len {
        return Err(Error::usage(format!(
            "variable `{}` {:?} has {} values, not {}",
            variable.path,
            variable.spec.shape,
            variable.len,
            values.len()
        )));
    }
    arena[variable.device_range()].copy_from_slice(&variable.to_device(values));
    Ok(())
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model").field("network", &self.network).field("device", &self.device).finish_non_exhaustive()
    }
}
