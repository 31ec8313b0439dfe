//! The LSTM's output, where the cell state is normalised first.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// h = o tanh(n), n the normalised cell state.
    pub struct CellOutput {
        /// N·H.
        pub count: u32,
        /// Where the gates of this time step begin; set by `record`, as all offsets.
        pub gates_at: u32,
        /// Where n begins.
        pub n_at: u32,
        /// Where h after this step begins.
        pub h_at: u32,
    }
}

/// Slots of [`CellOutput`], over all time steps.
pub struct CellOutputSlots {
    /// `[T, N, H, 4]` activated gates
    pub gates: Slot,
    /// `[T, N, H]`
    pub n: Slot,
    /// `[T+1, N, H]`
    pub h: Slot,
}

impl CellOutput {
    /// Appends time step `t` (from 0) of `count` = N·H units.
    pub fn record(t: usize, count: usize, plan: &mut Plan, slots: &CellOutputSlots) {
        let (gates, gates_at) = plan.window(&slots.gates, 4 * t * count..4 * (t + 1) * count);
        let (n, n_at) = plan.window(&slots.n, t * count..(t + 1) * count);
        let (h, h_at) = plan.window(&slots.h, (t + 1) * count..(t + 2) * count);
        CellOutput { count: count as u32, gates_at, n_at, h_at }.push(plan, Options::none(), &[&gates, &n, &h]);
    }
}

impl Kernel for CellOutput {
    const INFO: &'static KernelInfo =
        info!(CellOutput, "cell_output", &[Binding::read("gates"), Binding::read("n"), Binding::read_write("h")], &[]);

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.count)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (gates, n, h) = (args.read(), args.read(), args.write());
        for e in 0..self.count as usize {
            h[self.h_at as usize + e] = gates[self.gates_at as usize + 4 * e + 3] * n[self.n_at as usize + e].tanh();
        }
    }
}
