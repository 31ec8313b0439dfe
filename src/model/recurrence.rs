//! What recurrent layers share: what comes before their time steps, where their states lie, what of them is given, and in which order.

use super::projection::{Gates, Projection, draw_mask, dropout_mask};
use super::recorder::{Recorder, Tensor};
use super::recurrent::Recurrent;
use crate::kernels::{Columns, Copy, CopyColumns, CopyHow, CopySlots, Extras, Multiply, SequenceSlots, Sweep};
use crate::plan::{ALIGNMENT, Slot};

/// The states of all time steps, `[T+1, N, H]`, and what of them a layer gives.
#[derive(Clone, Debug)]
pub(super) struct Outputs {
    pub sweep: Sweep,
    pub samples: usize,
    pub units: usize,
    /// Whether all time steps' outputs are given.
    pub sequences: bool,
    /// Whether time is turned round in them.
    pub flipped: bool,
    /// `[T, N]`: blanks masked time steps.
    pub blank: Option<Slot>,
}

/// A direction in which a recurrent layer goes through its sequence.
#[derive(Clone, Debug)]
pub(super) struct Direction {
    /// What its wrapper calls it; none of a layer by itself.
    pub part: Option<&'static str>,
    pub input: Tensor,
    /// The initial states, where they are given.
    pub initial: Vec<Tensor>,
    /// From the last time step to the first. Whether the output is turned round too is the layer's `go_backwards`, which a wrapper may
    /// leave off.
    pub reverse: bool,
}

impl Direction {
    /// From a layer's inputs.
    pub fn of(part: Option<&'static str>, inputs: &[Tensor], reverse: bool) -> Option<Direction> {
        let (input, initial) = inputs.split_first()?;
        Some(Direction { part, input: input.clone(), initial: initial.to_vec(), reverse })
    }
}

/// Where the tensors of a direction lie: with those of another one where one binding can show both, so that both can be swept at once.
pub(super) struct Room {
    pub outputs: Outputs,
    gates: Slot,
    h: Slot,
    /// The mask of the dropout of h.
    dropout: Option<Slot>,
}

impl Room {
    /// Of directions over the same sequence, of layers of the same size.
    pub fn of_each(directions: &[(&Recurrent, &Direction)], recorder: &mut Recorder) -> Vec<Room> {
        let samples = recorder.samples;
        let outputs = |&(args, direction): &(&Recurrent, &Direction)| Outputs::new(args, samples, direction);
        let outputs: Vec<Outputs> = directions.iter().map(outputs).collect();
        let Some(Outputs { sweep, units, .. }) = outputs.first() else { return Vec::new() };
        let (count, of_gates, of_mask) = (outputs.len(), [sweep.steps, samples, *units, 4], [samples, *units, 4]);
        let gates = recorder.plan.scratch_each("gates", &of_gates, count);
        let h = Outputs::states(&outputs, recorder, "h");
        let drops = |args: &Recurrent| recorder.mode.is_training() && args.recurrent_dropout != 0.0;
        let dropped: Vec<bool> = directions.iter().map(|(args, _)| drops(args)).collect();
        let masks = dropped.iter().filter(|drops| **drops).count();
        let mut masks = recorder.plan.scratch_each("recurrent_dropout", &of_mask, masks).into_iter();
        let dropout = dropped.into_iter().map(|drops| drops.then(|| masks.next()).flatten());
        let rooms = outputs.into_iter().zip(gates).zip(h.into_iter().zip(dropout));
        rooms.map(|((outputs, gates), (h, dropout))| Room { outputs, gates, h, dropout }).collect()
    }
}

/// What a recurrent layer's time steps are recorded on.
pub(super) struct Start {
    pub outputs: Outputs,
    pub projection: Projection,
    pub slots: SequenceSlots,
}

