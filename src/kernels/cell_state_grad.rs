//! The gradient of the LSTM's gates and cell state, where something stands between them and the output.

use super::faint::without_faint;
use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// From dc to the gates i, f, g before activation and to c of the step before; o's gradient is there already.
    pub struct CellStateGrad {
        /// N·H.
        pub n: u32,
        /// Where the gates of this time step begin; set by `record`, as all offsets.
        pub gates_at: u32,
        /// Where c before it begins.
        pub c_prev_at: u32,
    }
}

/// Slots of [`CellStateGrad`], over all time steps.
pub struct CellStateGradSlots {
    /// `[T, N, H, 4]` activated gates i, f, g, overwritten with their gradients before activation
    pub gates: Slot,
    /// `[T+1, N, H]`
    pub c: Slot,
    /// `[N, H]` gradient of the cell state, carried backwards
    pub dc: Slot,
}

impl CellStateGrad {
    /// Appends time step `t` (from 0) of `n` = N·H units.
    pub fn record(t: usize, n: usize, plan: &mut Plan, slots: &CellStateGradSlots) {
        let (gates, gates_at) = plan.window(&slots.gates, 4 * t * n..4 * (t + 1) * n);
        let (c, c_prev_at) = plan.window(&slots.c, t * n..(t + 1) * n);
        let run = CellStateGrad { n: n as u32, gates_at, c_prev_at };
        run.push(plan, Options::none(), &[&gates, &c, &slots.dc]);
    }
}

impl Kernel for CellStateGrad {
    const INFO: &'static KernelInfo = info!(
        CellStateGrad,
        "cell_state_grad",
        &[Binding::read_write("gates"), Binding::read("c"), Binding::read_write("dc")],
        &[]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.n)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (gates, c, dc) = (args.write(), args.read(), args.write());
        let one = T::one();
        for e in 0..self.n as usize {
            let gate = &mut gates[self.gates_at as usize + 4 * e..][..4];
            let (i, f, g, d) = (gate[0], gate[1], gate[2], without_faint(dc[e]));
            gate[0] = d * g * (i * (one - i));
            gate[1] = d * c[self.c_prev_at as usize + e] * (f * (one - f));
            gate[2] = d * i * (one - g * g);
            dc[e] = d * f;
        }
    }
}
