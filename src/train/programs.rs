//! From a model to the plan of one batch.

use std::sync::Arc;

use super::feed::Feed;
use super::loss::Loss;
use super::metric::Metric;
use super::optimizer::{Optimizer, record_health};
use crate::error::Result;
use crate::kernels::{BLOCK_ROWS, ColumnSum, ColumnSumSlots, LogStep, LogStepSlots};
use crate::model::{Mode, Recorder, Stack, Tensor, buffers};
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
    /// The output of every layer.
    pub outputs: Vec<(String, Place)>,
    /// The gradient of the input, with [`Mode::Gradients`].
    pub input_gradient: Option<Place>,
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
    stack: &Stack,
    compiled: &Compiled,
    feed: &Feed,
    mode: Mode,
    samples: usize,
    limits: Limits,
) -> Result<Program> {
    let mut recorder = Recorder::new(mode, samples, stack.table.clone(), limits);
    let input = feed.record_inputs(&mut recorder, mode == Mode::Gradients);
    let outputs = stack.record(&mut recorder, &input);
    let prediction = outputs.last().map_or_else(|| input.clone(), |(_, tensor)| tensor.clone());
    if mode != Mode::Predict {
        let truth = feed.record_targets(&mut recorder);
        record_scores(&mut recorder, compiled, &prediction, &truth);
    }
    if mode.is_training() {
        recorder.backward();
        recorder.enter("optimizer");
        record_health(&mut recorder.plan, &stack.table);
        recorder.updates();
        recorder.enter("optimizer");
    }
    if mode == Mode::Train {
        compiled.optimizer.record(&mut recorder.plan, &stack.table);
    }
    let place = |tensor: &Tensor, slot: &Slot| Place {
        buffer: recorder.plan.buffers()[slot.buffer].name.clone(),
        offset: slot.offset,
        steps: tensor.steps,
        features: tensor.features,
    };
    let input_gradient = recorder.gradient(&input).map(|slot| place(&input, &slot));
    let outputs = outputs.iter().map(|(name, tensor)| (name.clone(), place(tensor, &tensor.slot))).collect();
    let loss_rows = recorder.rows(&prediction);
    Ok(Program { plan: Arc::new(recorder.plan.finish()?), outputs, input_gradient, loss_rows })
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
