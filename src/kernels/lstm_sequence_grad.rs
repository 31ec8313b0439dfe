//! The time steps of an LSTM, backwards.

use super::fast::{self, Workers};
use super::info::{info, params};
use super::lstm_cell::{CellOptions, lstm_cell_grad};
use super::lstm_sequence::{STEP_OVERRIDES, peephole};
use super::recurrence_engine::{ENGINES, constant, engine_for};
use std::ops::Range;

use super::{
    Args, Binding, Dispatch, Kernel, KernelInfo, LstmExtras, Options, Part, RUN, Real, Sweep, Traits, Variant,
};
use crate::plan::{Plan, Slot};

params! {
    /// Of consecutive time steps, the last done first: dh = dy + `dz[next]·Uᵀ`, then the cell's gradient; what was saved of the gates
    /// of step t becomes `dz[t]` in place.
    pub struct LstmSequenceGrad {
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
        /// Where the earliest c begins, of the states before and after the steps.
        pub c_at: u32,
        /// Where dy begins, of the earliest step or of the only one that has it.
        pub dy_at: u32,
        /// Where the earliest step's mask begins.
        pub mask_at: u32,
        /// 0: the outputs are not read but by the next steps; 1: only that of the step done last is; 2: every step's.
        pub has_dy: u32,
        /// 1: a step done later than these reads their last state, and its dz lies next to theirs.
        pub has_next: u32,
        /// What `carry` brings to the step done last: 0 nothing, 1 dc, 2 dc and dh.
        pub carried: u32,
        /// 1: dh of the state before these steps is left in the second half of `carry`.
        pub initial: u32,
    }
}

/// Slots of [`LstmSequenceGrad`], over all time steps.
pub struct LstmSequenceGradSlots {
    /// `[H, H, 4]` recurrent kernel
    pub u: Slot,
    /// `[T+1, N, H]`
    pub c: Slot,
    /// `[T, N, H]`, or `[N, H]` where only the last output is used; none where only the states are
    pub dy: Option<Slot>,
    /// `[T, N, H, 4]` what was saved of the gates, overwritten with their gradients before activation
    pub gates: Slot,
    /// `[2, N, H]` gradients of the cell state and of h, carried backwards; begins with those of the final states
    pub carry: Slot,
    /// What is switched on by being there.
    pub extras: LstmExtras,
}

/// Of a sweep, what its gradient needs to know beside the slots.
#[derive(Clone, Copy, Debug)]
pub struct LstmGradSweep {
    /// The order of the forward pass.
    pub sweep: Sweep,
    /// N and H.
    pub shape: [usize; 2],
    /// Whether dy is of all time steps.
    pub sequences: bool,
    /// Whether `carry` holds the gradients of the final states.
    pub seeded: bool,
    /// Whether the gradient of the initial h is wanted, in the second half of `carry`; that of the initial c lies in the first.
    pub initial: bool,
    /// The cell.
    pub cell: CellOptions,
}

impl LstmGradSweep {
    /// Appends the gradient of all time steps: one step, or several where bindings are too small for one.
    pub fn record(&self, plan: &mut Plan, slots: &LstmSequenceGradSlots) {
        let [rows, units] = self.shape;
        let size = rows * units;
        let chunks = self.sweep.chunks(plan, 4 * size, 1);
        for (number, times) in chunks.iter().enumerate().rev() {
            let last = number + 1 == chunks.len();
            let part = LstmSequenceGrad {
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
                    (true, seeded) => {
                        if seeded {
                            2
                        } else {
                            0
                        }
                    }
                    (false, _) => later_carried(slots.extras.mask.is_some()),
                },
                initial: (self.initial && number == 0).into(),
                ..bytemuck::Zeroable::zeroed()
            };
            self.push(times.clone(), part, plan, slots);
        }
    }

    fn push(&self, times: Range<usize>, part: LstmSequenceGrad, plan: &mut Plan, slots: &LstmSequenceGradSlots) {
        let [rows, units] = self.shape;
        let size = rows * units;
        // With the step that was done after these.
        let (before, behind) = match (part.has_next != 0, self.sweep.reverse) {
            (false, _) => (0, 0),
            (true, true) => (1, 0),
            (true, false) => (0, 1),
        };
        let shown = 4 * (times.start - before) * size..4 * (times.end + behind) * size;
        let (gates, gates_at) = plan.window(&slots.gates, shown);
        let (c, c_at) = plan.window(&slots.c, times.start * size..(times.end + 1) * size);
        let nothing = plan.nothing();
        let (dy, dy_at) = match &slots.dy {
            Some(dy) if self.sequences => plan.window(dy, times.start * size..times.end * size),
            Some(dy) => plan.window(dy, 0..size),
            None => (nothing, 0),
        };
        let shown = times.start - before..times.end + behind;
        let ([mask, dropout, peepholes], mask_at) = slots.extras.bound(plan, shown, rows);
        let gates_at = gates_at / 4 + (before * size) as u32;
        let mask_at = mask_at + if slots.extras.mask.is_some() { (before * rows) as u32 } else { 0 };
        let part = LstmSequenceGrad { gates_at, c_at, dy_at, mask_at, ..part };
        let bound = [&slots.u, &c, &dy, &gates, &slots.carry, &mask, &dropout, &peepholes];
        part.push(plan, slots.extras.options(self.cell), &bound);
    }
}

