//! The time steps of an LSTM.

use super::fast::{self, Workers};
use super::info::info;
use super::lstm_cell::{CELL_OVERRIDES, CellOptions, lstm_cell};
use super::recurrence::{Sequence, SequenceSlots, add_recurrent, both_or_none};
use super::recurrence_engine::{Engine, FORWARDS, SLICES, Sources, engine_for};
use super::{
    Args, Binding, Dispatch, Field, Kernel, KernelInfo, Options, Override, Part, Real, Sweep, Traits, Variant,
};
use crate::plan::{Plan, Slot};

/// Gate matmul and cell update of consecutive time steps.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct LstmSequence(pub Sequence);

/// Slots of [`LstmSequence`], over all time steps.
#[derive(Clone, Debug)]
pub struct LstmSequenceSlots {
    /// What all recurrences have.
    pub sequence: SequenceSlots,
    /// `[T+1, N, H]`
    pub c: Slot,
    /// `[3, H]`: what i and f see of the cell state before the step, and o of that after it.
    pub peepholes: Option<Slot>,
}

/// The overrides of the steps, forwards and backwards.
pub(super) const STEP_OVERRIDES: &[Override] = &[
    CELL_OVERRIDES[0],
    CELL_OVERRIDES[1],
    CELL_OVERRIDES[2],
    CELL_OVERRIDES[3],
    Override { name: "MASK", values: &[0, 1] },
    Override { name: "DROPOUT", values: &[0, 1] },
];

impl LstmSequence {
    /// The scalars of the uniform block.
    pub const FIELDS: &'static [Field] = Sequence::FIELDS;

    /// Appends a sweep over `rows` sequences of `units` units: one step, or several where bindings are too small for one. With `begins`
    /// it begins with zeros, else with what lies at the initial place of h and c.
    pub fn record(
        sweep: Sweep,
        [rows, units]: [usize; 2],
        begins: bool,
        cell: CellOptions,
        plan: &mut Plan,
        slots: &LstmSequenceSlots,
    ) {
        let size = rows * units;
        let peepholes = slots.peepholes.clone().unwrap_or_else(|| plan.nothing());
        for chunk in Sequence::chunks(sweep, [rows, units], begins, plan, &slots.sequence) {
            let (c, beside_at) = plan.window(&slots.c, chunk.times.start * size..(chunk.times.end + 1) * size);
            let part = LstmSequence(Sequence { beside_at, ..chunk.params });
            let options = step_options(cell, slots.peepholes.is_some(), slots.sequence.extras.options());
            let bound = [&chunk.u, &chunk.gates, &chunk.h, &c, &chunk.mask, &chunk.dropout, &peepholes];
            part.push(plan, options, &bound);
        }
    }

    /// Appends the sweeps of two directions, the second of which goes against `sweep`: in one step where that can do both, else one behind
    /// the other.
    pub fn record_both(
        sweep: Sweep,
        shape: [usize; 2],
        begins: bool,
        cells: [CellOptions; 2],
        plan: &mut Plan,
        slots: [&LstmSequenceSlots; 2],
    ) {
        if Self::record_as_one(sweep, shape, begins, cells, plan, slots).is_none() {
            Self::record(sweep, shape, begins, cells[0], plan, slots[0]);
            Self::record(sweep.back(), shape, begins, cells[1], plan, slots[1]);
        }
    }

    fn record_as_one(
        sweep: Sweep,
        shape: [usize; 2],
        begins: bool,
        cells: [CellOptions; 2],
        plan: &mut Plan,
        slots: [&LstmSequenceSlots; 2],
    ) -> Option<()> {
        let cell = (cells[0] == cells[1]).then_some(cells[0])?;
        let [first, second] = slots;
        let (c, beside_at) = plan.window_of_both(&first.c, &second.c)?;
        let of_each = slots.map(|slots| slots.peepholes.as_ref());
        let (peepholes, peepholes_at) = both_or_none(plan, of_each)?;
        let chunk = Sequence::both(sweep, shape, begins, plan, slots.map(|slots| &slots.sequence))?;
        let part = LstmSequence(chunk.params.beside(beside_at, peepholes_at));
        let options = step_options(cell, first.peepholes.is_some(), first.sequence.extras.options());
        let bound = [&chunk.u, &chunk.gates, &chunk.h, &c, &chunk.mask, &chunk.dropout, &peepholes];
        part.push(plan, options, &bound);
        Some(())
    }
}

