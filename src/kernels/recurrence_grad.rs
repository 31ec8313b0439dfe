//! What recurrences share backwards, whatever their cell: their parameters, and what they are recorded on.

use std::ops::Range;

use super::info::params;
use super::recurrence::{Extras, handed_back};
use super::recurrence_engine::{Engine, Pass};
use super::{Dispatch, Real, Sweep};
use crate::plan::{Plan, Slot};

params! {
    /// Consecutive time steps of a recurrence backwards, the last done first.
    pub struct SequenceGrad {
        /// N.
        pub rows: u32,
        /// H.
        pub units: u32,
        /// How many time steps; 0 where only dh of the initial state is wanted.
        pub steps: u32,
        /// 1: the forward pass went from the last of them to the first.
        pub reverse: u32,
        /// Where the gates of the earliest step begin, in groups of four; set by `record`, as all offsets.
        pub gates_at: u32,
        /// Where begins the earliest of the states that the cell's gradient reads, before and after the steps: c of an LSTM, h of a
        /// GRU.
        pub states_at: u32,
        /// Where dy begins, of the earliest step or of the only one that has it.
        pub dy_at: u32,
        /// Where the earliest step's mask begins.
        pub mask_at: u32,
        /// 0: the outputs are not read but by the next steps; 1: only that of the step done last is; 2: every step's.
        pub has_dy: u32,
        /// 1: a step done later than these reads their last state, and its gates' gradients lie next to theirs.
        pub has_next: u32,
        /// What `carry` brings to the step done last, in the words of its cell; 0: nothing.
        pub carried: u32,
        /// 1: dh of the state before these steps is left in `carry`.
        pub initial: u32,
    }
}

/// What all recurrences read and write backwards, over all time steps.
#[derive(Clone, Debug)]
pub struct SequenceGradSlots {
    /// `[H, H, 4]` recurrent kernel
    pub u: Slot,
    /// `[T, N, H]`, or `[N, H]` where only the last output is used; none where only the states are
    pub dy: Option<Slot>,
    /// `[T, N, H, 4]` what was saved of the gates, overwritten with their gradients before activation
    pub gates: Slot,
    /// What is handed on from step to step; begins with the gradients of the final states.
    pub carry: Slot,
    /// What is switched on by being there.
    pub extras: Extras,
}

/// Of a sweep, what its gradient needs to know beside the slots.
#[derive(Clone, Copy, Debug)]
pub struct GradSweep {
    /// The order of the forward pass.
    pub sweep: Sweep,
    /// N and H.
    pub shape: [usize; 2],
    /// Whether dy is of all time steps.
    pub sequences: bool,
    /// Whether `carry` holds the gradients of the final states.
    pub seeded: bool,
    /// Whether the gradients of the initial states are wanted, in `carry`.
    pub initial: bool,
}

/// What `carry` brings, in the words of a cell.
#[derive(Clone, Copy)]
pub(super) struct Carried {
    /// The gradients of the final states.
    pub seed: u32,
    /// What a step leaves to the one done before it.
    pub step: u32,
    /// What the first step leaves for dh of the state before it.
    pub initial: u32,
}

/// The time steps of one step of a plan, as its cell completes it.
pub(super) struct GradChunk {
    /// All but `states_at`.
    pub params: SequenceGrad,
    /// The states before and after them.
    pub states: Range<usize>,
    pub gates: Slot,
    pub dy: Slot,
    pub mask: Slot,
    pub dropout: Slot,
}

