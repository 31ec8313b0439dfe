//! The time steps of an LSTM.

use super::fast::{self, Workers};
use super::info::{info, params};
use super::lstm_cell::{CELL_OVERRIDES, CellOptions, lstm_cell};
use super::matmul::add_run;
use super::recurrence_engine::{ENGINES, constant, engine_for};
use std::ops::Range;

use super::{Args, Binding, Dispatch, Kernel, KernelInfo, Options, Override, Part, RUN, Real, Sweep, Traits, Variant};
use crate::plan::{Plan, Slot};

params! {
    /// Gate matmul and cell update of consecutive time steps.
    pub struct LstmSequence {
        /// N.
        pub rows: u32,
        /// H.
        pub units: u32,
        /// How many time steps.
        pub steps: u32,
        /// 1: from the last of them to the first.
        pub reverse: u32,
        /// 1: the state before the first step done is zero, and is written.
        pub begins: u32,
        /// Where the gates of the earliest step begin, in groups of four; set by `record`, as all offsets.
        pub gates_at: u32,
        /// Where the earliest h begins.
        pub h_at: u32,
        /// Where the earliest c begins.
        pub c_at: u32,
        /// Where the earliest step's mask begins.
        pub mask_at: u32,
    }
}

/// Slots of [`LstmSequence`], over all time steps.
pub struct LstmSequenceSlots {
    /// `[H, H, 4]` recurrent kernel
    pub u: Slot,
    /// `[T, N, H, 4]` x·W + b, overwritten with what the gradient needs of the gates
    pub gates: Slot,
    /// `[T+1, N, H]`
    pub h: Slot,
    /// `[T+1, N, H]`
    pub c: Slot,
    /// What is switched on by being there.
    pub extras: LstmExtras,
}

/// What an LSTM's steps read where it is there.
#[derive(Clone, Debug, Default)]
pub struct LstmExtras {
    /// `[T, N]`: 0 where a row keeps its state.
    pub mask: Option<Slot>,
    /// `[N, H, 4]`: what h is multiplied by for each gate, in all time steps.
    pub dropout: Option<Slot>,
    /// `[3, H]`: what i and f see of the cell state before the step, and o of that after it.
    pub peepholes: Option<Slot>,
}

impl LstmExtras {
    /// The overrides for these and for the cell.
    pub(super) fn options(&self, cell: CellOptions) -> Options {
        let mut options = CellOptions { peepholes: self.peepholes.is_some(), ..cell }.options();
        options.push(("MASK", self.mask.is_some().into()));
        options.push(("DROPOUT", self.dropout.is_some().into()));
        Options(options)
    }

    /// What to bind of each for these time steps, and where the mask begins in its binding.
    pub(super) fn bound(&self, plan: &mut Plan, times: Range<usize>, rows: usize) -> ([Slot; 3], u32) {
        let nothing = plan.nothing();
        let (mask, mask_at) = match &self.mask {
            Some(mask) => plan.window(mask, times.start * rows..times.end * rows),
            None => (nothing.clone(), 0),
        };
        let [dropout, peepholes] = [&self.dropout, &self.peepholes].map(|s| s.clone().unwrap_or(nothing.clone()));
        ([mask, dropout, peepholes], mask_at)
    }
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
        for (number, times) in sweep.chunks(plan, 4 * size, 0).into_iter().enumerate() {
            let states = times.start * size..(times.end + 1) * size;
            let (gates, gates_at) = plan.window(&slots.gates, 4 * times.start * size..4 * times.end * size);
            let (h, h_at) = plan.window(&slots.h, states.clone());
            let (c, c_at) = plan.window(&slots.c, states);
            let ([mask, dropout, peepholes], mask_at) = slots.extras.bound(plan, times.clone(), rows);
            let part = LstmSequence {
                rows: rows as u32,
                units: units as u32,
                steps: times.len() as u32,
                reverse: sweep.reverse.into(),
                begins: (begins && number == 0).into(),
                gates_at: gates_at / 4,
                h_at,
                c_at,
                mask_at,
            };
            part.push(plan, slots.extras.options(cell), &[&slots.u, &gates, &h, &c, &mask, &dropout, &peepholes]);
        }
    }

    fn size(&self) -> usize {
        (self.rows * self.units) as usize
    }

    /// Consecutive steps of these by themselves, by their numbers in the order in which they are done.
    fn range(&self, numbers: Range<u32>) -> Self {
        let offset = Sweep::earliest(self.steps, self.reverse, &numbers);
        let at = offset * self.rows * self.units;
        LstmSequence {
            steps: numbers.end - numbers.start,
            begins: if numbers.start == 0 { self.begins } else { 0 },
            gates_at: self.gates_at + at,
            h_at: self.h_at + at,
            c_at: self.c_at + at,
            mask_at: self.mask_at + offset * self.rows,
            ..*self
        }
    }

    /// Step number `k` of these by itself.
    fn step(&self, k: u32) -> Self {
        self.range(k..k + 1)
    }

    /// Of a single step: where the state that it reads, and the one that it makes, lie behind the earliest.
    fn states(&self) -> [usize; 2] {
        if self.reverse != 0 { [self.size(), 0] } else { [0, self.size()] }
    }
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
    const VARIANTS: &'static [Variant] = &[
        Variant::named("steps", &["main"]),
        Variant {
            wgsl: include_str!("../../shaders/lstm_sequence_lanes.wgsl"),
            subgroups: true,
            ..Variant::named("lanes", &["lanes"])
        },
        slice("slice8", &[("THREADS", 8), ("QUADS", 2), ("MOST_UNITS", 128)]),
        slice("slice64", &[("THREADS", 64), ("QUADS", 1), ("MOST_UNITS", 128)]),
        slice("slice256", &[("THREADS", 256), ("QUADS", 1), ("MOST_UNITS", 512)]),
    ];

    fn grid(&self) -> [u32; 3] {
        [self.units.div_ceil(16), self.rows.div_ceil(16), 1]
    }

    fn dispatches(&self, _: &Options, variant: usize) -> Vec<Dispatch<Self>> {
        let engine = &ENGINES[variant];
        let of_range = |numbers| Dispatch {
            entry: engine.entry,
            params: self.range(numbers),
            grid: engine.grid(self.rows).unwrap_or(self.grid()),
        };
        engine.ranges(self.steps, [self.rows, self.units]).into_iter().map(of_range).collect()
    }

    fn fits(&self, _: &Options, variant: usize, traits: &Traits) -> bool {
        let constant = |name: &str| constant(&Self::VARIANTS[variant], name);
        // h of two steps is held.
        let held = 2 * 16 * constant("MOST_UNITS") * constant("QUADS");
        ENGINES[variant].fits(traits, self.units, &Self::VARIANTS[variant], held)
    }

    fn preferred(&self, options: &Options, traits: &Traits) -> usize {
        engine_for(self.units, traits, |variant| self.fits(options, variant, traits))
    }

    fn parts(&self, _: &Options) -> Vec<Part<Self>> {
        let size = self.size();
        let of_step = |k| {
            let params = self.step(k);
            let [before, after] = params.states();
            let gates = 4 * params.gates_at as usize;
            let mut settled = vec![(1, gates..gates + 4 * size)];
            for (binding, at) in [(2, params.h_at as usize), (3, params.c_at as usize)] {
                settled.push((binding, at + after..at + after + size));
                if params.begins != 0 {
                    settled.push((binding, at + before..at + before + size));
                }
            }
            Part { params, settled }
        };
        (0..self.steps).map(of_step).collect()
    }

    fn flops(&self, _: &Options) -> f64 {
        8.0 * (self.steps - self.begins.min(self.steps)) as f64 * self.size() as f64 * self.units as f64
    }

    fn fast_f32(&self, options: &Options, args: Args<'_, f32>, workers: &Workers) {
        fast::lstm_sequence(self, options, args, workers);
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (u, gates, h, c) = (args.read(), args.write(), args.write(), args.write());
        let (mask, dropout, peepholes) = (args.read(), args.read(), args.read());
        for k in 0..self.steps {
            let read = [u, mask, dropout, peepholes];
            self.step(k).reference_step(options, read, [&mut *gates, &mut *h, &mut *c]);
        }
    }
}