impl Start {
    /// Records what comes before the time steps: dropout and the projection of all of them.
    pub fn record(
        args: &Recurrent,
        recorder: &mut Recorder,
        input: &Tensor,
        room: Room,
        places: Gates,
        bias: impl FnOnce(&mut Recorder) -> Slot,
    ) -> Start {
        let Room { outputs, gates, h, dropout } = room;
        // As in Keras: only together with recurrent dropout each gate has a mask of its own.
        let masks = if args.recurrent_dropout == 0.0 { 1 } else { 4 };
        let of_x = dropout_mask(recorder, "dropout", args.dropout, args.seed, [input.features, masks]);
        if let Some(mask) = &dropout {
            draw_mask(recorder, "recurrent_dropout", args.recurrent_dropout, args.seed, mask);
        }
        let bias = args.use_bias.then(|| bias(recorder));
        let projection = Projection::record(recorder, input, &gates, places, bias, of_x);
        let extras = Extras { mask: input.mask.clone(), dropout };
        let u = recorder.variable("recurrent_kernel");
        Start { outputs, projection, slots: SequenceSlots { u, gates, h, extras } }
    }
}

impl Outputs {
    fn new(args: &Recurrent, samples: usize, direction: &Direction) -> Outputs {
        let Direction { input, reverse, .. } = direction;
        Outputs {
            sweep: Sweep { steps: input.steps.unwrap_or(1), reverse: *reverse },
            samples,
            units: args.units,
            sequences: args.return_sequences,
            flipped: args.go_backwards,
            blank: input.mask.clone().filter(|_| args.zero_output_for_mask),
        }
    }

    /// Elements of one state.
    pub fn state(&self) -> usize {
        self.samples * self.units
    }

    /// T+1 states for each of some directions, padded in front so that the output, the first state that a step makes or the last alone, lies
    /// where a binding may begin.
    fn states(each: &[Outputs], recorder: &mut Recorder, name: &str) -> Vec<Slot> {
        let place = |outputs: &Outputs| {
            let output = if outputs.sequences { outputs.sweep.first_made() } else { outputs.sweep.last() };
            let before = output * outputs.state();
            let padding = before.next_multiple_of(ALIGNMENT) - before;
            padding..padding + (outputs.sweep.steps + 1) * outputs.state()
        };
        let longest = each.iter().map(|outputs| place(outputs).end).max().unwrap_or(0);
        let rooms = recorder.plan.scratch_each(name, &[longest], each.len());
        rooms.into_iter().zip(each).map(|(room, outputs)| room.range(place(outputs))).collect()
    }

    /// `[T, N, H]`, or `[N, H]` of the last alone.
    fn shape(&self) -> Vec<usize> {
        self.sequences.then_some(self.sweep.steps).into_iter().chain([self.samples, self.units]).collect()
    }

    /// Whether the output is a copy of the states, turned round or blanked.
    fn is_copy(&self) -> bool {
        self.blank.is_some() || (self.sequences && self.flipped)
    }

    /// Lets the gradients of the outputs of two directions lie where one binding can show both.
    pub fn keep_gradients_together(&self, recorder: &mut Recorder, outputs: &[&Tensor]) {
        if outputs.len() > 1 && !self.is_copy() {
            recorder.keep_gradients_together(outputs);
        }
    }

    /// Where dy of some directions goes in the order of time, where it must be copied to be in it.
    pub fn rooms_for_gradients(&self, recorder: &mut Recorder, count: usize) -> Vec<Slot> {
        recorder.plan.scratch_each("dy", &self.shape(), if self.is_copy() { count } else { 0 })
    }

    /// The state at one of T+1 places.
    pub fn at(&self, states: &Slot, place: usize) -> Slot {
        states.rows(place..place + 1, self.state())
    }

    /// Sets an initial state.
    pub fn begin(&self, recorder: &mut Recorder, states: &Slot, x: Slot) {
        let out = self.at(states, self.sweep.initial());
        Copy::record(false, &mut recorder.plan, CopySlots { x, out });
    }

    /// Copies the final state.
    pub fn keep(&self, recorder: &mut Recorder, states: &Slot, out: Slot) {
        let x = self.at(states, self.sweep.last());
        Copy::record(false, &mut recorder.plan, CopySlots { x, out });
    }

