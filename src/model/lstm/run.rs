//! How an LSTM records itself: projection of all time steps, the recurrence step by step, and their gradients.

use super::Lstm;
use crate::kernels::{
    CellOptions, ColumnSum, ColumnSumSlots, Columns, Copy, CopyColumns, CopyHow, CopySlots, Fill, FillSlots, GradSweep,
    LstmSequence, LstmSequenceGrad, LstmSequenceGradSlots, LstmSequenceSlots, Multiply, SequenceGradSlots,
    SequenceSlots,
};
use crate::model::projection::{Gates, Projection, recurrent_gradient};
use crate::model::recorder::{Recorder, Tensor};
use crate::model::recurrence::{Outputs, Start};

/// One use of the layer in a plan.
pub(super) struct Run {
    outputs: Outputs,
    cell: CellOptions,
    use_bias: bool,
    projection: Projection,
    slots: LstmSequenceSlots,
}

/// The tensors around a run.
struct Ends {
    input: Tensor,
    /// Initial h and c, where they are given.
    initial: Option<[Tensor; 2]>,
    output: Tensor,
    /// Final h and c, where they are asked for.
    last: Option<[Tensor; 2]>,
}

impl Run {
    /// Records the layer. `reverse` reads the sequence from its end; whether the output is turned round too is the layer's
    /// `go_backwards`, which a wrapper may leave off.
    pub fn record(layer: &Lstm, recorder: &mut Recorder, inputs: &[Tensor], reverse: bool) -> Vec<Tensor> {
        let Some(input) = inputs.first() else { return Vec::new() };
        let initial = match &inputs[1..] {
            [h, c] => Some([h.clone(), c.clone()]),
            _ => None,
        };
        let run = Run::new(layer, recorder, input, reverse);
        let Outputs { sweep, samples, units, .. } = run.outputs;
        let kept = layer
            .recurrent
            .stateful
            .then(|| ["state_h", "state_c"].map(|name| recorder.state(name, &[samples, units])));
        let begin = initial.as_ref().map(|states| states.each_ref().map(|tensor| tensor.slot.clone())).or(kept.clone());
        let begins = begin.is_none();
        let [h, c] = [&run.slots.sequence.h, &run.slots.c];
        for (states, initial) in [h, c].into_iter().zip(begin.into_iter().flatten()) {
            run.outputs.begin(recorder, states, initial);
        }
        LstmSequence::record(sweep, [samples, units], begins, run.cell, &mut recorder.plan, &run.slots);
        let output = run.outputs.tensor(recorder, h, input.mask.as_ref());
        let states = [(h, "last_h"), (c, "last_c")];
        let last =
            layer.recurrent.return_state.then(|| states.map(|(states, name)| run.outputs.last(recorder, states, name)));
        if let Some([kept_h, kept_c]) = kept {
            run.outputs.keep(recorder, h, kept_h);
            run.outputs.keep(recorder, c, kept_c);
        }
        let given: Vec<Tensor> = std::iter::once(output.clone()).chain(last.iter().flatten().cloned()).collect();
        let ends = Ends { input: input.clone(), initial, output, last };
        recorder.on_backward(move |recorder| run.backward(recorder, &ends));
        recorder.regularize_activity(layer.recurrent.weights.activity_regularizer, &given);
        given
    }

    fn new(layer: &Lstm, recorder: &mut Recorder, input: &Tensor, reverse: bool) -> Run {
        let args = &layer.recurrent;
        let bias = |recorder: &mut Recorder| recorder.variable("bias");
        let Start { outputs, projection, slots } = Start::record(args, recorder, input, reverse, Gates::LSTM, bias);
        let c = recorder.plan.scratch("c", &[outputs.sweep.steps + 1, outputs.samples, args.units]);
        let peepholes = layer.peepholes.then(|| recorder.variable("peephole_kernel"));
        let cell = CellOptions {
            activation: args.activation.of_one(),
            recurrent_activation: args.recurrent_activation.of_one(),
            peepholes: layer.peepholes,
            coupled: layer.coupled_gates,
        };
        let slots = LstmSequenceSlots { sequence: slots, c, peepholes };
        Run { outputs, cell, use_bias: args.use_bias, projection, slots }
    }