/// What `carry` brings to all steps but the one done last.
fn later_carried(masked: bool) -> u32 {
    if masked { 2 } else { 1 }
}

impl LstmSequenceGrad {
    fn size(&self) -> usize {
        (self.rows * self.units) as usize
    }

    /// Consecutive steps of these by themselves, by their numbers in the order of the forward pass.
    fn range(&self, options: &Options, numbers: Range<u32>) -> Self {
        let offset = Sweep::earliest(self.steps, self.reverse, &numbers);
        let at = offset * self.rows * self.units;
        let last = numbers.end == self.steps;
        LstmSequenceGrad {
            steps: numbers.end - numbers.start,
            gates_at: self.gates_at + at,
            c_at: self.c_at + at,
            dy_at: self.dy_at + if self.has_dy == 2 { at } else { 0 },
            mask_at: self.mask_at + offset * self.rows,
            has_dy: if last || self.has_dy == 2 { self.has_dy } else { 0 },
            has_next: if last { self.has_next } else { 1 },
            carried: if last { self.carried } else { later_carried(options.get("MASK") != 0) },
            initial: 0,
            ..*self
        }
    }

    /// Step number `k` of these by itself.
    fn step(&self, options: &Options, k: u32) -> Self {
        self.range(options, k..k + 1)
    }

    /// What is left to do after the steps for dh of the state before them.
    fn before_all(&self, options: &Options) -> Self {
        let carried = if options.get("MASK") != 0 { 2 } else { 0 };
        let offset = if self.steps == 0 { 0 } else { Sweep::earliest(self.steps, self.reverse, &(0..1)) };
        let gates_at = self.gates_at + offset * self.rows * self.units;
        let mask_at = self.mask_at + offset * self.rows;
        LstmSequenceGrad { steps: 0, gates_at, mask_at, has_dy: 0, has_next: 1, carried, initial: 1, ..*self }
    }

    /// The steps one by one, in the order in which they are done here.
    pub(super) fn one_by_one(&self, options: &Options) -> Vec<Self> {
        let initial = (self.initial != 0).then(|| self.before_all(options));
        (0..self.steps).rev().map(|k| self.step(options, k)).chain(initial).collect()
    }

    /// Of a single step: where what is of the step that reads its state begins, if its own begins `at` and is `len` long.
    pub(super) fn next_at(&self, at: u32, len: usize) -> usize {
        match (self.steps, self.reverse) {
            (0, _) => at as usize,
            (_, 0) => at as usize + len,
            _ => at as usize - len,
        }
    }
}

impl LstmSequenceGrad {
    /// Of a single step: where the earliest gates that it sees begin, and where the latest end, in groups of four.
    pub(super) fn seen_gates(&self) -> Range<usize> {
        let at = self.gates_at as usize;
        let next = if self.has_next != 0 { self.next_at(self.gates_at, self.size()) } else { at };
        at.min(next)..at.max(next) + self.size()
    }
}

impl Kernel for LstmSequenceGrad {
    const INFO: &'static KernelInfo = info!(
        LstmSequenceGrad,
        "lstm_sequence_grad",
        &[
            Binding::read("u"),
            Binding::read("c"),
            Binding::read("dy"),
            Binding::read_write("gates"),
            Binding::read_write("carry"),
            Binding::read("mask"),
            Binding::read("dropout"),
            Binding::read("peepholes"),
        ],
        STEP_OVERRIDES
    );
    const VARIANTS: &'static [Variant] = &[
        Variant::named("steps", &["main"]),
        Variant {
            wgsl: include_str!("../../shaders/lstm_sequence_grad_lanes.wgsl"),
            subgroups: true,
            ..Variant::named("lanes", &["lanes", "main"])
        },
        slice("slice8", &[("THREADS", 8), ("QUADS", 2), ("MOST_UNITS", 128)]),
        slice("slice64", &[("THREADS", 64), ("QUADS", 1), ("MOST_UNITS", 128)]),
        slice("slice256", &[("THREADS", 256), ("QUADS", 1), ("MOST_UNITS", 256)]),
    ];

    fn grid(&self) -> [u32; 3] {
        [self.units.div_ceil(16), self.rows.div_ceil(16), 1]
    }

    fn dispatches(&self, options: &Options, variant: usize) -> Vec<Dispatch<Self>> {
        let engine = &ENGINES[variant];
        let of_range = |numbers| Dispatch {
            entry: engine.entry,
            params: self.range(options, numbers),
            grid: engine.grid(self.rows).unwrap_or(self.grid()),
        };
        let initial = || Dispatch { entry: "main", params: self.before_all(options), grid: self.grid() };
        let ranges = engine.ranges(self.steps, [self.rows, self.units]).into_iter().rev();
        ranges.map(of_range).chain((self.initial != 0).then(initial)).collect()
    }

    fn fits(&self, _: &Options, variant: usize, traits: &Traits) -> bool {
        let constant = |name: &str| constant(&Self::VARIANTS[variant], name);
        // dz of one step is held.
        let held = 16 * constant("MOST_UNITS") * 4 * constant("QUADS");
        ENGINES[variant].fits(traits, self.units, &Self::VARIANTS[variant], held)
    }

    fn preferred(&self, options: &Options, traits: &Traits) -> usize {
        engine_for(self.units, traits, |variant| self.fits(options, variant, traits))
    }

    fn parts(&self, options: &Options) -> Vec<Part<Self>> {
        let settled = |part: &Self| {
            let at = 4 * part.gates_at as usize;
            if part.steps == 0 { Vec::new() } else { vec![(3, at..at + 4 * self.size())] }
        };
        self.one_by_one(options).into_iter().map(|params| Part { settled: settled(&params), params }).collect()
    }

    fn flops(&self, _: &Options) -> f64 {
        let products = (self.steps + self.has_next + self.initial).saturating_sub(1);
        8.0 * products as f64 * self.size() as f64 * self.units as f64
    }

    fn fast_f32(&self, options: &Options, args: Args<'_, f32>, workers: &Workers) {
        fast::lstm_sequence_grad(self, options, args, workers);
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (u, c, dy, gates, carry) = (args.read(), args.read(), args.read(), args.write(), args.write());
        let (mask, dropout, peepholes) = (args.read(), args.read(), args.read());
        for step in self.one_by_one(options) {
            step.reference_step(options, [u, c, dy, mask, dropout, peepholes], &mut *gates, &mut *carry);
        }
    }
}

