//! How an LSTM records itself: projection of all time steps, the recurrence step by step, and their gradients.

use super::Lstm;
use crate::kernels::{
    CellOptions, ColumnSum, ColumnSumSlots, Columns, Copy, CopyColumns, CopyHow, CopySlots, Fill, FillSlots, GradSweep,
    LstmSequence, LstmSequenceGrad, LstmSequenceGradSlots, LstmSequenceSlots, Multiply, SequenceGradSlots,
    SequenceSlots,
};
use crate::model::projection::{Gates, Projection, recurrent_gradient};
use crate::model::recorder::{Recorder, Tensor};
use crate::model::recurrence::{Direction, Outputs, Room, Start};
use crate::plan::{Plan, Slot};

/// One use of the layer in a plan, in one direction.
pub(super) struct Run {
    /// What a wrapper calls the direction.
    part: Option<&'static str>,
    outputs: Outputs,
    cell: CellOptions,
    use_bias: bool,
    /// Where the states begin and end that are kept from batch to batch.
    kept: Option<[Slot; 2]>,
    /// Whether the states begin with zeros.
    begins: bool,
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

/// The gradients that have reached a run: of the output, and of the final c and h.
struct Reached<'a> {
    run: &'a Run,
    ends: &'a Ends,
    dy: Option<Slot>,
    states: [Option<Slot>; 2],
}

impl Run {
    /// Records layers of one size that read the same sequence, each in a direction; what each gives.
    pub fn record(directions: &[(Lstm, Direction)], recorder: &mut Recorder) -> Vec<Vec<Tensor>> {
        let args: Vec<_> = directions.iter().map(|(layer, direction)| (&layer.recurrent, direction)).collect();
        let rooms = Room::of_each(&args, recorder);
        let Some(Outputs { sweep, samples, units, .. }) = rooms.first().map(|room| room.outputs.clone()) else {
            return Vec::new();
        };
        let c = recorder.plan.scratch_each("c", &[sweep.steps + 1, samples, units], rooms.len());
        let mut runs = Vec::with_capacity(rooms.len());
        for ((layer, direction), (room, c)) in directions.iter().zip(rooms.into_iter().zip(c)) {
            let begin = |recorder: &mut Recorder| Run::begin(layer, recorder, direction, room, c);
            runs.push(recorder.within(direction.part, begin));
        }
        Run::sweep(&runs, &mut recorder.plan);
        let mut all = Vec::with_capacity(runs.len());
        for (run, (layer, direction)) in runs.into_iter().zip(directions) {
            let return_state = layer.recurrent.return_state;
            let ends = recorder.within(run.part, |recorder| run.end(recorder, direction, return_state));
            all.push((run, ends));
        }
        let outputs: Vec<&Tensor> = all.iter().map(|(_, ends)| &ends.output).collect();
        all[0].0.outputs.keep_gradients_together(recorder, &outputs);
        let given: Vec<Vec<Tensor>> = all.iter().map(|(_, ends)| ends.given()).collect();
        recorder.on_backward(move |recorder| Run::backward(&all, recorder));
        for ((layer, direction), given) in directions.iter().zip(&given) {
            let regularizer = layer.recurrent.weights.activity_regularizer;
            recorder.within(direction.part, |recorder| recorder.regularize_activity(regularizer, given));
        }
        given
    }

    /// What comes before the time steps.
    fn begin(layer: &Lstm, recorder: &mut Recorder, direction: &Direction, room: Room, c: Slot) -> Run {
        let args = &layer.recurrent;
        let bias = |recorder: &mut Recorder| recorder.variable("bias");
        let start = Start::record(args, recorder, &direction.input, room, Gates::LSTM, bias);
        let Start { outputs, projection, slots } = start;
        let peepholes = layer.peepholes.then(|| recorder.variable("peephole_kernel"));
        let cell = CellOptions {
            activation: args.activation.of_one(),
            recurrent_activation: args.recurrent_activation.of_one(),
            peepholes: layer.peepholes,
            coupled: layer.coupled_gates,
        };
        let shape = [outputs.samples, outputs.units];
        let kept = args.stateful.then(|| ["state_h", "state_c"].map(|name| recorder.state(name, &shape)));
        let slots = LstmSequenceSlots { sequence: slots, c, peepholes };
        let begin = match &direction.initial[..] {
            [h, c] => Some([h.slot.clone(), c.slot.clone()]),
            _ => kept.clone(),
        };
        let begins = begin.is_none();
        for (states, initial) in [&slots.sequence.h, &slots.c].into_iter().zip(begin.into_iter().flatten()) {
            outputs.begin(recorder, states, initial);
        }
        Run { part: direction.part, outputs, cell, use_bias: args.use_bias, kept, begins, projection, slots }
    }

    /// The time steps, of two directions at once where that can be.
    fn sweep(runs: &[Run], plan: &mut Plan) {
        let shape = |run: &Run| [run.outputs.samples, run.outputs.units];
        match runs {
            [a, b] => {
                let (cells, slots) = ([a.cell, b.cell], [&a.slots, &b.slots]);
                LstmSequence::record_both(a.outputs.sweep, shape(a), a.begins, cells, plan, slots);
            }
            others => others.iter().for_each(|run| {
                LstmSequence::record(run.outputs.sweep, shape(run), run.begins, run.cell, plan, &run.slots);
            }),
        }
    }

