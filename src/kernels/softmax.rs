//! The softmax of rows.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// y = e^(x - max x) / Σ e^(x - max x) over the features of a row.
    pub struct Softmax {
        /// Rows of this run.
        pub rows: u32,
        /// F.
        pub features: u32,
    }
}

/// Slots of [`Softmax`].
pub struct SoftmaxSlots {
    /// `[rows, F]`
    pub x: Slot,
    /// `[rows, F]`
    pub y: Slot,
}

impl Softmax {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: SoftmaxSlots) {
        self.push(plan, Options::none(), &[&slots.x, &slots.y]);
    }
}

impl Kernel for Softmax {
    const INFO: &'static KernelInfo = info!(Softmax, "softmax", &[Binding::read("x"), Binding::read_write("y")], &[]);

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.rows)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (x, y) = (args.read(), args.write());
        let features = self.features as usize;
        for (x, y) in x.chunks(features).zip(y.chunks_mut(features)).take(self.rows as usize) {
            let top = x[1..].iter().fold(x[0], |top, &x| top.larger(x));
            for (y, &x) in y.iter_mut().zip(x) {
                *y = (x - top).exp();
            }
            let sum = y.iter().fold(T::zero(), |sum, &e| sum + e);
            y.iter_mut().for_each(|y| *y = *y / sum);
        }
    }
}