    fn backward(&self, recorder: &mut Recorder, ends: &Ends) {
        let dy = recorder.gradient(&ends.output).map(|dy| self.outputs.gradient(recorder, dy));
        let of_states = ends.last.as_ref().map(|last| last.each_ref().map(|state| recorder.gradient(state)));
        let [dh, dc] = of_states.unwrap_or([None, None]);
        if dy.is_none() && dh.is_none() && dc.is_none() {
            return;
        }
        let Outputs { sweep, samples, units, sequences, .. } = self.outputs;
        let seeded = dh.is_some() || dc.is_some();
        let carry = recorder.plan.scratch("carry", &[2, samples, units]);
        if seeded {
            for (i, gradient) in [dc, dh].into_iter().enumerate() {
                let out = self.outputs.at(&carry, i);
                match gradient {
                    Some(x) => Copy::record(false, &mut recorder.plan, CopySlots { x, out }),
                    None => Fill::record(0.0, &mut recorder.plan, FillSlots { out }),
                }
            }
        }
        let LstmSequenceSlots { sequence, c, peepholes } = self.slots.clone();
        let SequenceSlots { u, gates, extras, .. } = sequence;
        let sequence = SequenceGradSlots { u, dy, gates, carry: carry.clone(), extras };
        let initial = ends.initial.as_ref().is_some_and(|[h, _]| h.differentiable);
        let grad = GradSweep { sweep, shape: [samples, units], sequences, seeded, initial };
        let slots = LstmSequenceGradSlots { sequence, c, peepholes };
        LstmSequenceGrad::record(&grad, self.cell, &mut recorder.plan, &slots);
        if let Some([h, c]) = &ends.initial {
            for (i, state) in [c, h].into_iter().enumerate().filter(|(_, state)| state.differentiable) {
                let (out, accumulate) = recorder.gradient_target(state);
                let x = self.outputs.at(&carry, i);
                Copy::record(accumulate, &mut recorder.plan, CopySlots { x, out });
            }
        }
        self.products(recorder, &ends.input);
    }

    /// The gradients of the variables and of the input; `gates` holds the gradients before activation, of all steps.
    fn products(&self, recorder: &mut Recorder, input: &Tensor) {
        let SequenceSlots { gates, h, extras, .. } = &self.slots.sequence;
        if let Some(target) = recorder.variable_gradient("recurrent_kernel") {
            let rows = self.outputs.sweep.steps * self.outputs.samples;
            let (read, mask) = (self.outputs.read(h), extras.dropout.as_ref());
            let shape = [rows, self.outputs.units];
            recurrent_gradient(&mut recorder.plan, shape, &read, mask, gates, target, Gates::LSTM.recurrent);
        }
        if self.slots.peepholes.is_some() {
            self.peephole_gradient(recorder);
        }
        if let Some((db, accumulate)) = self.use_bias.then(|| recorder.variable_gradient("bias")).flatten() {
            self.projection.bias_gradient(&mut recorder.plan, gates, (&db, accumulate));
        }
        self.projection.backward(recorder, input, gates);
    }

    /// Of each gate: the sum over time steps and samples of its gradient times the cell state that it saw.
    fn peephole_gradient(&self, recorder: &mut Recorder) {
        let Some((out, accumulate)) = recorder.variable_gradient("peephole_kernel") else { return };
        let (rows, units) = (self.outputs.sweep.steps * self.outputs.samples, self.outputs.units);
        let (read, made) = (self.outputs.read(&self.slots.c), self.outputs.made(&self.slots.c));
        let plan = &mut recorder.plan;
        for (i, (gate, seen)) in [(0, &read), (1, &read), (3, &made)].into_iter().enumerate() {
            let product = plan.scratch("seen", &[rows, units]);
            let how = CopyHow { multiply: Some(Multiply::Columns(Columns::all(seen, units))), ..CopyHow::default() };
            let (x, to) = (Columns::gate(&self.slots.sequence.gates, units, gate), Columns::all(&product, units));
            CopyColumns::record([rows, units], plan, &x, &to, how);
            let slots = ColumnSumSlots { x: product, out: out.rows(i..i + 1, units) };
            ColumnSum::record([rows, units], accumulate, plan, slots);
        }
    }
}
