//! How a GRU records itself: projection of all time steps, the recurrence, and their gradients.

use super::Gru;
use crate::kernels::{
    Copy, CopySlots, GradSweep, GruCell, GruSequence, GruSequenceGrad, GruSequenceGradSlots, GruSequenceSlots,
    SequenceGradSlots, SequenceSlots,
};
use crate::model::projection::{Gates, Projection, copy_places, gate_gradient, recurrent_gradient};
use crate::model::recorder::{Recorder, Tensor};
use crate::model::recurrence::{Direction, Outputs, Room, Start};
use crate::plan::{Plan, Slot};

/// One use of the layer in a plan, in one direction.
pub(super) struct Run {
    /// What a wrapper calls the direction.
    part: Option<&'static str>,
    outputs: Outputs,
    cell: GruCell,
    use_bias: bool,
    /// Where the state begins and ends that is kept from batch to batch.
    kept: Option<Slot>,
    /// Whether the state begins with zeros.
    begins: bool,
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

/// The gradients that have reached a run: of the output, and of the final state.
struct Reached<'a> {
    run: &'a Run,
    ends: &'a Ends,
    dy: Option<Slot>,
    dh: Option<Slot>,
}

impl Run {
    /// Records layers of one size that read the same sequence, each in a direction; what each gives.
    pub fn record(directions: &[(Gru, Direction)], recorder: &mut Recorder) -> Vec<Vec<Tensor>> {
        let args: Vec<_> = directions.iter().map(|(layer, direction)| (&layer.recurrent, direction)).collect();
        let rooms = Room::of_each(&args, recorder);
        let Some(Outputs { sweep, samples, units, .. }) = rooms.first().map(|room| room.outputs.clone()) else {
            return Vec::new();
        };
        let resets = directions.iter().filter(|(layer, _)| !layer.reset_after).count();
        let mut resets = recorder.plan.scratch_each("reset", &[sweep.steps, samples, units], resets).into_iter();
        let mut runs = Vec::with_capacity(rooms.len());
        for ((layer, direction), room) in directions.iter().zip(rooms) {
            let reset = if layer.reset_after { None } else { resets.next() };
            let begin = |recorder: &mut Recorder| Run::begin(layer, recorder, direction, room, reset);
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
    fn begin(layer: &Gru, recorder: &mut Recorder, direction: &Direction, room: Room, reset: Option<Slot>) -> Run {
        let args = &layer.recurrent;
        let bias = |recorder: &mut Recorder| whole_bias(recorder, args.units);
        let start = Start::record(args, recorder, &direction.input, room, Gates::GRU, bias);
        let Start { outputs, projection, slots } = start;
        let cell = GruCell {
            activation: args.activation.of_one(),
            recurrent_activation: args.recurrent_activation.of_one(),
            reset_after: layer.reset_after,
        };
        let kept = args.stateful.then(|| recorder.state("state_h", &[outputs.samples, outputs.units]));
        let begin = direction.initial.first().map(|tensor| tensor.slot.clone()).or(kept.clone());
        let begins = begin.is_none();
        if let Some(begin) = begin {
            outputs.begin(recorder, &slots.h, begin);
        }
        let slots = GruSequenceSlots { sequence: slots, reset };
        Run { part: direction.part, outputs, cell, use_bias: args.use_bias, kept, begins, projection, slots }
    }

    /// The time steps, of two directions at once where that can be.
    fn sweep(runs: &[Run], plan: &mut Plan) {
        let shape = |run: &Run| [run.outputs.samples, run.outputs.units];
        match runs {
            [a, b] => {
                let (cells, slots) = ([a.cell, b.cell], [&a.slots, &b.slots]);
                GruSequence::record_both(a.outputs.sweep, shape(a), a.begins, cells, plan, slots);
            }
            others => others.iter().for_each(|run| {
                GruSequence::record(run.outputs.sweep, shape(run), run.begins, run.cell, plan, &run.slots);
            }),
        }
    }

    /// What comes after the time steps.
    fn end(&self, recorder: &mut Recorder, direction: &Direction, return_state: bool) -> Ends {
        let (outputs, h) = (&self.outputs, &self.slots.sequence.h);
        let output = outputs.tensor(recorder, h, direction.input.mask.as_ref());
        let last = return_state.then(|| outputs.last(recorder, h, "last_h"));
        if let Some(kept) = &self.kept {
            outputs.keep(recorder, h, kept.clone());
        }
        Ends { input: direction.input.clone(), initial: direction.initial.first().cloned(), output, last }
    }

    fn backward(all: &[(Run, Ends)], recorder: &mut Recorder) {
        let reached: Vec<Reached<'_>> = all.iter().filter_map(|(run, ends)| run.reached(ends, recorder)).collect();
        let Some(Outputs { samples, units, .. }) = reached.first().map(|reached| &reached.run.outputs) else { return };
        let carries = recorder.plan.scratch_each("carry", &[*samples, *units], reached.len());
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
                GruSequenceGrad::record_both([grad, back], cells, plan, [a, b]);
            }
            others => others.iter().zip(&reached).for_each(|((grad, slots), reached)| {
                GruSequenceGrad::record(grad, reached.run.cell, plan, slots);
            }),
        }
        for (reached, carry) in reached.iter().zip(&carries).rev() {
            recorder.within(reached.run.part, |recorder| reached.end(recorder, carry));
        }
    }