/// The values of [`STEP_OVERRIDES`].
pub(super) fn step_options(cell: CellOptions, peepholes: bool, extras: [(&'static str, u32); 2]) -> Options {
    Options(CellOptions { peepholes, ..cell }.options().into_iter().chain(extras).collect())
}

/// The weights of the cell state that the gates of a unit see.
pub(super) fn peephole<T: Real>(on: bool, peepholes: &[T], units: usize, unit: usize) -> Option<[T; 3]> {
    on.then(|| std::array::from_fn(|g| peepholes[g * units + unit]))
}

impl Kernel for LstmSequence {
    const INFO: &'static KernelInfo = info!(
        LstmSequence,
        "lstm_sequence",
        &[
            Binding::read("u"),
            Binding::read_write("gates"),
            Binding::read_write("h"),
            Binding::read_write("c"),
            Binding::read("mask"),
            Binding::read("dropout"),
            Binding::read("peepholes"),
        ],
        STEP_OVERRIDES
    );
    const VARIANTS: &'static [Variant] = &Sources {
        wgsl: [
            include_str!("../../shaders/recurrence.wgsl"),
            concat!(
                include_str!("../../shaders/recurrence.wgsl"),
                include_str!("../../shaders/recurrence_lanes_shared.wgsl"),
                include_str!("../../shaders/recurrence_lanes.wgsl")
            ),
            concat!(include_str!("../../shaders/recurrence.wgsl"), include_str!("../../shaders/recurrence_slice.wgsl")),
            concat!(include_str!("../../shaders/recurrence.wgsl"), include_str!("../../shaders/recurrence_tile.wgsl")),
        ],
        entries: FORWARDS.entries,
        slices: SLICES,
    }
    .variants();

    fn grid(&self) -> [u32; 3] {
        Engine::step_grid(self.0.shape())
    }

    fn dispatches(&self, _: &Options, variant: usize) -> Vec<Dispatch<Self>> {
        self.0.dispatches(variant, &FORWARDS).into_iter().map(|dispatch| dispatch.map(LstmSequence)).collect()
    }

    fn fits(&self, options: &Options, variant: usize, traits: &Traits) -> bool {
        Engine::of(variant).fits(&Self::VARIANTS[variant], options, traits, self.0.units, &FORWARDS)
    }

    fn preferred(&self, options: &Options, traits: &Traits) -> usize {
        engine_for(self.0.units, traits, |variant| self.fits(options, variant, traits))
    }

    fn parts(&self, _: &Options) -> Vec<Part<Self>> {
        let of_step = |step: Sequence| {
            let settled =
                vec![(1, step.gates()), (2, step.settled_states(step.h_at)), (3, step.settled_states(step.beside_at))];
            Part { params: LstmSequence(step), settled }
        };
        self.0.one_by_one().map(of_step).collect()
    }

    fn flops(&self, _: &Options) -> f64 {
        self.0.flops(4.0)
    }

    fn fast_f32(&self, options: &Options, args: Args<'_, f32>, workers: &Workers) {
        fast::lstm_sequence(self, options, args, workers);
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (u, gates, h, c) = (args.read(), args.write(), args.write(), args.write());
        let (mask, dropout, peepholes) = (args.read(), args.read(), args.read());
        for step in self.0.one_by_one() {
            let [u_at, dropout_at] = [step.u_at, step.dropout_at].map(|at| 4 * at as usize);
            let read = [&u[u_at..], mask, &dropout[dropout_at..], &peepholes[step.peepholes_at as usize..]];
            reference_step(&step, options, read, [&mut *gates, &mut *h, &mut *c]);
        }
    }
}

fn reference_step<T: Real>(p: &Sequence, options: &Options, read: [&[T]; 4], [gates, h, c]: [&mut [T]; 3]) {
    let [u, mask, dropout, peepholes] = read;
    let (units, size, cell) = (p.units as usize, p.size(), CellOptions::of(options));
    let (masked, dropped) = (options.get("MASK") != 0, options.get("DROPOUT") != 0);
    let [before, after] = p.states();
    if p.begins != 0 {
        h[p.h_at as usize + before..][..size].fill(T::zero());
        c[p.beside_at as usize + before..][..size].fill(T::zero());
    }
    let mut z = vec![T::zero(); 4 * units];
    for row in 0..p.rows as usize {
        let [h_prev_at, h_at] = [before, after].map(|place| p.h_at as usize + place + row * units);
        let [c_prev_at, c_at] = [before, after].map(|place| p.beside_at as usize + place + row * units);
        if masked && mask[p.mask_at as usize + row] == T::zero() {
            c.copy_within(c_prev_at..c_prev_at + units, c_at);
            h.copy_within(h_prev_at..h_prev_at + units, h_at);
            continue;
        }
        z.fill(T::zero());
        if p.begins == 0 {
            let seen = dropped.then(|| &dropout[4 * row * units..][..4 * units]);
            add_recurrent(&mut z, &h[h_prev_at..h_prev_at + units], seen, u);
        }
        for unit in 0..units {
            let gate = &mut gates[4 * (p.gates_at as usize + row * units + unit)..][..4];
            let z = std::array::from_fn(|g| gate[g] + z[4 * unit + g]);
            let peephole = peephole(cell.peepholes, peepholes, units, unit);
            let new = lstm_cell(cell, z, c[c_prev_at + unit], peephole);
            gate.copy_from_slice(&new.saved);
            c[c_at + unit] = new.c;
            h[h_at + unit] = new.h;
        }
    }
}
