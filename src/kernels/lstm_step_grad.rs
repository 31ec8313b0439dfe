//! One time step of an LSTM, backwards.

use super::info::{info, params};
use super::lstm_cell::lstm_cell_grad;
use super::{Args, Binding, Kernel, KernelInfo, Options, RUN, Real};
use crate::plan::{Plan, Slot};

params! {
    /// dh = dy + `dz[t+1]·Uᵀ`, then the cell's gradient; the activated gates of step t become `dz[t]` in place.
    pub struct LstmStepGrad {
        /// N.
        pub rows: u32,
        /// H.
        pub units: u32,
        /// Where the gates of step t begin, in groups of four; set by `record`, as all offsets.
        pub gates_at: u32,
        /// Where those of step t+1 begin.
        pub next_at: u32,
        /// Where c before step t begins.
        pub c_prev_at: u32,
        /// Where c after step t begins.
        pub c_at: u32,
        /// Where this step's dy begins.
        pub dy_at: u32,
        /// 0: only the next step reads this step's output.
        pub has_dy: u32,
        /// 1: the last time step.
        pub last: u32,
    }
}

/// Slots of [`LstmStepGrad`], over all time steps.
pub struct LstmStepGradSlots {
    /// `[H, H, 4]` recurrent kernel
    pub u: Slot,
    /// `[T+1, N, H]`
    pub c: Slot,
    /// `[T, N, H]`, or `[N, H]` where only the last output is used
    pub dy: Slot,
    /// `[T, N, H, 4]` activated gates, overwritten with their gradients before activation
    pub gates: Slot,
    /// `[N, H]` gradient of the cell state, carried backwards
    pub dc: Slot,
}

impl LstmStepGrad {
    /// Appends time step `t` (from 0) of `steps`.
    pub fn record(
        t: usize,
        [steps, rows, units]: [usize; 3],
        sequences: bool,
        plan: &mut Plan,
        slots: &LstmStepGradSlots,
    ) {
        let size = rows * units;
        let last = t + 1 == steps;
        let (gates, gates_at) = plan.window(&slots.gates, 4 * t * size..4 * (t + 2).min(steps) * size);
        let (c, c_at) = plan.window(&slots.c, t * size..(t + 2) * size);
        let dy_range = if sequences { t * size..(t + 1) * size } else { 0..size };
        let (dy, dy_at) = plan.window(&slots.dy, dy_range);
        let size = size as u32;
        let step = LstmStepGrad {
            rows: rows as u32,
            units: units as u32,
            gates_at: gates_at / 4,
            next_at: gates_at / 4 + size,
            c_prev_at: c_at,
            c_at: c_at + size,
            dy_at,
            has_dy: (sequences || last).into(),
            last: last.into(),
        };
        step.push(plan, Options::none(), &[&slots.u, &c, &dy, &gates, &slots.dc]);
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
            Binding::read_write("dc"),
        ],
        &[]
    );

    fn grid(&self) -> [u32; 3] {
        [self.units.div_ceil(16), self.rows.div_ceil(16), 1]
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (u, c, dy, gates, dc) = (args.read(), args.read(), args.read(), args.write(), args.write());
        let units = self.units as usize;
        for row in 0..self.rows as usize {
            for unit in 0..units {
                let i = row * units + unit;
                let mut dh = T::zero();
                if self.last == 0 {
                    let dz = &gates[4 * (self.next_at as usize + row * units)..][..4 * units];
                    let weights = &u[4 * unit * units..4 * (unit + 1) * units];
                    for (dz, weights) in dz.chunks(4 * RUN).zip(weights.chunks(4 * RUN)) {
                        dh = dh + dz.iter().zip(weights).fold(T::zero(), |s, (&dz, &weight)| s + dz * weight);
                    }
                }
                if self.has_dy != 0 {
                    dh = dh + dy[self.dy_at as usize + i];
                }
                let dc_next = if self.last == 0 { dc[i] } else { T::zero() };
                let gate = &mut gates[4 * (self.gates_at as usize + i)..][..4];
                let activated = std::array::from_fn(|g| gate[g]);
                let (c_prev, c) = (c[self.c_prev_at as usize + i], c[self.c_at as usize + i]);
                let (dz, dc_prev) = lstm_cell_grad(activated, c_prev, c, dh, dc_next);
                gate.copy_from_slice(&dz);
                dc[i] = dc_prev;
            }
        }
    }
}
