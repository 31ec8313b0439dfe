//! What recurrences share, whatever their cell: their parameters, what they are recorded on, and their products.

use std::ops::Range;

use super::info::params;
use super::matmul::add_run;
use super::recurrence_engine::{Engine, Pass, Shape};
use super::{Dispatch, RUN, Real, Sweep};
use crate::plan::{Plan, Slot};

params! {
    /// Consecutive time steps of a recurrence, in one direction or in two at once, the second against the order of the first and with
    /// places of its own.
    pub struct Sequence {
        /// N.
        pub rows: u32,
        /// H.
        pub units: u32,
        /// How many time steps.
        pub steps: u32,
        /// 1 or 2.
        pub directions: u32,
        /// 1: the first direction goes from the last of them to the first.
        pub reverse: u32,
        /// 1: the state before the first step done is zero, and is written.
        pub begins: u32,
        /// Where U begins, in groups of four; set by `record`, as all offsets.
        pub u_at: u32,
        /// Where the gates of the earliest step begin, in groups of four.
        pub gates_at: u32,
        /// Where the earliest h begins.
        pub h_at: u32,
        /// Where begins what lies beside h: the earliest c of an LSTM, r h of a GRU's earliest step.
        pub beside_at: u32,
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
        /// of h,
        pub second_h_at: u32,
        /// of what lies beside h,
        pub second_beside_at: u32,
        /// of the mask,
        pub second_mask_at: u32,
        /// of the dropout,
        pub second_dropout_at: u32,
        /// and of the peepholes.
        pub second_peepholes_at: u32,
    }
}

/// What all recurrences read and write, over all time steps.
#[derive(Clone, Debug)]
pub struct SequenceSlots {
    /// `[H, H, 4]` recurrent kernel
    pub u: Slot,
    /// `[T, N, H, 4]` x·W + b, overwritten with what the gradient needs of the gates
    pub gates: Slot,
    /// `[T+1, N, H]`
    pub h: Slot,
    /// What is switched on by being there.
    pub extras: Extras,
}

/// What the steps of a recurrence read where it is there.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// `[T, N]`: 0 where a row keeps its state.
    pub mask: Option<Slot>,
    /// `[N, H, 4]`: what h is multiplied by for each gate, in all time steps.
    pub dropout: Option<Slot>,
}

impl Extras {
    /// The overrides for these.
    pub(super) fn options(&self) -> [(&'static str, u32); 2] {
        [("MASK", self.mask.is_some().into()), ("DROPOUT", self.dropout.is_some().into())]
    }

    /// What to bind of each for two directions over all time steps, where the mask begins in its binding, and where the dropout of each
    /// direction does in groups of four; nothing where the two do not read the same mask or one binding cannot show both dropouts.
    pub(super) fn bound_of_both(
        plan: &mut Plan,
        [first, second]: [&Extras; 2],
        rows: [usize; 2],
    ) -> Option<([Slot; 2], u32, [u32; 2])> {
        let [steps, rows] = rows;
        let (dropout, dropout_at) = both_or_none(plan, [first.dropout.as_ref(), second.dropout.as_ref()])?;
        let ([mask, _], mask_at) = first.bound(plan, 0..steps, rows);
        (first.mask == second.mask).then(|| ([mask, dropout], mask_at, dropout_at.map(|at| at / 4)))
    }

    /// What to bind of each for these time steps, and where the mask begins in its binding.
    pub(super) fn bound(&self, plan: &mut Plan, times: Range<usize>, rows: usize) -> ([Slot; 2], u32) {
        let nothing = plan.nothing();
        let (mask, mask_at) = match &self.mask {
            Some(mask) => plan.window(mask, times.start * rows..times.end * rows),
            None => (nothing.clone(), 0),
        };
        ([mask, self.dropout.clone().unwrap_or(nothing)], mask_at)
    }
}

/// What to bind of something that two directions have or have not, and where each one's begins; nothing where only one has it or one
/// binding cannot show both.
pub(super) fn both_or_none(plan: &mut Plan, of_each: [Option<&Slot>; 2]) -> Option<(Slot, [u32; 2])> {
    match of_each {
        [Some(first), Some(second)] => plan.window_of_both(first, second),
        [None, None] => Some((plan.nothing(), [0, 0])),
        _ => None,
    }
}

/// The time steps of one step of a plan, as its cell completes it.
pub(super) struct Chunk {
    /// All but `beside_at` and `peepholes_at`.
    pub params: Sequence,
    pub times: Range<usize>,
    pub u: Slot,
    pub gates: Slot,
    pub h: Slot,
    pub mask: Slot,
    pub dropout: Slot,
}

impl Sequence {
    /// What a sweep over `rows` sequences of `units` units needs: one step, or several where bindings are too small for one. With
    /// `begins` it begins with zeros, else with what lies at the initial place.
    pub(super) fn chunks(
        sweep: Sweep,
        [rows, units]: [usize; 2],
        begins: bool,
        plan: &mut Plan,
        slots: &SequenceSlots,
    ) -> Vec<Chunk> {
        let size = rows * units;
        let chunks = sweep.chunks(plan, 4 * size, 0);
        let chunk = |(number, times): (usize, Range<usize>)| {
            let (gates, gates_at) = plan.window(&slots.gates, 4 * times.start * size..4 * times.end * size);
            let (h, h_at) = plan.window(&slots.h, times.start * size..(times.end + 1) * size);
            let ([mask, dropout], mask_at) = slots.extras.bound(plan, times.clone(), rows);
            let params = Sequence {
                rows: rows as u32,
                units: units as u32,
                steps: times.len() as u32,
                directions: 1,
                reverse: sweep.reverse.into(),
                begins: (begins && number == 0).into(),
                gates_at: gates_at / 4,
                h_at,
                mask_at,
                ..bytemuck::Zeroable::zeroed()
            };
            Chunk { params, times, u: slots.u.clone(), gates, h, mask, dropout }
        };
        chunks.into_iter().enumerate().map(chunk).collect()
    }