    /// Nothing where no gradient has.
    fn reached<'a>(&'a self, ends: &'a Ends, recorder: &Recorder) -> Option<Reached<'a>> {
        let dy = recorder.gradient(&ends.output);
        let dh = ends.last.as_ref().and_then(|last| recorder.gradient(last));
        (dy.is_some() || dh.is_some()).then_some(Reached { run: self, ends, dy, dh })
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

impl Ends {
    /// What the layer gives.
    fn given(&self) -> Vec<Tensor> {
        std::iter::once(&self.output).chain(&self.last).cloned().collect()
    }
}

impl Reached<'_> {
    /// Records what comes before the time steps backwards, and says what they need.
    fn begin(&self, recorder: &mut Recorder, room: Option<Slot>, carry: &Slot) -> (GradSweep, GruSequenceGradSlots) {
        let Run { outputs, slots, .. } = self.run;
        let dy = self.dy.clone().map(|dy| outputs.gradient(recorder, dy, room));
        if let Some(x) = self.dh.clone() {
            Copy::record(false, &mut recorder.plan, CopySlots { x, out: carry.clone() });
        }
        let SequenceSlots { u, gates, h, extras } = slots.sequence.clone();
        let sequence = SequenceGradSlots { u, dy, gates, carry: carry.clone(), extras };
        let initial = self.ends.initial.as_ref().is_some_and(|initial| initial.differentiable);
        let Outputs { sweep, samples, units, sequences, .. } = *outputs;
        let grad = GradSweep { sweep, shape: [samples, units], sequences, seeded: self.dh.is_some(), initial };
        (grad, GruSequenceGradSlots { sequence, h })
    }

    /// Records what comes after them.
    fn end(&self, recorder: &mut Recorder, carry: &Slot) {
        let Reached { run, ends, .. } = self;
        if let Some(initial) = ends.initial.as_ref().filter(|initial| initial.differentiable) {
            let (out, accumulate) = recorder.gradient_target(initial);
            Copy::record(accumulate, &mut recorder.plan, CopySlots { x: carry.clone(), out });
        }
        run.recurrent_gradient(recorder);
        if let Some(db) = run.use_bias.then(|| recorder.variable_gradient("bias")).flatten() {
            run.bias_gradient(recorder, db);
        }
        run.projection.backward(recorder, &ends.input, &run.slots.sequence.gates);
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