    /// The final state as a tensor.
    pub fn last(&self, recorder: &mut Recorder, states: &Slot, name: &str) -> Tensor {
        let last = recorder.new_tensor(name, None, self.units, true);
        self.keep(recorder, states, last.slot.clone());
        last
    }

    /// The states that the time steps read, in the order of time, `[T, N, H]`.
    pub fn read(&self, states: &Slot) -> Slot {
        self.steps_from(states, self.sweep.first_read())
    }

    /// Those that they make.
    pub fn made(&self, states: &Slot) -> Slot {
        self.steps_from(states, self.sweep.first_made())
    }

    fn steps_from(&self, states: &Slot, place: usize) -> Slot {
        states.range(place * self.state()..(place + self.sweep.steps) * self.state())
    }

    /// The layer's output.
    pub fn tensor(&self, recorder: &mut Recorder, states: &Slot, mask: Option<&Slot>) -> Tensor {
        let steps = self.sweep.steps;
        if !self.sequences {
            let last = self.at(states, self.sweep.last());
            if self.blank.is_none() {
                return recorder.tensor(last, None, self.units, true);
            }
            let output = recorder.new_tensor("output", None, self.units, true);
            self.copy_last(recorder, &last, &output.slot);
            return output;
        }
        let mut output = if self.flipped || self.blank.is_some() {
            let output = recorder.new_tensor("output", Some(steps), self.units, true);
            self.copy_all(recorder, &self.made(states), &output.slot, false);
            output
        } else {
            recorder.tensor(self.made(states), Some(steps), self.units, true)
        };
        output.mask = mask.cloned();
        output
    }

    /// dy in the order of time, 0 where the output was blanked; copied into the room for it, where there is one.
    pub fn gradient(&self, recorder: &mut Recorder, dy: Slot, room: Option<Slot>) -> Slot {
        let Some(room) = room else { return dy };
        match self.sequences {
            true => self.copy_all(recorder, &dy, &room, true),
            false => self.copy_last(recorder, &dy, &room),
        }
        room
    }

    /// Copies the time step that is done last, 0 where it is masked and blanked.
    fn copy_last(&self, recorder: &mut Recorder, x: &Slot, out: &Slot) {
        let time = self.sweep.time(self.sweep.steps - 1);
        let blank = self.blank.as_ref().map(|mask| mask.rows(time..time + 1, self.samples));
        self.copy(
            recorder,
            [x, out],
            self.samples,
            CopyHow { multiply: blank.map(Multiply::Rows), ..CopyHow::default() },
        );
    }

    /// Copies all time steps between the order of time and that of the output, in which `x` is or `out`, 0 where they are masked
    /// and blanked.
    fn copy_all(&self, recorder: &mut Recorder, x: &Slot, out: &Slot, x_is_output: bool) {
        let rows = self.sweep.steps * self.samples;
        let blanked = CopyHow { multiply: self.blank.clone().map(Multiply::Rows), ..CopyHow::default() };
        let flipped = CopyHow { flip: Some(self.samples), ..CopyHow::default() };
        match (self.flipped, self.blank.is_some()) {
            (false, _) => self.copy(recorder, [x, out], rows, blanked),
            (true, false) => self.copy(recorder, [x, out], rows, flipped),
            (true, true) => {
                // The mask is in the order of time: it applies on the side that is.
                let between = recorder.plan.scratch("between", &[rows, self.units]);
                let (first, second) = if x_is_output { (flipped, blanked) } else { (blanked, flipped) };
                self.copy(recorder, [x, &between], rows, first);
                self.copy(recorder, [&between, out], rows, second);
            }
        }
    }

    fn copy(&self, recorder: &mut Recorder, [x, out]: [&Slot; 2], rows: usize, how: CopyHow) {
        let [x, out] = [x, out].map(|slot| Columns::all(slot, self.units));
        CopyColumns::record([rows, self.units], &mut recorder.plan, &x, &out, how);
    }
}