impl GradSweep {
    /// What the gradient of all time steps needs, in the order in which it is done: one step, or several where bindings are too small
    /// for one.
    pub(super) fn chunks(&self, plan: &mut Plan, slots: &SequenceGradSlots, carried: Carried) -> Vec<GradChunk> {
        let [rows, units] = self.shape;
        let chunks = self.sweep.chunks(plan, 4 * rows * units, 1);
        let of = |(number, times): (usize, &Range<usize>)| {
            let last = number + 1 == chunks.len();
            let params = SequenceGrad {
                rows: rows as u32,
                units: units as u32,
                steps: times.len() as u32,
                reverse: self.sweep.reverse.into(),
                has_dy: match (&slots.dy, self.sequences) {
                    (Some(_), true) => 2,
                    (Some(_), false) => last.into(),
                    (None, _) => 0,
                },
                has_next: (!last).into(),
                carried: match (last, self.seeded) {
                    (true, true) => carried.seed,
                    (true, false) => 0,
                    (false, _) => carried.step,
                },
                initial: (self.initial && number == 0).into(),
                ..bytemuck::Zeroable::zeroed()
            };
            self.chunk(times.clone(), params, plan, slots)
        };
        chunks.iter().enumerate().rev().map(of).collect()
    }

    fn chunk(
        &self,
        times: Range<usize>,
        params: SequenceGrad,
        plan: &mut Plan,
        slots: &SequenceGradSlots,
    ) -> GradChunk {
        let [rows, units] = self.shape;
        let size = rows * units;
        // With the step that was done after these.
        let (before, behind) = match (params.has_next != 0, self.sweep.reverse) {
            (false, _) => (0, 0),
            (true, true) => (1, 0),
            (true, false) => (0, 1),
        };
        let shown = times.start - before..times.end + behind;
        let (gates, gates_at) = plan.window(&slots.gates, 4 * shown.start * size..4 * shown.end * size);
        let (dy, dy_at) = match &slots.dy {
            Some(dy) if self.sequences => plan.window(dy, times.start * size..times.end * size),
            Some(dy) => plan.window(dy, 0..size),
            None => (plan.nothing(), 0),
        };
        let ([mask, dropout], mask_at) = slots.extras.bound(plan, shown, rows);
        let gates_at = gates_at / 4 + (before * size) as u32;
        let mask_at = mask_at + if slots.extras.mask.is_some() { (before * rows) as u32 } else { 0 };
        let states = times.start * size..(times.end + 1) * size;
        GradChunk { params: SequenceGrad { gates_at, dy_at, mask_at, ..params }, states, gates, dy, mask, dropout }
    }
}

impl SequenceGrad {
    pub(super) fn size(&self) -> usize {
        (self.rows * self.units) as usize
    }

    /// Consecutive steps of these by themselves, by their numbers in the order of the forward pass.
    fn range(&self, carried: Carried, numbers: Range<u32>) -> Self {
        let offset = Sweep::earliest(self.steps, self.reverse, &numbers);
        let at = offset * self.rows * self.units;
        let last = numbers.end == self.steps;
        SequenceGrad {
            steps: numbers.end - numbers.start,
            gates_at: self.gates_at + at,
            states_at: self.states_at + at,
            dy_at: self.dy_at + if self.has_dy == 2 { at } else { 0 },
            mask_at: self.mask_at + offset * self.rows,
            has_dy: if last || self.has_dy == 2 { self.has_dy } else { 0 },
            has_next: if last { self.has_next } else { 1 },
            carried: if last { self.carried } else { carried.step },
            initial: 0,
            ..*self
        }
    }

    /// What is left to do after the steps for dh of the state before them.
    fn before_all(&self, carried: Carried) -> Self {
        let offset = if self.steps == 0 { 0 } else { Sweep::earliest(self.steps, self.reverse, &(0..1)) };
        let gates_at = self.gates_at + offset * self.rows * self.units;
        let mask_at = self.mask_at + offset * self.rows;
        SequenceGrad {
            steps: 0,
            gates_at,
            mask_at,
            has_dy: 0,
            has_next: 1,
            carried: carried.initial,
            initial: 1,
            ..*self
        }
    }

    /// The steps one by one, in the order in which they are done here.
    pub(super) fn one_by_one(&self, carried: Carried) -> Vec<Self> {
        let initial = (self.initial != 0).then(|| self.before_all(carried));
        (0..self.steps).rev().map(|k| self.range(carried, k..k + 1)).chain(initial).collect()
    }

