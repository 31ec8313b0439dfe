//! From a model to the plan of one batch.

use std::ops::Range;
use std::sync::Arc;

use super::feed::Feed;
use super::loss::{Loss, Losses};
use super::metric::Metric;
use super::optimizer::{Optimizer, record_health};
use super::scores::{Judged, Measured, Scoring};
use crate::error::Result;
use crate::model::{Mode, Network, Recorder, Tensor, record_constraints};
use crate::plan::{BufferSpec, Limits, Plan, Slot};

/// Training steps whose losses are kept on the device before they are read.
pub(super) const LOG_ROWS: usize = crate::exec::MAX_SCALARS;

/// What `compile` was given.
#[derive(Clone, Debug)]
pub(super) struct Compiled {
    pub losses: Vec<Loss>,
    pub optimizer: Optimizer,
    pub metrics: Vec<Metric>,
    pub scoring: Arc<Scoring>,
}

impl Compiled {
    /// What was given, once it fits the model.
    pub fn new(
        network: &Network,
        losses: impl Into<Losses>,
        optimizer: Optimizer,
        metrics: Vec<Metric>,
    ) -> Result<Compiled> {
        let Losses(losses) = losses.into();
        optimizer.check()?;
        let scoring = Arc::new(Scoring::new(network, &losses, &metrics)?);
        Ok(Compiled { losses, optimizer, metrics, scoring })
    }
}

/// A plan and where its results lie.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub plan: Arc<Plan>,
    /// What every layer gives, by its name; its further outputs and calls are numbered: `lstm:1`. With [`Mode::Evaluate`] and
    /// [`Mode::Gradients`].
    pub outputs: Vec<(String, Place)>,
    /// The model's outputs, with [`Mode::Predict`].
    pub results: Vec<Place>,
    /// The gradients of the inputs, with [`Mode::Gradients`].
    pub input_gradients: Vec<Place>,
    /// What it writes into the log.
    pub measured: Measured,
    /// What stateful layers keep from batch to batch.
    pub states: Vec<BufferSpec>,
}

/// Where a tensor lies: buffer, first element, shape.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub buffer: String,
    pub offset: usize,
    pub steps: Option<usize>,
    pub features: usize,
}

impl Place {
    /// The elements of the buffer.
    pub fn range(&self, samples: usize) -> Range<usize> {
        self.offset..self.offset + self.steps.unwrap_or(1) * samples * self.features
    }

    /// The tensor turned from time-major to batch-major.
    pub fn by_sample(&self, values: &[f64], samples: usize) -> Vec<f64> {
        let rows = |n: usize| (0..self.steps.unwrap_or(1)).map(move |t| t * samples + n);
        let row = |row: usize| &values[row * self.features..][..self.features];
        (0..samples).flat_map(rows).flat_map(row).copied().collect()
    }
}

/// Records the plan of a batch of `samples` for a mode.
pub(super) fn record(
    network: &Network,
    compiled: &Compiled,
    feed: &Feed,
    mode: Mode,
    samples: usize,
    limits: Limits,
) -> Result<Program> {
    let mut recorder = Recorder::new(mode, samples, network.table.clone(), limits);
    let scored = !matches!(mode, Mode::Predict | Mode::Statistics);
    let (inputs, first_target) = feed.record_inputs(&mut recorder, mode == Mode::Gradients, scored);
    let values = network.record(&mut recorder, inputs.clone());
    let predictions: Vec<Tensor> = network.outputs.iter().map(|&id| values[id].clone()).collect();
    let mut measured = Measured::default();
    if scored {
        recorder.regularize_weights();
        let truths = feed.record_targets(&mut recorder, first_target);
        let weights = feed.record_weights(&mut recorder);
        let judged = |(prediction, truth)| Judged { prediction, truth, sample_weights: weights.as_ref() };
        let judged: Vec<Judged<'_>> = predictions.iter().zip(&truths).map(judged).collect();
        measured = compiled.scoring.record(&mut recorder, &judged);
    }
    if mode == Mode::Statistics {
        recorder.updates();
    } else if mode.is_training() {
        recorder.backward();
        recorder.enter("optimizer");
        record_health(&mut recorder.plan, &network.table);
        recorder.updates();
        recorder.enter("optimizer");
    }
    match mode {
        Mode::Train => compiled.optimizer.record(&mut recorder.plan, &network.table),
        Mode::Accumulate => compiled.optimizer.record_accumulation(&mut recorder.plan, &network.table),
        Mode::Predict | Mode::Evaluate | Mode::Gradients | Mode::Statistics => {}
    }
    // Keras does so at steps that only accumulate gradients, too.
    if matches!(mode, Mode::Train | Mode::Accumulate) {
        record_constraints(&mut recorder.plan, &network.table)?;
    }
    // A training step leaves nothing but what outlives it.
    let (traced, predicted) = (matches!(mode, Mode::Evaluate | Mode::Gradients), mode == Mode::Predict);
    let given = given_by_layers(network).into_iter().filter(|_| traced).map(|(name, id)| (name, values[id].clone()));
    let given: Vec<(String, Tensor)> = given.collect();
    let results = predictions.into_iter().filter(|_| predicted);
    let results: Vec<Tensor> = results.collect();
    let of_input = |input: &Tensor| recorder.gradient(input).map(|slot| (input.clone(), slot));
    let of_inputs: Vec<(Tensor, Slot)> = inputs.iter().filter(|_| traced).filter_map(of_input).collect();
    let tensors = given.iter().map(|(_, tensor)| tensor).chain(&results).map(|tensor| &tensor.slot);
    let read_later: Vec<usize> =
        tensors.chain(of_inputs.iter().map(|(_, slot)| slot)).map(|slot| slot.buffer).collect();
    let plan = recorder.plan.finish_keeping(&read_later)?;
    let place = |tensor: &Tensor, slot: &Slot| Place {
        buffer: plan.place(slot.buffer).name.clone(),
        offset: slot.offset,
        steps: tensor.steps,
        features: tensor.features,
    };
    let whole = |tensor: &Tensor| place(tensor, &tensor.slot);
    let outputs = given.iter().map(|(name, tensor)| (name.clone(), whole(tensor))).collect();
    let results = results.iter().map(whole).collect();
    let input_gradients = of_inputs.iter().map(|(input, slot)| place(input, slot)).collect();
    let states = recorder.states;
    Ok(Program { plan: Arc::new(plan), outputs, results, input_gradients, measured, states })
}

/// Every value that a layer gives, by the layer's name.
fn given_by_layers(network: &Network) -> Vec<(String, usize)> {
    let mut given: Vec<(String, usize)> = Vec::new();
    for call in &network.calls {
        let name = &network.layers[call.layer].name;
        let before = network.calls.iter().take_while(|other| *other != call).filter(|other| other.layer == call.layer);
        let first: usize = before.map(|other| other.outputs.len()).sum();
        let numbered = |i: usize| if i == 0 { name.clone() } else { format!("{name}:{i}") };
        given.extend((first..).map(numbered).zip(call.outputs.iter().copied()));
    }
    given
}