    /// What comes after the time steps.
    fn end(&self, recorder: &mut Recorder, direction: &Direction, return_state: bool) -> Ends {
        let (outputs, [h, c]) = (&self.outputs, [&self.slots.sequence.h, &self.slots.c]);
        let output = outputs.tensor(recorder, h, direction.input.mask.as_ref());
        let states = [(h, "last_h"), (c, "last_c")];
        let last = return_state.then(|| states.map(|(states, name)| outputs.last(recorder, states, name)));
        if let Some([kept_h, kept_c]) = &self.kept {
            outputs.keep(recorder, h, kept_h.clone());
            outputs.keep(recorder, c, kept_c.clone());
        }
        let initial = match &direction.initial[..] {
            [h, c] => Some([h.clone(), c.clone()]),
            _ => None,
        };
        Ends { input: direction.input.clone(), initial, output, last }
    }

    fn backward(all: &[(Run, Ends)], recorder: &mut Recorder) {
        let reached: Vec<Reached<'_>> = all.iter().filter_map(|(run, ends)| run.reached(ends, recorder)).collect();
        let Some(Outputs { samples, units, .. }) = reached.first().map(|reached| &reached.run.outputs) else { return };
        let carries = recorder.plan.scratch_each("carry", &[2, *samples, *units], reached.len());
        let turned = reached.iter().filter(|reached| reached.dy.is_some()).count();
        let mut rooms = reached[0].run.outputs.rooms_for_gradients(recorder, turned).into_iter();
        let mut sweeps = Vec::with_capacity(reached.len());
        for (reached, carry) in reached.iter().zip(&carries) {
            let room = if reached.dy.is_some() { rooms.next() } else { None };
            sweeps.push(recorder.within(reached.run.part, |recorder| reached.begin(recorder, room, carry)));
        }
        let plan = &mut recorder.plan;
        match &sweeps[..] {
            [(grad, a), (back, b)] => {
                let cells = [reached[0].run.cell, reached[1].run.cell];
                LstmSequenceGrad::record_both([grad, back], cells, plan, [a, b]);
            }
            others => others.iter().zip(&reached).for_each(|((grad, slots), reached)| {
                LstmSequenceGrad::record(grad, reached.run.cell, plan, slots);
            }),
        }
        for (reached, carry) in reached.iter().zip(&carries).rev() {
            recorder.within(reached.run.part, |recorder| reached.end(recorder, carry));
        }
    }

    /// Nothing where no gradient has.
    fn reached<'a>(&'a self, ends: &'a Ends, recorder: &Recorder) -> Option<Reached<'a>> {
        let dy = recorder.gradient(&ends.output);
        let of_states = ends.last.as_ref().map(|last| last.each_ref().map(|state| recorder.gradient(state)));
        let [dh, dc] = of_states.unwrap_or([None, None]);
        let any = dy.is_some() || dh.is_some() || dc.is_some();
        any.then_some(Reached { run: self, ends, dy, states: [dc, dh] })
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

impl Ends {
    /// What the layer gives.
    fn given(&self) -> Vec<Tensor> {
        std::iter::once(&self.output).chain(self.last.iter().flatten()).cloned().collect()
    }
}

impl Reached<'_> {
    /// Records what comes before the time steps backwards, and says what they need.
    fn begin(&self, recorder: &mut Recorder, room: Option<Slot>, carry: &Slot) -> (GradSweep, LstmSequenceGradSlots) {
        let Run { outputs, slots, .. } = self.run;
        let dy = self.dy.clone().map(|dy| outputs.gradient(recorder, dy, room));
        let seeded = self.states.iter().any(Option::is_some);
        for (i, gradient) in self.states.iter().enumerate().filter(|_| seeded) {
            let out = outputs.at(carry, i);
            match gradient.clone() {
                Some(x) => Copy::record(false, &mut recorder.plan, CopySlots { x, out }),
                None => Fill::record(0.0, &mut recorder.plan, FillSlots { out }),
            }
        }
        let LstmSequenceSlots { sequence, c, peepholes } = slots.clone();
        let SequenceSlots { u, gates, extras, .. } = sequence;
        let sequence = SequenceGradSlots { u, dy, gates, carry: carry.clone(), extras };
        let initial = self.ends.initial.as_ref().is_some_and(|[h, _]| h.differentiable);
        let Outputs { sweep, samples, units, sequences, .. } = *outputs;
        let grad = GradSweep { sweep, shape: [samples, units], sequences, seeded, initial };
        (grad, LstmSequenceGradSlots { sequence, c, peepholes })
    }

    /// Records what comes after them.
    fn end(&self, recorder: &mut Recorder, carry: &Slot) {
        if let Some([h, c]) = &self.ends.initial {
            for (i, state) in [c, h].into_iter().enumerate().filter(|(_, state)| state.differentiable) {
                let (out, accumulate) = recorder.gradient_target(state);
                let x = self.run.outputs.at(carry, i);
                Copy::record(accumulate, &mut recorder.plan, CopySlots { x, out });
            }
        }
        self.run.products(recorder, &self.ends.input);
    }
}