    /// What a variant dispatches.
    pub(super) fn dispatches(&self, variant: usize, carried: Carried, pass: &Pass) -> Vec<Dispatch<Self>> {
        let (shape, engine) = ([self.rows, self.units], Engine::of(variant));
        let ranges = engine.ranges(self.steps, shape, pass).into_iter().rev();
        let mut all = engine.dispatches(ranges.map(|numbers| self.range(carried, numbers)), shape, pass);
        if self.initial != 0 {
            let grid = Engine::step_grid(shape);
            all.push(Dispatch { entry: "main", params: self.before_all(carried), grid });
        }
        all
    }

    /// Of a single step: where what is of the step that reads its state begins, if its own begins `at` and is `len` long.
    pub(super) fn next_at(&self, at: u32, len: usize) -> usize {
        match (self.steps, self.reverse) {
            (0, _) => at as usize,
            (_, 0) => at as usize + len,
            _ => at as usize - len,
        }
    }

    /// Of a single step: where the state that it read, and the one that it made, lie behind the earliest.
    pub(super) fn states(&self) -> [usize; 2] {
        if self.reverse != 0 { [self.size(), 0] } else { [0, self.size()] }
    }

    /// Of a single step: the elements of the gates that no later step changes.
    pub(super) fn settled(&self) -> Option<Range<usize>> {
        let at = 4 * self.gates_at as usize;
        (self.steps != 0).then(|| at..at + 4 * self.size())
    }

    /// Of a single step: where the earliest gates that it sees begin, and where the latest end, in groups of four.
    pub(super) fn seen_gates(&self) -> Range<usize> {
        let at = self.gates_at as usize;
        let next = if self.has_next != 0 { self.next_at(self.gates_at, self.size()) } else { at };
        at.min(next)..at.max(next) + self.size()
    }

    /// Multiplications and additions of so many products with a gate's weights for every step that has a successor.
    pub(super) fn flops(&self, products: f64) -> f64 {
        let successors = (self.steps + self.has_next + self.initial).saturating_sub(1);
        2.0 * products * successors as f64 * self.size() as f64 * self.units as f64
    }
}

/// What the reference of a single step reads besides the states.
pub(super) struct Reaching<'a, T> {
    /// The gates that saw h.
    pub gates: &'static [usize],
    pub u: &'a [T],
    pub dy: &'a [T],
    pub mask: Option<&'a [T]>,
    pub dropout: Option<&'a [T]>,
}

impl<T: Real> Reaching<'_, T> {
    /// Whether a row keeps its state in the step.
    pub(super) fn keeps(&self, p: &SequenceGrad, row: usize) -> bool {
        p.steps != 0 && self.masks(p.mask_at as usize + row)
    }

    fn masks(&self, at: usize) -> bool {
        self.mask.is_some_and(|mask| mask[at] == T::zero())
    }

    /// What h of one row and unit is multiplied by for each gate.
    pub(super) fn seen(&self, p: &SequenceGrad, row: usize, unit: usize) -> Option<&[T]> {
        self.dropout.map(|dropout| &dropout[4 * (row * p.units as usize + unit)..][..4])
    }

    /// What reaches h of one row and unit beside what is carried; `dz` holds the gradients of all gates.
    pub(super) fn dh(&self, p: &SequenceGrad, dz: &[T], row: usize, unit: usize) -> T {
        let units = p.units as usize;
        let mut dh = T::zero();
        if p.has_next != 0 && !self.masks(p.next_at(p.mask_at, p.rows as usize) + row) {
            let dz = &dz[4 * (p.next_at(p.gates_at, p.size()) + row * units)..][..4 * units];
            dh = handed_back(self.gates, dz, self.weights(units, unit), self.seen(p, row, unit));
        }
        if p.has_dy != 0 { dh + self.dy[p.dy_at as usize + row * units + unit] } else { dh }
    }

    /// The weights `[H, 4]` of one unit of h.
    pub(super) fn weights(&self, units: usize, unit: usize) -> &[T] {
        &self.u[4 * unit * units..4 * (unit + 1) * units]
    }
}
