//! The time steps of a GRU.

use super::activation::{ACTIVATION, activation_restore, activation_saved, activation_value};
use super::fast::{self, Workers};
use super::info::info;
use super::recurrence::{Sequence, SequenceSlots, add_recurrent};
use super::recurrence_engine::{Engine, FORWARDS, Pass, SLICES, Sources, engine_for};
use super::{
    Args, Binding, Dispatch, Field, Kernel, KernelInfo, Options, Override, Part, Real, Sweep, Traits, Variant,
};
use crate::plan::{Plan, Slot};

/// Gate matmul and cell update of consecutive time steps. A unit's gates lie in four places: z, r, what x adds to the candidate, what h
/// adds to it.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct GruSequence(pub Sequence);

/// Slots of [`GruSequence`], over all time steps.
#[derive(Clone, Debug)]
pub struct GruSequenceSlots {
    /// What all recurrences have; a unit's weights are of z, r, nothing, candidate.
    pub sequence: SequenceSlots,
    /// `[T, N, H]` r h, where the reset comes before the product.
    pub reset: Option<Slot>,
}

/// What a GRU's cell is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GruCell {
    /// Of the candidate.
    pub activation: u32,
    /// Of the gates.
    pub recurrent_activation: u32,
    /// Whether the reset gate comes after the product with the recurrent kernel.
    pub reset_after: bool,
}

/// The overrides of the steps, forwards and backwards.
pub(super) const GRU_OVERRIDES: &[Override] = &[
    ACTIVATION,
    Override { name: "RECURRENT_ACTIVATION", ..ACTIVATION },
    Override { name: "RESET_AFTER", values: &[0, 1] },
    Override { name: "MASK", values: &[0, 1] },
    Override { name: "DROPOUT", values: &[0, 1] },
];

/// Where the reset comes before the product, so that there are two in a step; h and r h are held.
const TWICE: Pass = Pass {
    entries: [&["main", "candidates"], &["lanes_twice"], &["slice_twice"], &["tile", "candidates"]],
    products: 2,
    ..FORWARDS
};

impl GruCell {
    pub(super) fn options(self, extras: [(&'static str, u32); 2]) -> Options {
        let cell = [
            ("ACTIVATION", self.activation),
            ("RECURRENT_ACTIVATION", self.recurrent_activation),
            ("RESET_AFTER", self.reset_after.into()),
        ];
        Options(cell.into_iter().chain(extras).collect())
    }

    /// From values of the overrides.
    pub fn of(options: &Options) -> GruCell {
        GruCell {
            activation: options.get("ACTIVATION"),
            recurrent_activation: options.get("RECURRENT_ACTIVATION"),
            reset_after: options.get("RESET_AFTER") != 0,
        }
    }
}

fn pass(options: &Options) -> &'static Pass {
    if GruCell::of(options).reset_after { &FORWARDS } else { &TWICE }
}

impl GruSequence {
    /// The scalars of the uniform block.
    pub const FIELDS: &'static [Field] = Sequence::FIELDS;

    /// Appends a sweep over `rows` sequences of `units` units: one step, or several where bindings are too small for one. With `begins`
    /// it begins with zeros, else with what lies at the initial place of h.
    pub fn record(
        sweep: Sweep,
        [rows, units]: [usize; 2],
        begins: bool,
        cell: GruCell,
        plan: &mut Plan,
        slots: &GruSequenceSlots,
    ) {
        let size = rows * units;
        for chunk in Sequence::chunks(sweep, [rows, units], begins, plan, &slots.sequence) {
            let (reset, beside_at) = match &slots.reset {
                Some(reset) => plan.window(reset, chunk.times.start * size..chunk.times.end * size),
                None => (plan.unused(), 0),
            };
            let part = GruSequence(Sequence { beside_at, ..chunk.params });
            let options = cell.options(slots.sequence.extras.options());
            let bound = [&chunk.u, &chunk.gates, &chunk.h, &reset, &chunk.mask, &chunk.dropout];
            part.push(plan, options, &bound);
        }
    }

