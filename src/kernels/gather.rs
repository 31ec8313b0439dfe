//! Gathers a batch from rows that stay on the device.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// batch[t, n, f] = data[start(order[first + n]) + t, f], and the same of a second array whose samples begin at row s T.
    pub struct Gather {
        /// N.
        pub samples: u32,
        /// T.
        pub steps: u32,
        /// F.
        pub features: u32,
        /// 1: sample s begins at row `starts[s]`; 0: at row s T.
        pub windows: u32,
        /// Samples that begin before this row are left to another run.
        pub row_first: u32,
        /// Samples that begin at this row or later are left to another run.
        pub row_last: u32,
        /// The row that `data` is bound at.
        pub row_base: u32,
        /// T of the second array; set by `record`.
        pub more_steps: u32,
        /// F of the second array; set by `record`.
        pub more_features: u32,
    }
}

/// Slots of [`Gather`].
pub struct GatherSlots {
    /// `[R, F]` from row `row_base` on
    pub data: Slot,
    /// `[S]` sample numbers, integers
    pub order: Slot,
    /// `[S]` first rows, integers
    pub starts: Slot,
    /// `[T, N, F]`
    pub batch: Slot,
    /// What is gathered too.
    pub more: Option<MoreSlots>,
}

/// A second array whose rows are gathered by the same samples.
#[derive(Clone, Debug)]
pub struct MoreSlots {
    /// T and F
    pub shape: [usize; 2],
    /// `[S T, F]`
    pub data: Slot,
    /// `[T, N, F]`
    pub batch: Slot,
}

impl Gather {
    /// Appends this gather.
    pub fn record(self, plan: &mut Plan, slots: GatherSlots) {
        let more =
            slots.more.unwrap_or_else(|| MoreSlots { shape: [0; 2], data: plan.nothing(), batch: plan.unused() });
        let [more_steps, more_features] = more.shape.map(|size| size as u32);
        let bound = [&slots.data, &slots.order, &slots.starts, &more.data, &slots.batch, &more.batch];
        Gather { more_steps, more_features, ..self }.push(plan, Options::none(), &bound);
    }
}

impl Kernel for Gather {
    const INFO: &'static KernelInfo = info!(
        Gather,
        "gather",
        &[
            Binding::read("data"),
            Binding::read("order").u32(),
            Binding::read("starts").u32(),
            Binding::read("more"),
            Binding::read_write("batch"),
            Binding::read_write("more_batch"),
        ],
        &[]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.samples * (self.steps * self.features + self.more_steps * self.more_features))
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let first = args.scalars.first as usize;
        let (data, order, starts) = (args.read(), args.read_u32(), args.read_u32());
        let (more, batch, more_batch) = (args.read(), args.write(), args.write());
        let (samples, features) = (self.samples as usize, self.features as usize);
        for n in 0..samples {
            let sample = order[first + n];
            let [steps, width] = [self.more_steps, self.more_features].map(|size| size as usize);
            for t in 0..steps {
                let (row, out) = ((sample as usize * steps + t) * width, (t * samples + n) * width);
                more_batch[out..out + width].copy_from_slice(&more[row..row + width]);
            }
            let start = if self.windows != 0 { starts[sample as usize] } else { sample * self.steps };
            if start < self.row_first || start >= self.row_last {
                continue;
            }
            for t in 0..self.steps as usize {
                let row = (start - self.row_base) as usize + t;
                let out = (t * samples + n) * features;
                batch[out..out + features].copy_from_slice(&data[row * features..(row + 1) * features]);
            }
        }
    }
}
