//! Elements brought into another order.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// out[i, j, k] = x[i, j, k] (+ out), each with strides and a beginning of its own.
    pub struct Rearrange {
        /// Elements along the first axis.
        pub count_0: u32,
        /// Along the second.
        pub count_1: u32,
        /// Along the third.
        pub count_2: u32,
        /// The first element of x.
        pub x_at: u32,
        /// From one to the next along the first axis of x; 0 repeats.
        pub x_stride_0: u32,
        /// Along its second axis.
        pub x_stride_1: u32,
        /// Along its third axis.
        pub x_stride_2: u32,
        /// The first element of out.
        pub out_at: u32,
        /// From one to the next along the first axis of out; no element may be met twice.
        pub out_stride_0: u32,
        /// Along its second axis.
        pub out_stride_1: u32,
        /// Along its third axis.
        pub out_stride_2: u32,
        /// 1: add to what is there.
        pub accumulate: u32,
    }
}

/// Slots of [`Rearrange`].
pub struct RearrangeSlots {
    /// What the strides lead to.
    pub x: Slot,
    /// The same.
    pub out: Slot,
}

/// Where the elements of three axes lie: the first of all, and the distances along each axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strides {
    /// The first element.
    pub at: usize,
    /// The distances.
    pub by: [usize; 3],
}

impl Strides {
    /// Elements from the slot's first on.
    pub fn new(by: [usize; 3]) -> Self {
        Strides { at: 0, by }
    }
}

impl Rearrange {
    /// Appends this run.
    pub fn record(
        counts: [usize; 3],
        (x, out): (Strides, Strides),
        accumulate: bool,
        plan: &mut Plan,
        slots: RearrangeSlots,
    ) {
        let (
            [count_0, count_1, count_2],
            [x_stride_0, x_stride_1, x_stride_2],
            [out_stride_0, out_stride_1, out_stride_2],
        ) = (counts.map(|n| n as u32), x.by.map(|n| n as u32), out.by.map(|n| n as u32));
        let run = Rearrange {
            count_0,
            count_1,
            count_2,
            x_at: x.at as u32,
            x_stride_0,
            x_stride_1,
            x_stride_2,
            out_at: out.at as u32,
            out_stride_0,
            out_stride_1,
            out_stride_2,
            accumulate: accumulate.into(),
        };
        run.push(plan, Options::none(), &[&slots.x, &slots.out]);
    }
}

impl Kernel for Rearrange {
    const INFO: &'static KernelInfo =
        info!(Rearrange, "rearrange", &[Binding::read("x"), Binding::read_write("out")], &[]);

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.count_0 * self.count_1 * self.count_2)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (x, out) = (args.read(), args.write());
        for i in 0..self.count_0 {
            for j in 0..self.count_1 {
                for k in 0..self.count_2 {
                    let from = self.x_at + i * self.x_stride_0 + j * self.x_stride_1 + k * self.x_stride_2;
                    let to = self.out_at + i * self.out_stride_0 + j * self.out_stride_1 + k * self.out_stride_2;
                    let (value, to) = (x[from as usize], to as usize);
                    out[to] = if self.accumulate != 0 { value + out[to] } else { value };
                }
            }
        }
    }
}