const fn slice(name: &'static str, constants: &'static [(&'static str, u32)]) -> Variant {
    let wgsl = include_str!("../../shaders/lstm_sequence_slice.wgsl");
    Variant { wgsl, constants, ..Variant::named(name, &["slice"]) }
}

impl LstmSequence {
    fn reference_step<T: Real>(&self, options: &Options, read: [&[T]; 4], [gates, h, c]: [&mut [T]; 3]) {
        let [u, mask, dropout, peepholes] = read;
        let (units, size, cell) = (self.units as usize, self.size(), CellOptions::of(options));
        let (masked, dropped) = (options.get("MASK") != 0, options.get("DROPOUT") != 0);
        let [before, after] = self.states();
        if self.begins != 0 {
            h[self.h_at as usize + before..][..size].fill(T::zero());
            c[self.c_at as usize + before..][..size].fill(T::zero());
        }
        let mut z = vec![T::zero(); 4 * units];
        for row in 0..self.rows as usize {
            let [h_prev_at, h_at] = [before, after].map(|place| self.h_at as usize + place + row * units);
            let [c_prev_at, c_at] = [before, after].map(|place| self.c_at as usize + place + row * units);
            if masked && mask[self.mask_at as usize + row] == T::zero() {
                c.copy_within(c_prev_at..c_prev_at + units, c_at);
                h.copy_within(h_prev_at..h_prev_at + units, h_at);
                continue;
            }
            z.fill(T::zero());
            let h_prev = &h[h_prev_at..h_prev_at + units];
            if self.begins != 0 {
                // Nothing recurs yet.
            } else if dropped {
                add_seen(&mut z, h_prev, &dropout[4 * row * units..][..4 * units], u);
            } else {
                for first in (0..units).step_by(RUN) {
                    let row_of_u = |k: usize| &u[4 * k * units..4 * (k + 1) * units];
                    add_run(&mut z, (first..units.min(first + RUN)).map(|k| (h_prev[k], row_of_u(k))));
                }
            }
            for unit in 0..units {
                let gate = &mut gates[4 * (self.gates_at as usize + row * units + unit)..][..4];
                let z = std::array::from_fn(|g| gate[g] + z[4 * unit + g]);
                let peephole = peephole(cell.peepholes, peepholes, units, unit);
                let new = lstm_cell(cell, z, c[c_prev_at + unit], peephole);
                gate.copy_from_slice(&new.saved);
                c[c_at + unit] = new.c;
                h[h_at + unit] = new.h;
            }
        }
    }
}

/// z += h·U where each gate sees h through a mask of its own.
fn add_seen<T: Real>(z: &mut [T], h: &[T], dropout: &[T], u: &[T]) {
    let width = z.len();
    for (h, (dropout, u)) in h.chunks(RUN).zip(dropout.chunks(4 * RUN).zip(u.chunks(RUN * width))) {
        for (i, z) in z.iter_mut().enumerate() {
            let seen = |k: usize| h[k] * dropout[4 * k + i % 4];
            *z = *z + (0..h.len()).fold(T::zero(), |sum, k| sum + seen(k) * u[k * width + i]);
        }
    }
}
