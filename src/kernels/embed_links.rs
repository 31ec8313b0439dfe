//! Which rows name the same row of a table.

use std::collections::HashMap;

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// For every row whether it is the first of its number, and the next row of the same number (`rows` where there is none).
    pub struct EmbedLinks {
        /// Rows.
        pub rows: u32,
    }
}

/// Slots of [`EmbedLinks`].
pub struct EmbedLinksSlots {
    /// `[rows]`
    pub ids: Slot,
    /// `[rows]`, integers, 0 or 1
    pub firsts: Slot,
    /// `[rows]`, integers
    pub nexts: Slot,
}

impl EmbedLinks {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: &EmbedLinksSlots) {
        self.push(plan, Options::none(), &[&slots.ids, &slots.firsts, &slots.nexts]);
    }
}

impl Kernel for EmbedLinks {
    const INFO: &'static KernelInfo = info!(
        EmbedLinks,
        "embed_links",
        &[Binding::read("ids"), Binding::write("firsts").u32(), Binding::write("nexts").u32()],
        &[]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.rows)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (ids, firsts, nexts) = (args.read(), args.write_u32(), args.write_u32());
        let mut later = HashMap::new();
        for row in (0..self.rows).rev() {
            let at = row as usize;
            let id = ids[at].to_f64();
            firsts[at] = 1;
            nexts[at] = self.rows;
            // What is not a number is unlike everything; 0 and -0 are alike.
            if !id.is_nan()
                && let Some(next) = later.insert((id + 0.0).to_bits(), row)
            {
                firsts[next as usize] = 0;
                nexts[at] = next;
            }
        }
    }
}
