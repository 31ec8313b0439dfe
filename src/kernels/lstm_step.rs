//! One time step of an LSTM.

use super::info::{info, params};
use super::lstm_cell::lstm_cell;
use super::matmul::add_run;
use super::{Args, Binding, Kernel, KernelInfo, Options, RUN, Real};
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
    }
}

/// Slots of [`LstmStep`], over all time steps.
pub struct LstmStepSlots {
    /// `[H, H, 4]` recurrent kernel
    pub u: Slot,
    /// `[T, N, H, 4]` x·W + b, overwritten with the activated gates
    pub gates: Slot,
    /// `[T+1, N, H]`
    pub h: Slot,
    /// `[T+1, N, H]`
    pub c: Slot,
}

impl LstmStep {
    /// Appends time step `t` (from 0) for `rows` sequences of `units` units.
    pub fn record(t: usize, rows: usize, units: usize, plan: &mut Plan, slots: &LstmStepSlots) {
        let size = rows * units;
        let (gates, gates_at) = plan.window(&slots.gates, 4 * t * size..4 * (t + 1) * size);
        let (h, h_at) = plan.window(&slots.h, t * size..(t + 2) * size);
        let (c, c_at) = plan.window(&slots.c, t * size..(t + 2) * size);
        let size = size as u32;
        let step = LstmStep {
            rows: rows as u32,
            units: units as u32,
            gates_at: gates_at / 4,
            h_prev_at: h_at,
            h_at: h_at + size,
            c_prev_at: c_at,
            c_at: c_at + size,
        };
        step.push(plan, Options::none(), &[&slots.u, &gates, &h, &c]);
    }
}

impl Kernel for LstmStep {
    const INFO: &'static KernelInfo = info!(
        LstmStep,
        "lstm_step",
        &[Binding::read("u"), Binding::read_write("gates"), Binding::read_write("h"), Binding::read_write("c")],
        &[]
    );

    fn grid(&self) -> [u32; 3] {
        [self.units.div_ceil(16), self.rows.div_ceil(16), 1]
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (u, gates, h, c) = (args.read(), args.write(), args.write(), args.write());
        let units = self.units as usize;
        let mut z = vec![T::zero(); 4 * units];
        for row in 0..self.rows as usize {
            z.fill(T::zero());
            for first in (0..units).step_by(RUN) {
                let h_prev = |k: usize| h[self.h_prev_at as usize + row * units + k];
                let run = (first..units.min(first + RUN)).map(|k| (h_prev(k), &u[4 * k * units..4 * (k + 1) * units]));
                add_run(&mut z, run);
            }
            for unit in 0..units {
                let i = row * units + unit;
                let gate = &mut gates[4 * (self.gates_at as usize + i)..][..4];
                let cell =
                    lstm_cell(std::array::from_fn(|g| gate[g] + z[4 * unit + g]), c[self.c_prev_at as usize + i]);
                gate.copy_from_slice(&cell.gates);
                c[self.c_at as usize + i] = cell.c;
                h[self.h_at as usize + i] = cell.h;
            }
        }
    }
}
