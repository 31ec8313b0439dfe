//! The gradient of the LSTM's output, where the cell state is normalised first.

use super::faint::without_faint;
use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// dh (+ dy) becomes dn, and the activated gate o its gradient before activation.
    pub struct CellOutputGrad {
        /// N·H.
        pub count: u32,
        /// Where the gates of this time step begin; set by `record`, as all offsets.
        pub gates_at: u32,
        /// Where n begins.
        pub n_at: u32,
        /// Where this step's dy begins.
        pub dy_at: u32,
        /// 0: only the next step reads this step's output.
        pub has_dy: u32,
        /// 1: the last time step.
        pub last: u32,
    }
}

/// Slots of [`CellOutputGrad`], over all time steps.
pub struct CellOutputGradSlots {
    /// `[T, N, H, 4]` activated gates; o is overwritten
    pub gates: Slot,
    /// `[T, N, H]`
    pub n: Slot,
    /// `[T, N, H]`, or `[N, H]` where only the last output is used
    pub dy: Slot,
    /// `[N, H]` gradient of h through the next step, overwritten with dn
    pub dh: Slot,
}

impl CellOutputGrad {
    /// Appends time step `t` (from 0) of `steps`, of `count` = N·H units.
    pub fn record(t: usize, [steps, count]: [usize; 2], sequences: bool, plan: &mut Plan, slots: &CellOutputGradSlots) {
        let last = t + 1 == steps;
        let (gates, gates_at) = plan.window(&slots.gates, 4 * t * count..4 * (t + 1) * count);
        let (n, n_at) = plan.window(&slots.n, t * count..(t + 1) * count);
        let dy = if sequences { t * count..(t + 1) * count } else { 0..count };
        let (dy, dy_at) = plan.window(&slots.dy, dy);
        let has_dy = (sequences || last).into();
        let run = CellOutputGrad { count: count as u32, gates_at, n_at, dy_at, has_dy, last: last.into() };
        run.push(plan, Options::none(), &[&gates, &n, &dy, &slots.dh]);
    }
}

impl Kernel for CellOutputGrad {
    const INFO: &'static KernelInfo = info!(
        CellOutputGrad,
        "cell_output_grad",
        &[Binding::read_write("gates"), Binding::read("n"), Binding::read("dy"), Binding::read_write("dh")],
        &[]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.count)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (gates, n, dy, dh) = (args.write(), args.read(), args.read(), args.write());
        let one = T::one();
        for e in 0..self.count as usize {
            let gate = &mut gates[self.gates_at as usize + 4 * e + 3];
            let (o, y) = (*gate, n[self.n_at as usize + e].tanh());
            let mut d = if self.last == 0 { dh[e] } else { T::zero() };
            if self.has_dy != 0 {
                d = d + dy[self.dy_at as usize + e];
            }
            let d = without_faint(d);
            *gate = d * y * (o * (one - o));
            dh[e] = d * o * (one - y * y);
        }
    }
}
