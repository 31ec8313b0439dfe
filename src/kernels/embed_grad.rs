//! The gradient of a table whose rows were named by number.

use super::embed::named;
use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d, sum_in_runs};
use crate::plan::{Plan, Slot};

params! {
    /// dtable += the sum of dy over the rows that named a row of the table, in order.
    pub struct EmbedGrad {
        /// T N.
        pub rows: u32,
        /// E.
        pub features: u32,
        /// Rows of the table.
        pub names: u32,
    }
}

/// Slots of [`EmbedGrad`].
pub struct EmbedGradSlots {
    /// `[rows]`
    pub ids: Slot,
    /// `[rows]`, from [`EmbedLinks`](super::EmbedLinks)
    pub firsts: Slot,
    /// `[rows]`, from [`EmbedLinks`](super::EmbedLinks)
    pub nexts: Slot,
    /// `[rows, E]`
    pub dy: Slot,
    /// `[names, E]`
    pub dtable: Slot,
}

impl EmbedGrad {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: EmbedGradSlots) {
        let EmbedGradSlots { ids, firsts, nexts, dy, dtable } = &slots;
        self.push(plan, Options::none(), &[ids, firsts, nexts, dy, dtable]);
    }
}

impl Kernel for EmbedGrad {
    const INFO: &'static KernelInfo = info!(
        EmbedGrad,
        "embed_grad",
        &[
            Binding::read("ids"),
            Binding::read("firsts").u32(),
            Binding::read("nexts").u32(),
            Binding::read("dy"),
            Binding::read_write("dtable"),
        ],
        &[]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.rows * self.features)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (ids, firsts, nexts) = (args.read(), args.read_u32(), args.read_u32());
        let (dy, dtable) = (args.read(), args.write());
        let (rows, features) = (self.rows as usize, self.features as usize);
        let after = |&row: &usize| Some(nexts[row] as usize).filter(|&next| next < rows);
        for first in (0..rows).filter(|&row| firsts[row] != 0) {
            let Some(name) = named(ids[first], self.names) else { continue };
            for feature in 0..features {
                let same = std::iter::successors(Some(first), after);
                let sum = sum_in_runs(same.map(|row| dy[row * features + feature]));
                let place = &mut dtable[name * features + feature];
                *place = *place + sum;
            }
        }
    }
}