    /// What two directions need in one step, the second of which goes against the sweep; nothing where one step cannot do both.
    pub(super) fn both(
        sweep: Sweep,
        [rows, units]: [usize; 2],
        begins: bool,
        plan: &mut Plan,
        [first, second]: [&SequenceSlots; 2],
    ) -> Option<Chunk> {
        let (u, u_at) = plan.window_of_both(&first.u, &second.u)?;
        let (gates, gates_at) = plan.window_of_both(&first.gates, &second.gates)?;
        let (h, h_at) = plan.window_of_both(&first.h, &second.h)?;
        let extras = [&first.extras, &second.extras];
        let ([mask, dropout], mask_at, dropout_at) = Extras::bound_of_both(plan, extras, [sweep.steps, rows])?;
        let params = |i: usize| Sequence {
            rows: rows as u32,
            units: units as u32,
            steps: sweep.steps as u32,
            directions: 1,
            reverse: sweep.reverse.into(),
            begins: begins.into(),
            u_at: u_at[i] / 4,
            gates_at: gates_at[i] / 4,
            h_at: h_at[i],
            mask_at,
            dropout_at: dropout_at[i],
            ..bytemuck::Zeroable::zeroed()
        };
        Some(Chunk { params: params(0).with(params(1)), times: 0..sweep.steps, u, gates, h, mask, dropout })
    }

    /// With a second direction.
    fn with(self, second: Self) -> Self {
        Sequence {
            directions: 2,
            second_u_at: second.u_at,
            second_gates_at: second.gates_at,
            second_h_at: second.h_at,
            second_beside_at: second.beside_at,
            second_mask_at: second.mask_at,
            second_dropout_at: second.dropout_at,
            second_peepholes_at: second.peepholes_at,
            ..self
        }
    }

    /// With the places of what only a cell knows, for each direction.
    pub(super) fn beside(self, beside_at: [u32; 2], peepholes_at: [u32; 2]) -> Self {
        Sequence {
            beside_at: beside_at[0],
            peepholes_at: peepholes_at[0],
            second_beside_at: beside_at[1],
            second_peepholes_at: peepholes_at[1],
            ..self
        }
    }

    /// The directions one by one.
    pub(super) fn each_direction(&self) -> Vec<Self> {
        let first = Sequence { directions: 1, ..*self };
        let second = Sequence {
            reverse: 1 - self.reverse,
            u_at: self.second_u_at,
            gates_at: self.second_gates_at,
            h_at: self.second_h_at,
            beside_at: self.second_beside_at,
            mask_at: self.second_mask_at,
            dropout_at: self.second_dropout_at,
            peepholes_at: self.second_peepholes_at,
            ..first
        };
        [first, second].into_iter().take(self.directions as usize).collect()
    }

    pub(super) fn shape(&self) -> Shape {
        [self.rows, self.units, self.directions]
    }

    pub(super) fn size(&self) -> usize {
        (self.rows * self.units) as usize
    }