const fn slice(name: &'static str, constants: &'static [(&'static str, u32)]) -> Variant {
    let wgsl = include_str!("../../shaders/lstm_sequence_grad_slice.wgsl");
    Variant { wgsl, constants, ..Variant::named(name, &["slice", "main"]) }
}

impl LstmSequenceGrad {
    fn reference_step<T: Real>(&self, options: &Options, read: [&[T]; 6], gates: &mut [T], carry: &mut [T]) {
        let [u, c, dy, mask, dropout, peepholes] = read;
        let (units, size, cell) = (self.units as usize, self.size(), CellOptions::of(options));
        let (masked, dropped) = (options.get("MASK") != 0, options.get("DROPOUT") != 0);
        let [before, after] = if self.reverse != 0 { [size, 0] } else { [0, size] };
        for row in 0..self.rows as usize {
            let masks = |at: usize| masked && mask[at + row] == T::zero();
            let keeps = self.steps != 0 && masks(self.mask_at as usize);
            let handed = self.has_next != 0 && !masks(self.next_at(self.mask_at, self.rows as usize));
            for unit in 0..units {
                let i = row * units + unit;
                let dh_at = size + i;
                let mut dh = T::zero();
                if handed {
                    let dz = &gates[4 * (self.next_at(self.gates_at, size) + row * units)..][..4 * units];
                    let seen = dropped.then(|| &dropout[4 * i..4 * i + 4]);
                    dh = from_next(dz, &u[4 * unit * units..4 * (unit + 1) * units], seen);
                }
                if self.has_dy != 0 {
                    dh = dh + dy[self.dy_at as usize + i];
                }
                if self.carried == 2 {
                    dh = dh + carry[dh_at];
                }
                let dc_next = if self.carried != 0 { carry[i] } else { T::zero() };
                if self.steps == 0 {
                    carry[dh_at] = dh;
                    continue;
                }
                let gate = &mut gates[4 * (self.gates_at as usize + i)..][..4];
                if keeps {
                    gate.fill(T::zero());
                    (carry[i], carry[dh_at]) = (dc_next, dh);
                    continue;
                }
                let saved = std::array::from_fn(|g| gate[g]);
                let states = [before, after].map(|place| c[self.c_at as usize + place + i]);
                let peephole = peephole(cell.peepholes, peepholes, units, unit);
                let (dz, dc_prev) = lstm_cell_grad(cell, saved, states, [dh, dc_next], peephole);
                gate.copy_from_slice(&dz);
                carry[i] = dc_prev;
                if masked {
                    carry[dh_at] = T::zero();
                }
            }
        }
    }
}

/// What the next step's gates hand back to one unit's h; `seen` is what h was multiplied by for each of them.
fn from_next<T: Real>(dz: &[T], u: &[T], seen: Option<&[T]>) -> T {
    let run = |sum: T, (dz, u): (&[T], &[T])| sum + dz.iter().zip(u).fold(T::zero(), |s, (&dz, &u)| s + dz * u);
    match seen {
        None => dz.chunks(4 * RUN).zip(u.chunks(4 * RUN)).fold(T::zero(), run),
        Some(seen) => (0..4).fold(T::zero(), |dh, g| {
            let of_gate = |slice: &[T]| slice[g..].iter().step_by(4).copied().collect::<Vec<T>>();
            let (dz, u) = (of_gate(dz), of_gate(u));
            dh + dz.chunks(RUN).zip(u.chunks(RUN)).fold(T::zero(), run) * seen[g]
        }),
    }
}
