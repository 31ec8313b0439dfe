//! What recurrent layers share: what comes before their time steps, where their states lie, what of them is given, and in which order.

use super::projection::{Gates, Projection, dropout_mask};
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

/// What a recurrent layer's time steps are recorded on.
pub(super) struct Start {
    pub outputs: Outputs,
    pub projection: Projection,
    pub slots: SequenceSlots,
}

impl Start {
    /// Records what comes before the time steps: dropout and the projection of all of them. `reverse` reads the sequence from its end;
    /// whether the output is turned round too is the layer's `go_backwards`, which a wrapper may leave off.
    pub fn record(
        args: &Recurrent,
        recorder: &mut Recorder,
        input: &Tensor,
        reverse: bool,
        places: Gates,
        bias: impl FnOnce(&mut Recorder) -> Slot,
    ) -> Start {
        let (steps, samples, units) = (input.steps.unwrap_or(1), recorder.samples, args.units);
        let mask = input.mask.clone();
        let outputs = Outputs {
            sweep: Sweep { steps, reverse },
            samples,
            units,
            sequences: args.return_sequences,
            flipped: args.go_backwards,
            blank: mask.clone().filter(|_| args.zero_output_for_mask),
        };
        let gates = recorder.plan.scratch("gates", &[steps, samples, units, 4]);
        // As in Keras: only together with recurrent dropout each gate has a mask of its own.
        let masks = if args.recurrent_dropout == 0.0 { 1 } else { 4 };
        let of_x = dropout_mask(recorder, "dropout", args.dropout, args.seed, [input.features, masks]);
        let dropout = dropout_mask(recorder, "recurrent_dropout", args.recurrent_dropout, args.seed, [units, 4]);
        let bias = args.use_bias.then(|| bias(recorder));
        let projection = Projection::record(recorder, input, &gates, places, bias, of_x);
        let (u, h) = (recorder.variable("recurrent_kernel"), outputs.states(recorder, "h"));
        Start { outputs, projection, slots: SequenceSlots { u, gates, h, extras: Extras { mask, dropout } } }
    }
}

impl Outputs {
    /// Elements of one state.
    pub fn state(&self) -> usize {
        self.samples * self.units
    }

    /// A buffer of T+1 states, padded in front so that the output, the first state that a step makes or the last alone, lies where a
    /// binding may begin.
    pub fn states(&self, recorder: &mut Recorder, name: &str) -> Slot {
        let output = if self.sequences { self.sweep.first_made() } else { self.sweep.last() };
        let before = output * self.state();
        let padding = before.next_multiple_of(ALIGNMENT) - before;
        let padded = recorder.plan.scratch(name, &[padding + (self.sweep.steps + 1) * self.state()]);
        padded.range(padding..padded.len)
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

    /// dy in the order of time, 0 where the output was blanked.
    pub fn gradient(&self, recorder: &mut Recorder, dy: Slot) -> Slot {
        match (self.sequences, self.flipped || self.blank.is_some()) {
            (true, true) => {
                let natural = recorder.plan.scratch("dy", &[self.sweep.steps, self.samples, self.units]);
                self.copy_all(recorder, &dy, &natural, true);
                natural
            }
            (false, _) if self.blank.is_some() => {
                let blanked = recorder.plan.scratch("dy", &[self.samples, self.units]);
                self.copy_last(recorder, &dy, &blanked);
                blanked
            }
            _ => dy,
        }
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
