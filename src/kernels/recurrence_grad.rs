//! What recurrences share backwards, whatever their cell: their parameters, and what they are recorded on.

use std::ops::Range;

use super::info::params;
use super::recurrence::{Extras, both_or_none, handed_back};
use super::recurrence_engine::{Engine, Pass, Shape};
use super::{Dispatch, Real, Sweep};
use crate::plan::{Plan, Slot};

params! {
    /// Consecutive time steps of a recurrence backwards, the last done first, of one direction or of two at once, as forwards.
    pub struct SequenceGrad {
        /// N.
        pub rows: u32,
        /// H.
        pub units: u32,
        /// How many time steps; 0 where only dh of the initial state is wanted.
        pub steps: u32,
        /// 1 or 2.
        pub directions: u32,
        /// 1: the forward pass of the first direction went from the last of them to the first.
        pub reverse: u32,
        /// 0: the outputs are not read but by the next steps; 1: only that of the step done last is; 2: every step's.
        pub has_dy: u32,
        /// 1: a step done later than these reads their last state, and its gates' gradients lie next to theirs.
        pub has_next: u32,
        /// What `carry` brings to the step done last, in the words of its cell; 0: nothing.
        pub carried: u32,
        /// 1: dh of the state before these steps is left in `carry`.
        pub initial: u32,
        /// Where U begins, in groups of four; set by `record`, as all offsets.
        pub u_at: u32,
        /// Where the gates of the earliest step begin, in groups of four.
        pub gates_at: u32,
        /// Where begins the earliest of the states that the cell's gradient reads, before and after the steps: c of an LSTM, h of a
        /// GRU.
        pub states_at: u32,
        /// Where dy begins, of the earliest step or of the only one that has it.
        pub dy_at: u32,
        /// Where what is carried begins.
        pub carry_at: u32,
        /// Where the earliest step's mask begins.
        pub mask_at: u32,
        /// Where the dropout of h begins, in groups of four.
        pub dropout_at: u32,
        /// Where an LSTM's peepholes begin.
        pub peepholes_at: u32,
        /// The same places of a second direction: of U,
        pub second_u_at: u32,
        /// of the gates,
        pub second_gates_at: u32,
        /// of the states,
        pub second_states_at: u32,
        /// of dy,
        pub second_dy_at: u32,
        /// of what is carried,
        pub second_carry_at: u32,
        /// of the mask,
        pub second_mask_at: u32,
        /// of the dropout,
        pub second_dropout_at: u32,
        /// and of the peepholes.
        pub second_peepholes_at: u32,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// All but `states_at` and `peepholes_at`.
    pub params: SequenceGrad,
    /// The states before and after them.
    pub states: Range<usize>,
    pub u: Slot,
    pub gates: Slot,
    pub dy: Slot,
    pub carry: Slot,
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
                directions: 1,
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

    /// What the gradients of two directions need in one step, the second of which goes against this sweep; nothing where one step cannot
    /// do both.
    pub(super) fn both(
        &self,
        plan: &mut Plan,
        [first, second]: [&SequenceGradSlots; 2],
        carried: Carried,
    ) -> Option<GradChunk> {
        let ([rows, units], steps) = (self.shape, self.sweep.steps);
        let (u, u_at) = plan.window_of_both(&first.u, &second.u)?;
        let (gates, gates_at) = plan.window_of_both(&first.gates, &second.gates)?;
        let (carry, carry_at) = plan.window_of_both(&first.carry, &second.carry)?;
        let (dy, dy_at) = both_or_none(plan, [first.dy.as_ref(), second.dy.as_ref()])?;
        let extras = [&first.extras, &second.extras];
        let ([mask, dropout], mask_at, dropout_at) = Extras::bound_of_both(plan, extras, [steps, rows])?;
        let params = |i: usize| SequenceGrad {
            rows: rows as u32,
            units: units as u32,
            steps: steps as u32,
            directions: 1,
            reverse: self.sweep.reverse.into(),
            has_dy: if first.dy.is_some() { 1 + u32::from(self.sequences) } else { 0 },
            has_next: 0,
            carried: if self.seeded { carried.seed } else { 0 },
            initial: self.initial.into(),
            u_at: u_at[i] / 4,
            gates_at: gates_at[i] / 4,
            dy_at: dy_at[i],
            carry_at: carry_at[i],
            mask_at,
            dropout_at: dropout_at[i],
            ..bytemuck::Zeroable::zeroed()
        };
        let states = 0..(steps + 1) * rows * units;
        Some(GradChunk { params: params(0).with(params(1)), states, u, gates, dy, carry, mask, dropout })
    }

    /// Whether the gradient of another direction can be taken together with this one's.
    pub(super) fn matches(&self, other: &GradSweep) -> bool {
        *self == GradSweep { sweep: other.sweep.back(), ..*other }
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
        let params = SequenceGrad { gates_at, dy_at, mask_at, ..params };
        let (u, carry) = (slots.u.clone(), slots.carry.clone());
        GradChunk { params, states, u, gates, dy, carry, mask, dropout }
    }
}

impl SequenceGrad {
    pub(super) fn size(&self) -> usize {
        (self.rows * self.units) as usize
    }

    pub(super) fn shape(&self) -> Shape {
        [self.rows, self.units, self.directions]
    }

    /// With a second direction.
    fn with(self, second: Self) -> Self {
        SequenceGrad {
            directions: 2,
            second_u_at: second.u_at,
            second_gates_at: second.gates_at,
            second_states_at: second.states_at,
            second_dy_at: second.dy_at,
            second_carry_at: second.carry_at,
            second_mask_at: second.mask_at,
            second_dropout_at: second.dropout_at,
            second_peepholes_at: second.peepholes_at,
            ..self
        }
    }

    /// With the places of what only a cell knows, for each direction.
    pub(super) fn beside(self, states_at: [u32; 2], peepholes_at: [u32; 2]) -> Self {
        SequenceGrad {
            states_at: states_at[0],
            peepholes_at: peepholes_at[0],
            second_states_at: states_at[1],
            second_peepholes_at: peepholes_at[1],
            ..self
        }
    }

    /// The directions one by one.
    pub(super) fn each_direction(&self) -> Vec<Self> {
        let first = SequenceGrad { directions: 1, ..*self };
        let second = SequenceGrad {
            reverse: 1 - self.reverse,
            u_at: self.second_u_at,
            gates_at: self.second_gates_at,
            states_at: self.second_states_at,
            dy_at: self.second_dy_at,
            carry_at: self.second_carry_at,
            mask_at: self.second_mask_at,
            dropout_at: self.second_dropout_at,
            peepholes_at: self.second_peepholes_at,
            ..first
        };
        [first, second].into_iter().take(self.directions as usize).collect()
    }

    /// The same done to each direction.
    fn map(&self, of_one: impl Fn(&Self) -> Self) -> Self {
        self.each_direction().iter().map(of_one).reduce(Self::with).unwrap_or(*self)
    }

    /// Of one direction, consecutive steps by themselves, by their numbers in the order of the forward pass.
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

    /// Of one direction, what is left to do after the steps for dh of the state before them.
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

    /// The steps one by one, in the order in which they are done here, of one direction behind those of the other.
    pub(super) fn one_by_one(&self, carried: Carried) -> Vec<Self> {
        self.each_direction().iter().flat_map(|direction| direction.steps_of_one(carried)).collect()
    }

    /// The same where there is one direction.
    fn steps_of_one(&self, carried: Carried) -> Vec<Self> {
        let initial = (self.initial != 0).then(|| self.before_all(carried));
        (0..self.steps).rev().map(|k| self.range(carried, k..k + 1)).chain(initial).collect()
    }

    /// What a variant dispatches.
    pub(super) fn dispatches(&self, variant: usize, carried: Carried, pass: &Pass) -> Vec<Dispatch<Self>> {
        let (shape, engine) = (self.shape(), Engine::of(variant));
        let ranges = engine.ranges(self.steps, shape, pass).into_iter().rev();
        let part = |numbers: Range<u32>| self.map(|direction| direction.range(carried, numbers.clone()));
        let mut all = engine.dispatches(ranges.map(part), shape, pass);
        if self.initial != 0 {
            let (params, grid) = (self.map(|direction| direction.before_all(carried)), Engine::step_grid(shape));
            all.push(Dispatch { entry: "main", params, grid });
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
        let successors = self.directions * (self.steps + self.has_next + self.initial).saturating_sub(1);
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
        self.dropout.map(|dropout| &dropout[4 * (p.dropout_at as usize + row * p.units as usize + unit)..][..4])
    }

    /// What reaches h of one row and unit beside what is carried; `dz` holds the gradients of all gates.
    pub(super) fn dh(&self, p: &SequenceGrad, dz: &[T], row: usize, unit: usize) -> T {
        let units = p.units as usize;
        let mut dh = T::zero();
        if p.has_next != 0 && !self.masks(p.next_at(p.mask_at, p.rows as usize) + row) {
            let dz = &dz[4 * (p.next_at(p.gates_at, p.size()) + row * units)..][..4 * units];
            dh = handed_back(self.gates, dz, self.weights(p, unit), self.seen(p, row, unit));
        }
        if p.has_dy != 0 { dh + self.dy[p.dy_at as usize + row * units + unit] } else { dh }
    }

    /// The weights `[H, 4]` of one unit of h.
    pub(super) fn weights(&self, p: &SequenceGrad, unit: usize) -> &[T] {
        let units = p.units as usize;
        &self.u[4 * (p.u_at as usize + unit * units)..][..4 * units]
    }
}