    /// Consecutive steps of these by themselves, by their numbers in the order in which they are done.
    fn range(&self, numbers: Range<u32>) -> Self {
        let of_each = self.each_direction().into_iter().map(|direction| direction.range_of_one(numbers.clone()));
        of_each.reduce(Self::with).unwrap_or(*self)
    }

    /// The same where there is one direction.
    fn range_of_one(&self, numbers: Range<u32>) -> Self {
        let offset = Sweep::earliest(self.steps, self.reverse, &numbers);
        let at = offset * self.rows * self.units;
        Sequence {
            steps: numbers.end - numbers.start,
            begins: if numbers.start == 0 { self.begins } else { 0 },
            gates_at: self.gates_at + at,
            h_at: self.h_at + at,
            beside_at: self.beside_at + at,
            mask_at: self.mask_at + offset * self.rows,
            ..*self
        }
    }

    /// The steps one by one, in the order in which they are done, of one direction behind those of the other.
    pub(super) fn one_by_one(&self) -> impl Iterator<Item = Self> {
        let steps = |one: Self| (0..one.steps).map(move |k| one.range_of_one(k..k + 1));
        self.each_direction().into_iter().flat_map(steps)
    }

    /// What a variant dispatches.
    pub(super) fn dispatches(&self, variant: usize, pass: &Pass) -> Vec<Dispatch<Self>> {
        let (shape, engine) = (self.shape(), Engine::of(variant));
        let parts = engine.ranges(self.steps, shape, pass).into_iter().map(|numbers| self.range(numbers));
        engine.dispatches(parts, shape, pass)
    }

    /// Of a single step: where the state that it reads, and the one that it makes, lie behind the earliest.
    pub(super) fn states(&self) -> [usize; 2] {
        if self.reverse != 0 { [self.size(), 0] } else { [0, self.size()] }
    }

    /// Of a single step: the elements of some states, which begin `at`, that no later step changes.
    pub(super) fn settled_states(&self, at: u32) -> Range<usize> {
        let (at, [_, made], size) = (at as usize, self.states(), self.size());
        if self.begins != 0 { at..at + 2 * size } else { at + made..at + made + size }
    }

    /// Of a single step: the elements of the gates.
    pub(super) fn gates(&self) -> Range<usize> {
        let at = 4 * self.gates_at as usize;
        at..at + 4 * self.size()
    }

    /// Multiplications and additions of so many products of h with a gate's weights in every step.
    pub(super) fn flops(&self, products: f64) -> f64 {
        let steps = self.directions * (self.steps - self.begins.min(self.steps));
        2.0 * products * steps as f64 * self.size() as f64 * self.units as f64
    }
}

/// z += h·U, `[H, 4]`; each gate may see h through a mask of its own, `[H, 4]`.
pub(super) fn add_recurrent<T: Real>(z: &mut [T], h: &[T], seen: Option<&[T]>, u: &[T]) {
    let (width, units) = (z.len(), h.len());
    let Some(seen) = seen else {
        for first in (0..units).step_by(RUN) {
            let row_of_u = |k: usize| &u[width * k..width * (k + 1)];
            add_run(z, (first..units.min(first + RUN)).map(|k| (h[k], row_of_u(k))));
        }
        return;
    };
    for (h, (seen, u)) in h.chunks(RUN).zip(seen.chunks(4 * RUN).zip(u.chunks(RUN * width))) {
        for (i, z) in z.iter_mut().enumerate() {
            let seen = |k: usize| h[k] * seen[4 * k + i % 4];
            *z = *z + (0..h.len()).fold(T::zero(), |sum, k| sum + seen(k) * u[k * width + i]);
        }
    }
}

/// What the gradients of some gates, `[H, 4]`, hand back to one unit's h through its weights, `[H, 4]`; `seen` is what h was
/// multiplied by for each gate.
pub(super) fn handed_back<T: Real>(gates: &[usize], dz: &[T], u: &[T], seen: Option<&[T]>) -> T {
    let of = |gates: &[usize]| {
        let of_unit = |sum: T, (dz, u): (&[T], &[T])| gates.iter().fold(sum, |sum, &g| sum + dz[g] * u[g]);
        let of_run = |(dz, u): (&[T], &[T])| dz.chunks(4).zip(u.chunks(4)).fold(T::zero(), of_unit);
        dz.chunks(4 * RUN).zip(u.chunks(4 * RUN)).fold(T::zero(), |sum, run| sum + of_run(run))
    };
    match seen {
        None => of(gates),
        Some(seen) => gates.iter().fold(T::zero(), |sum, &g| sum + of(&[g]) * seen[g]),
    }
}