    /// Appends the sweeps of two directions, the second of which goes against `sweep`: in one step where that can do both, else one behind
    /// the other.
    pub fn record_both(
        sweep: Sweep,
        shape: [usize; 2],
        begins: bool,
        cells: [GruCell; 2],
        plan: &mut Plan,
        slots: [&GruSequenceSlots; 2],
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
        cells: [GruCell; 2],
        plan: &mut Plan,
        slots: [&GruSequenceSlots; 2],
    ) -> Option<()> {
        let cell = (cells[0] == cells[1]).then_some(cells[0])?;
        let (reset, beside_at) = match slots.map(|slots| slots.reset.as_ref()) {
            [Some(first), Some(second)] => plan.window_of_both(first, second)?,
            _ => (plan.unused(), [0, 0]),
        };
        let chunk = Sequence::both(sweep, shape, begins, plan, slots.map(|slots| &slots.sequence))?;
        let part = GruSequence(chunk.params.beside(beside_at, [0, 0]));
        let options = cell.options(slots[0].sequence.extras.options());
        let bound = [&chunk.u, &chunk.gates, &chunk.h, &reset, &chunk.mask, &chunk.dropout];
        part.push(plan, options, &bound);
        Some(())
    }
}

impl Kernel for GruSequence {
    const INFO: &'static KernelInfo = info!(
        GruSequence,
        "gru_sequence",
        &[
            Binding::read("u"),
            Binding::read_write("gates"),
            Binding::read_write("h"),
            Binding::read_write("reset"),
            Binding::read("mask"),
            Binding::read("dropout"),
        ],
        GRU_OVERRIDES
    );
    const VARIANTS: &'static [Variant] = &Sources {
        wgsl: [
            include_str!("../../shaders/recurrence.wgsl"),
            concat!(
                include_str!("../../shaders/recurrence.wgsl"),
                include_str!("../../shaders/recurrence_lanes_shared.wgsl"),
                include_str!("../../shaders/recurrence_lanes.wgsl"),
                include_str!("../../shaders/gru_sequence_lanes.wgsl")
            ),
            concat!(
                include_str!("../../shaders/recurrence.wgsl"),
                include_str!("../../shaders/recurrence_slice.wgsl"),
                include_str!("../../shaders/gru_sequence_slice.wgsl")
            ),
            concat!(include_str!("../../shaders/recurrence.wgsl"), include_str!("../../shaders/recurrence_tile.wgsl")),
        ],
        entries: [
            &["main", "candidates"],
            &["lanes", "lanes_twice"],
            &["slice", "slice_twice"],
            &["tile", "candidates"],
        ],
        slices: SLICES,
    }
    .variants();

    fn grid(&self) -> [u32; 3] {
        Engine::step_grid(self.0.shape())
    }

    fn dispatches(&self, options: &Options, variant: usize) -> Vec<Dispatch<Self>> {
        self.0.dispatches(variant, pass(options)).into_iter().map(|dispatch| dispatch.map(GruSequence)).collect()
    }

    fn fits(&self, options: &Options, variant: usize, traits: &Traits) -> bool {
        Engine::of(variant).fits(&Self::VARIANTS[variant], options, traits, self.0.units, pass(options))
    }

    fn preferred(&self, options: &Options, traits: &Traits) -> usize {
        engine_for(self.0.units, traits, |variant| self.fits(options, variant, traits))
    }

    fn parts(&self, options: &Options) -> Vec<Part<Self>> {
        let reset_after = GruCell::of(options).reset_after;
        let of_step = |step: Sequence| {
            let at = step.beside_at as usize;
            let reset = (!reset_after).then(|| (3, at..at + step.size()));
            let settled = [(1, step.gates()), (2, step.settled_states(step.h_at))].into_iter().chain(reset).collect();
            Part { params: GruSequence(step), settled }
        };
        self.0.one_by_one().map(of_step).collect()
    }

    fn flops(&self, _: &Options) -> f64 {
        self.0.flops(3.0)
    }

    fn fast_f32(&self, options: &Options, args: Args<'_, f32>, workers: &Workers) {
        fast::gru_sequence(self, options, args, workers);
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (u, gates, h, reset) = (args.read(), args.write(), args.write(), args.write());
        let (mask, dropout) = (args.read(), args.read());
        let mask = (options.get("MASK") != 0).then_some(mask);
        let dropout = (options.get("DROPOUT") != 0).then_some(dropout);
        for step in self.0.one_by_one() {
            let (cell, u) = (GruCell::of(options), &u[4 * step.u_at as usize..]);
            let dropout = dropout.map(|dropout| &dropout[4 * step.dropout_at as usize..]);
            reference_step(&step, cell, u, [mask, dropout], [&mut *gates, &mut *h, &mut *reset]);
        }
    }
}

fn reference_step<T: Real>(
    p: &Sequence,
    cell: GruCell,
    u: &[T],
    [mask, dropout]: [Option<&[T]>; 2],
    [gates, h, reset]: [&mut [T]; 3],
) {
    let (units, of_gates) = (p.units as usize, cell.recurrent_activation);
    let [before, after] = p.states();
    if p.begins != 0 {
        h[p.h_at as usize + before..][..p.size()].fill(T::zero());
    }
    let mut z = vec![T::zero(); 4 * units];
    for row in 0..p.rows as usize {
        let [before, after] = [before, after].map(|place| p.h_at as usize + place + row * units);
        let reset_at = p.beside_at as usize + row * units;
        let keeps = mask.is_some_and(|mask| mask[p.mask_at as usize + row] == T::zero());
        if keeps {
            h.copy_within(before..before + units, after);
            if !cell.reset_after {
                reset[reset_at..reset_at + units].fill(T::zero());
            }
            continue;
        }
        let seen = dropout.map(|dropout| &dropout[4 * row * units..][..4 * units]);
        z.fill(T::zero());
        if p.begins == 0 {
            add_recurrent(&mut z, &h[before..before + units], seen, u);
        }
        let gates = &mut gates[4 * (p.gates_at as usize + row * units)..][..4 * units];
        for (gate, z) in gates.chunks_exact_mut(4).zip(z.chunks_exact(4)) {
            (0..2).for_each(|g| gate[g] = activation_saved(of_gates, gate[g] + z[g]));
        }
        let r = |gates: &[T], unit: usize| activation_restore(of_gates, gates[4 * unit + 1]);
        if !cell.reset_after {
            for unit in 0..units {
                let met = seen.map_or(h[before + unit], |seen| h[before + unit] * seen[4 * unit + 3]);
                reset[reset_at + unit] = r(gates, unit) * met;
            }
            z.fill(T::zero());
            if p.begins == 0 {
                add_recurrent(&mut z, &reset[reset_at..reset_at + units], None, u);
            }
        }
        for unit in 0..units {
            let of_h = z[4 * unit + 3];
            let candidate = if cell.reset_after {
                gates[4 * unit + 3] = gates[4 * unit + 3] + of_h;
                gates[4 * unit + 2] + r(gates, unit) * gates[4 * unit + 3]
            } else {
                gates[4 * unit + 2] + of_h
            };
            let z = activation_restore(of_gates, gates[4 * unit]);
            gates[4 * unit + 2] = activation_saved(cell.activation, candidate);
            h[after + unit] = z * h[before + unit] + (T::one() - z) * activation_value(cell.activation, candidate);
        }
    }
}
