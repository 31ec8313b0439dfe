//! One time step of an LSTM, backwards.

use super::info::{info, params};
use super::lstm_cell::{CellOptions, lstm_cell_grad};
use super::lstm_step::{STEP_OVERRIDES, peephole};
use super::{Args, Binding, Kernel, KernelInfo, LstmExtras, Options, RUN, Real, Sweep};
use crate::plan::{Plan, Slot};

params! {
    /// dh = dy + `dz[next]·Uᵀ`, then the cell's gradient; what was saved of the gates of step t becomes `dz[t]` in place.
    pub struct LstmStepGrad {
        /// N.
        pub rows: u32,
        /// H.
        pub units: u32,
        /// Where the gates of step t begin, in groups of four; set by `record`, as all offsets.
        pub gates_at: u32,
        /// Where those of the step that reads this one's state begin.
        pub next_at: u32,
        /// Where c before step t begins.
        pub c_prev_at: u32,
        /// Where c after step t begins.
        pub c_at: u32,
        /// Where this step's dy begins.
        pub dy_at: u32,
        /// Where this step's mask begins.
        pub mask_at: u32,
        /// 0: only the next step reads this step's output.
        pub has_dy: u32,
        /// 0: the step that is done last.
        pub has_next: u32,
        /// What `carry` brings: 0 nothing, 1 dc, 2 dc and dh.
        pub carried: u32,
        /// 0: only dh of the initial state is wanted.
        pub has_cell: u32,
    }
}

/// Slots of [`LstmStepGrad`], over all time steps.
pub struct LstmStepGradSlots {
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
    /// The cell.
    pub cell: CellOptions,
}

impl LstmGradSweep {
    /// Appends the gradient of step number `k` (from 0, as in the forward pass).
    pub fn record(&self, k: usize, plan: &mut Plan, slots: &LstmStepGradSlots) {
        let last = k + 1 == self.sweep.steps;
        let mask = slots.extras.mask.is_some();
        let step = LstmStepGrad {
            has_dy: (slots.dy.is_some() && (self.sequences || last)).into(),
            has_next: (!last).into(),
            carried: match (last, self.seeded, mask) {
                (true, true, _) | (false, _, true) => 2,
                (true, false, _) => 0,
                (false, _, false) => 1,
            },
            has_cell: 1,
            ..bytemuck::Zeroable::zeroed()
        };
        self.push(self.sweep.time(k), (!last).then(|| self.sweep.time(k + 1)), step, plan, slots);
    }

    /// Appends the gradient of the initial h, which is left in the second half of `carry`; that of the initial c lies in the first.
    pub fn record_initial(&self, plan: &mut Plan, slots: &LstmStepGradSlots) {
        let carried = if slots.extras.mask.is_some() { 2 } else { 0 };
        let step = LstmStepGrad { has_next: 1, carried, ..bytemuck::Zeroable::zeroed() };
        let first = self.sweep.time(0);
        self.push(first, Some(first), step, plan, slots);
    }

    fn push(&self, t: usize, next: Option<usize>, step: LstmStepGrad, plan: &mut Plan, slots: &LstmStepGradSlots) {
        let [rows, units] = self.shape;
        let size = rows * units;
        let low = t.min(next.unwrap_or(t));
        let high = t.max(next.unwrap_or(t)) + 1;
        let (gates, gates_at) = plan.window(&slots.gates, 4 * low * size..4 * high * size);
        let (c, c_at) = plan.window(&slots.c, t * size..(t + 2) * size);
        let nothing = plan.nothing();
        let (dy, dy_at) = match &slots.dy {
            Some(dy) if self.sequences => plan.window(dy, t * size..(t + 1) * size),
            Some(dy) => plan.window(dy, 0..size),
            None => (nothing, 0),
        };
        let ([mask, dropout, peepholes], mask_at) = slots.extras.bound(plan, t, rows);
        let at = |first: u32, places: usize| first + (places * size) as u32;
        let step = LstmStepGrad {
            rows: rows as u32,
            units: units as u32,
            gates_at: at(gates_at / 4, t - low),
            next_at: at(gates_at / 4, next.unwrap_or(t) - low),
            c_prev_at: at(c_at, self.sweep.before(t) - t),
            c_at: at(c_at, self.sweep.after(t) - t),
            dy_at,
            mask_at,
            ..step
        };
        let bound = [&slots.u, &c, &dy, &gates, &slots.carry, &mask, &dropout, &peepholes];
        step.push(plan, slots.extras.options(self.cell), &bound);
    }
}

impl Kernel for LstmStepGrad {
    const INFO: &'static KernelInfo = info!(
        LstmStepGrad,
        "lstm_step_grad",
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

    fn grid(&self) -> [u32; 3] {
        [self.units.div_ceil(16), self.rows.div_ceil(16), 1]
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (u, c, dy, gates, carry) = (args.read(), args.read(), args.read(), args.write(), args.write());
        let (mask, dropout, peepholes) = (args.read(), args.read(), args.read());
        let (units, cell) = (self.units as usize, CellOptions::of(options));
        let (masked, dropped) = (options.get("MASK") != 0, options.get("DROPOUT") != 0);
        for row in 0..self.rows as usize {
            let keeps = masked && self.has_cell != 0 && mask[self.mask_at as usize + row] == T::zero();
            for unit in 0..units {
                let i = row * units + unit;
                let dh_at = self.rows as usize * units + i;
                let mut dh = T::zero();
                if self.has_next != 0 {
                    let dz = &gates[4 * (self.next_at as usize + row * units)..][..4 * units];
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
                if self.has_cell == 0 {
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
                let states = [c[self.c_prev_at as usize + i], c[self.c_at as usize + i]];
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
