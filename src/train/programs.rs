//! From a model to the plan of one batch.

use std::sync::Arc;

use super::feed::Feed;
use super::loss::Loss;
use super::metric::Metric;
use super::optimizer::{Optimizer, record_health};
use crate::error::{Error, Result};
use crate::kernels::{BLOCK_ROWS, ColumnSum, ColumnSumSlots, LogStep, LogStepSlots};
use crate::model::{Mode, Network, Recorder, Tensor, buffers};
use crate::plan::{BufferSpec, Limits, Plan, Slot};

/// Training steps whose losses are kept on the device before they are read.
pub(super) const LOG_ROWS: usize = crate::exec::MAX_SCALARS;

/// What `compile` was given.
#[derive(Clone, Debug)]
pub(super) struct Compiled {
    pub loss: Loss,
    pub optimizer: Optimizer,
    pub metrics: Vec<Metric>,
}

impl Compiled {
    /// Loss and metrics.
    pub fn columns(&self) -> usize {
        1 + self.metrics.len()
    }

    pub fn log_spec(&self) -> BufferSpec {
        BufferSpec::persistent(buffers::LOG, &[LOG_ROWS, self.columns()])
    }
}

/// A plan and where its results lie.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub plan: Arc<Plan>,
    /// What every layer gives, by its name; its further outputs and calls are numbered: `lstm:1`.
    pub outputs: Vec<(String, Place)>,
    /// The model's outputs.
    pub results: Vec<Place>,
    /// The gradients of the inputs, with [`Mode::Gradients`].
    pub input_gradients: Vec<Place>,
    /// Rows over which loss and metrics are summed.
    pub loss_rows: usize,
}

/// Where a tensor lies: buffer, first element, shape.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub buffer: String,
    pub offset: usize,
    pub steps: Option<usize>,
    pub features: usize,
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
    let inputs = feed.record_inputs(&mut recorder, mode == Mode::Gradients);
    let values = network.record(&mut recorder, inputs.clone());
    let predictions: Vec<Tensor> = network.outputs.iter().map(|&id| values[id].clone()).collect();
    let mut loss_rows = 0;
    if mode != Mode::Predict {
        let truths = feed.record_targets(&mut recorder);
        let ([prediction], [truth]) = (&predictions[..], &truths[..]) else {
            return Err(Error::usage("a model with several outputs needs a loss for each"));
        };
        loss_rows = recorder.rows(prediction);
        record_scores(&mut recorder, compiled, prediction, truth);
    }
    if mode.is_training() {
        recorder.backward();
        recorder.enter("optimizer");
        record_health(&mut recorder.plan, &network.table);
        recorder.updates();
        recorder.enter("optimizer");
    }
    match mode {
        Mode::Train => compiled.optimizer.record(&mut recorder.plan, &network.table),
        Mode::Accumulate => compiled.optimizer.record_accumulation(&mut recorder.plan, &network.table),
        Mode::Predict | Mode::Evaluate | Mode::Gradients => {}
    }
    let place = |tensor: &Tensor, slot: &Slot| Place {
        buffer: recorder.plan.buffers()[slot.buffer].name.clone(),
        offset: slot.offset,
        steps: tensor.steps,
        features: tensor.features,
    };
    let of_input = |input: &Tensor| recorder.gradient(input).map(|slot| place(input, &slot));
    let input_gradients = inputs.iter().filter_map(of_input).collect();
    let whole = |tensor: &Tensor| place(tensor, &tensor.slot);
    let outputs = given_by_layers(network).into_iter().map(|(name, id)| (name, whole(&values[id]))).collect();
    let results = predictions.iter().map(whole).collect();
    Ok(Program { plan: Arc::new(recorder.plan.finish()?), outputs, results, input_gradients, loss_rows })
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

/// Records loss, metrics, and their sums over the batch into the log.
fn record_scores(recorder: &mut Recorder, compiled: &Compiled, prediction: &Tensor, truth: &Slot) {
    recorder.enter("scores");
    let (rows, columns) = (recorder.rows(prediction), compiled.columns());
    let values = recorder.plan.scratch("values", &[rows, columns]);
    compiled.loss.record(recorder, prediction, truth, &values, columns);
    for (i, metric) in compiled.metrics.iter().enumerate() {
        metric.record(recorder, prediction, truth, &values, (i + 1, columns));
    }
    let plan = &mut recorder.plan;
    let (sums, parts) = if rows > BLOCK_ROWS as usize {
        let sums = plan.scratch("sum", &[columns]);
        let slots = ColumnSumSlots { x: values, out: sums.clone() };
        ColumnSum::record_whole([rows, columns], false, plan, slots);
        (sums, 1)
    } else {
        (values, rows)
    };
    let log = plan.persistent(&compiled.log_spec());
    LogStep { parts: parts as u32, columns: columns as u32 }.record(plan, LogStepSlots { sums, log });
}
