//! Rows of a table by number.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// y = the row of a table that a number names; not a number where it names none.
    pub struct Embed {
        /// Rows of this run.
        pub rows: u32,
        /// E.
        pub features: u32,
        /// Rows of the table.
        pub names: u32,
    }
}

/// Slots of [`Embed`].
pub struct EmbedSlots {
    /// `[rows]`, whole numbers
    pub ids: Slot,
    /// `[names, E]`
    pub table: Slot,
    /// `[rows, E]`
    pub y: Slot,
}

/// The row of the table that a number names.
pub(super) fn named<T: Real>(id: T, names: u32) -> Option<usize> {
    let id = id.to_f64();
    (id >= 0.0 && id < f64::from(names)).then_some(id as usize)
}

impl Embed {
    /// Records as many runs as bindings need.
    pub fn record_whole(self, plan: &mut Plan, slots: EmbedSlots) {
        let features = self.features as usize;
        for part in plan.row_chunks(self.rows as usize, &[features]) {
            let run = Embed { rows: part.len() as u32, ..self };
            let (ids, y) = (slots.ids.range(part.clone()), slots.y.rows(part, features));
            run.push(plan, Options::none(), &[&ids, &slots.table, &y]);
        }
    }
}

impl Kernel for Embed {
    const INFO: &'static KernelInfo =
        info!(Embed, "embed", &[Binding::read("ids"), Binding::read("table"), Binding::write("y")], &[]);

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.rows * self.features)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (ids, table, y) = (args.read(), args.read(), args.write());
        let features = self.features as usize;
        for (y, &id) in y.chunks_mut(features).zip(ids).take(self.rows as usize) {
            match named(id, self.names) {
                Some(row) => y.copy_from_slice(&table[row * features..][..features]),
                None => y.fill(T::from_f64(f64::NAN)),
            }
        }
    }
}
