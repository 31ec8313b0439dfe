//! One time step of an LSTM.

use super::info::{info, params};
use super::lstm_cell::{CELL_OVERRIDES, CellOptions, lstm_cell};
use super::matmul::add_run;
use super::{Args, Binding, Kernel, KernelInfo, Options, Override, RUN, Real};
use crate::plan::{Plan, Slot};

params! {
    /// Gate matmul and cell update of one time step.
    pub struct LstmStep {
        /// N.
        pub rows: u32,
        /// H.
        pub units: u32,
        /// Where this step's gates begin, in groups of four; set by `record`, as all offsets.
        pub gates_at: u32,
        /// Where h of the step before begins.
        pub h_prev_at: u32,
        /// Where h of this step begins.
        pub h_at: u32,
        /// Where c of the step before begins.
        pub c_prev_at: u32,
        /// Where c of this step begins.
        pub c_at: u32,
        /// Where this step's mask begins.
        pub mask_at: u32,
    }
}

/// Slots of [`LstmStep`], over all time steps.
pub struct LstmStepSlots {
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

    /// What to bind of each for time step `t`, and where the mask begins in its binding.
    pub(super) fn bound(&self, plan: &mut Plan, t: usize, rows: usize) -> ([Slot; 3], u32) {
        let nothing = plan.nothing();
        let (mask, mask_at) = match &self.mask {
            Some(mask) => plan.window(mask, t * rows..(t + 1) * rows),
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

/// The order in which a recurrence takes its time steps, and where it keeps its states: those after step t lie at `t + 1`, and
/// backwards in time at `t`, so that a step's gates and the state that it reads lie in the same order either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// T.
    pub steps: usize,
    /// From the last time step to the first.
    pub reverse: bool,
}

impl Sweep {
    /// The time step that is done as number `k`.
    pub fn time(self, k: usize) -> usize {
        if self.reverse { self.steps - 1 - k } else { k }
    }

    /// Where the state that time step `t` reads lies among T+1.
    pub fn before(self, t: usize) -> usize {
        if self.reverse { t + 1 } else { t }
    }

    /// Where the state that it makes lies.
    pub fn after(self, t: usize) -> usize {
        if self.reverse { t } else { t + 1 }
    }

    /// Where the initial state lies.
    pub fn initial(self) -> usize {
        self.before(self.time(0))
    }

    /// Where the final state lies.
    pub fn last(self) -> usize {
        self.after(self.time(self.steps - 1))
    }

    /// Where the states that the time steps read begin, in the order of time.
    pub fn first_read(self) -> usize {
        usize::from(self.reverse)
    }

    /// Where those that they make begin.
    pub fn first_made(self) -> usize {
        usize::from(!self.reverse)
    }
}

impl LstmStep {
    /// Appends step number `k` (from 0) of a sweep over `rows` sequences of `units` units.
    pub fn record(
        k: usize,
        sweep: Sweep,
        [rows, units]: [usize; 2],
        cell: CellOptions,
        plan: &mut Plan,
        slots: &LstmStepSlots,
    ) {
        let (size, t) = (rows * units, sweep.time(k));
        let (gates, gates_at) = plan.window(&slots.gates, 4 * t * size..4 * (t + 1) * size);
        let (h, h_at) = plan.window(&slots.h, t * size..(t + 2) * size);
        let (c, c_at) = plan.window(&slots.c, t * size..(t + 2) * size);
        let ([mask, dropout, peepholes], mask_at) = slots.extras.bound(plan, t, rows);
        let at = |first: u32, place: usize| first + ((place - t) * size) as u32;
        let step = LstmStep {
            rows: rows as u32,
            units: units as u32,
            gates_at: gates_at / 4,
            h_prev_at: at(h_at, sweep.before(t)),
            h_at: at(h_at, sweep.after(t)),
            c_prev_at: at(c_at, sweep.before(t)),
            c_at: at(c_at, sweep.after(t)),
            mask_at,
        };
        step.push(plan, slots.extras.options(cell), &[&slots.u, &gates, &h, &c, &mask, &dropout, &peepholes]);
    }
}

/// The weights of the cell state that the gates of a unit see.
pub(super) fn peephole<T: Real>(on: bool, peepholes: &[T], units: usize, unit: usize) -> Option<[T; 3]> {
    on.then(|| std::array::from_fn(|g| peepholes[g * units + unit]))
}

impl Kernel for LstmStep {
    const INFO: &'static KernelInfo = info!(
        LstmStep,
        "lstm_step",
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

    fn grid(&self) -> [u32; 3] {
        [self.units.div_ceil(16), self.rows.div_ceil(16), 1]
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (u, gates, h, c) = (args.read(), args.write(), args.write(), args.write());
        let (mask, dropout, peepholes) = (args.read(), args.read(), args.read());
        let (units, cell) = (self.units as usize, CellOptions::of(options));
        let (masked, dropped) = (options.get("MASK") != 0, options.get("DROPOUT") != 0);
        let mut z = vec![T::zero(); 4 * units];
        for row in 0..self.rows as usize {
            let [c_at, c_prev_at, h_at, h_prev_at] =
                [self.c_at, self.c_prev_at, self.h_at, self.h_prev_at].map(|at| at as usize + row * units);
            if masked && mask[self.mask_at as usize + row] == T::zero() {
                c.copy_within(c_prev_at..c_prev_at + units, c_at);
                h.copy_within(h_prev_at..h_prev_at + units, h_at);
                continue;
            }
            z.fill(T::zero());
            let h_prev = &h[h_prev_at..h_prev_at + units];
            if dropped {
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
