//! How a GRU records itself: projection of all time steps, the recurrence, and their gradients.

use super::Gru;
use crate::kernels::{
    Copy, CopySlots, GradSweep, GruCell, GruSequence, GruSequenceGrad, GruSequenceGradSlots, GruSequenceSlots,
    SequenceGradSlots, SequenceSlots,
};
use crate::model::projection::{Gates, Projection, copy_places, gate_gradient, recurrent_gradient};
use crate::model::recorder::{Recorder, Tensor};
use crate::model::recurrence::{Outputs, Start};
use crate::plan::Slot;

/// One use of the layer in a plan.
pub(super) struct Run {
    outputs: Outputs,
    cell: GruCell,
    use_bias: bool,
    projection: Projection,
    slots: GruSequenceSlots,
}

/// The tensors around a run.
struct Ends {
    input: Tensor,
    initial: Option<Tensor>,
    output: Tensor,
    last: Option<Tensor>,
}

impl Run {
    /// Records the layer. `reverse` reads the sequence from its end.
    pub fn record(layer: &Gru, recorder: &mut Recorder, inputs: &[Tensor], reverse: bool) -> Vec<Tensor> {
        let Some(input) = inputs.first() else { return Vec::new() };
        let run = Run::new(layer, recorder, input, reverse);
        let Outputs { sweep, samples, units, .. } = run.outputs;
        let initial = inputs.get(1).cloned();
        let kept = layer.recurrent.stateful.then(|| recorder.state("state_h", &[samples, units]));
        let h = &run.slots.sequence.h;
        let begin = initial.as_ref().map(|tensor| tensor.slot.clone()).or(kept.clone());
        let begins = begin.is_none();
        if let Some(begin) = begin {
            run.outputs.begin(recorder, h, begin);
        }
        GruSequence::record(sweep, [samples, units], begins, run.cell, &mut recorder.plan, &run.slots);
        let output = run.outputs.tensor(recorder, h, input.mask.as_ref());
        let last = layer.recurrent.return_state.then(|| run.outputs.last(recorder, h, "last_h"));
        if let Some(kept) = kept {
            run.outputs.keep(recorder, h, kept);
        }
        let given: Vec<Tensor> = std::iter::once(output.clone()).chain(last.clone()).collect();
        let ends = Ends { input: input.clone(), initial, output, last };
        recorder.on_backward(move |recorder| run.backward(recorder, &ends));
        recorder.regularize_activity(layer.recurrent.weights.activity_regularizer, &given);
        given
    }

    fn new(layer: &Gru, recorder: &mut Recorder, input: &Tensor, reverse: bool) -> Run {
        let args = &layer.recurrent;
        let bias = |recorder: &mut Recorder| whole_bias(recorder, args.units);
        let Start { outputs, projection, slots } = Start::record(args, recorder, input, reverse, Gates::GRU, bias);
        let shape = [outputs.sweep.steps, outputs.samples, args.units];
        let reset = (!layer.reset_after).then(|| recorder.plan.scratch("reset", &shape));
        let cell = GruCell {
            activation: args.activation.of_one(),
            recurrent_activation: args.recurrent_activation.of_one(),
            reset_after: layer.reset_after,
        };
        let slots = GruSequenceSlots { sequence: slots, reset };
        Run { outputs, cell, use_bias: args.use_bias, projection, slots }
    }

    fn backward(&self, recorder: &mut Recorder, ends: &Ends) {
        let dy = recorder.gradient(&ends.output).map(|dy| self.outputs.gradient(recorder, dy));
        let dh = ends.last.as_ref().and_then(|last| recorder.gradient(last));
        if dy.is_none() && dh.is_none() {
            return;
        }
        let Outputs { sweep, samples, units, sequences, .. } = self.outputs;
        let carry = recorder.plan.scratch("carry", &[samples, units]);
        let seeded = dh.is_some();
        if let Some(x) = dh {
            Copy::record(false, &mut recorder.plan, CopySlots { x, out: carry.clone() });
        }
        let SequenceSlots { u, gates, h, extras } = self.slots.sequence.clone();
        let initial = ends.initial.as_ref().filter(|initial| initial.differentiable);
        let grad = GradSweep { sweep, shape: [samples, units], sequences, seeded, initial: initial.is_some() };
        let sequence = SequenceGradSlots { u, dy, gates, carry: carry.clone(), extras };
        GruSequenceGrad::record(&grad, self.cell, &mut recorder.plan, &GruSequenceGradSlots { sequence, h });
        if let Some(initial) = initial {
            let (out, accumulate) = recorder.gradient_target(initial);
            Copy::record(accumulate, &mut recorder.plan, CopySlots { x: carry, out });
        }
        self.recurrent_gradient(recorder);
        if let Some(db) = self.use_bias.then(|| recorder.variable_gradient("bias")).flatten() {
            self.bias_gradient(recorder, db);
        }
        self.projection.backward(recorder, &ends.input, &self.slots.sequence.gates);
    }

    fn recurrent_gradient(&self, recorder: &mut Recorder) {
        let Some(du) = recorder.variable_gradient("recurrent_kernel") else { return };
        let (rows, units) = (self.outputs.sweep.steps * self.outputs.samples, self.outputs.units);
        let SequenceSlots { gates, h, extras, .. } = &self.slots.sequence;
        let (read, plan, mask) = (self.outputs.read(h), &mut recorder.plan, extras.dropout.as_ref());
        let places = Gates::GRU.recurrent;
        match &self.slots.reset {
            None => recurrent_gradient(plan, [rows, units], &read, mask, gates, du, places),
            // z and r met h, the candidate r h.
            Some(reset) => {
                recurrent_gradient(plan, [rows, units], &read, mask, gates, du.clone(), &places[..2]);
                gate_gradient(plan, [rows, units, units], reset, (gates, places[2]), &du);
            }
        }
    }

    /// Of a single bias, which x meets, or of one that x meets and one that h meets.
    fn bias_gradient(&self, recorder: &mut Recorder, (db, accumulate): (Slot, bool)) {
        let width = 4 * self.outputs.units;
        let all = recorder.plan.scratch("all_gates", &[width]);
        self.projection.bias_gradient(&mut recorder.plan, &self.slots.sequence.gates, (&all, false));
        for (row, places) in [Gates::GRU.input, Gates::GRU.recurrent].into_iter().take(db.len / width).enumerate() {
            copy_places(&mut recorder.plan, &all, &db.rows(row..row + 1, width), places, accumulate);
        }
    }
}

/// The bias of all four places: where there are two, their sum.
fn whole_bias(recorder: &mut Recorder, units: usize) -> Slot {
    let (bias, width) = (recorder.variable("bias"), 4 * units);
    if bias.len == width {
        return bias;
    }
    let whole = recorder.plan.scratch("bias", &[width]);
    for row in 0..2 {
        let slots = CopySlots { x: bias.rows(row..row + 1, width), out: whole.clone() };
        Copy::record(row > 0, &mut recorder.plan, slots);
    }
    whole
}
