//! The LSTM's gates and cell state, where something stands between them and the output.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// Gates i, f, g, o activated in place; c' = f c + i g (Hochreiter & Schmidhuber 1997; Gers et al. 2000).
    pub struct CellState {
        /// N·H.
        pub n: u32,
        /// Where the gates of this time step begin; set by `record`, as all offsets.
        pub gates_at: u32,
        /// Where c before it begins.
        pub c_prev_at: u32,
        /// Where c after it begins.
        pub c_at: u32,
    }
}

/// Slots of [`CellState`], over all time steps.
pub struct CellStateSlots {
    /// `[T, N, H, 4]` before activation, overwritten with the activated gates
    pub gates: Slot,
    /// `[T+1, N, H]`
    pub c: Slot,
}

impl CellState {
    /// Appends time step `t` (from 0) of `n` = N·H units.
    pub fn record(t: usize, n: usize, plan: &mut Plan, slots: &CellStateSlots) {
        let (gates, gates_at) = plan.window(&slots.gates, 4 * t * n..4 * (t + 1) * n);
        let (c, c_prev_at) = plan.window(&slots.c, t * n..(t + 2) * n);
        let n = n as u32;
        CellState { n, gates_at, c_prev_at, c_at: c_prev_at + n }.push(plan, Options::none(), &[&gates, &c]);
    }
}

impl Kernel for CellState {
    const INFO: &'static KernelInfo =
        info!(CellState, "cell_state", &[Binding::read_write("gates"), Binding::read_write("c")], &[]);

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.n)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (gates, c) = (args.write(), args.write());
        for e in 0..self.n as usize {
            let gate = &mut gates[self.gates_at as usize + 4 * e..][..4];
            let [i, f, g, o] = [gate[0].sigmoid(), gate[1].sigmoid(), gate[2].tanh(), gate[3].sigmoid()];
            c[self.c_at as usize + e] = f * c[self.c_prev_at as usize + e] + i * g;
            gate.copy_from_slice(&[i, f, g, o]);
        }
    }
}
