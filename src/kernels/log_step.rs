//! A training step's row of the log.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// log[scalars.log_row, column + i] (+)= sum over parts of sums[part, i].
    pub struct LogStep {
        /// Parts to add.
        pub parts: u32,
        /// Columns of `sums`.
        pub columns: u32,
        /// The log's first column to write.
        pub column: u32,
        /// Columns of the log.
        pub log_columns: u32,
        /// 1: add to what is there.
        pub accumulate: u32,
    }
}

/// Slots of [`LogStep`].
pub struct LogStepSlots {
    /// `[parts, columns]`
    pub sums: Slot,
    /// `[steps, log_columns]`
    pub log: Slot,
}

impl LogStep {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: LogStepSlots) {
        self.push(plan, Options::none(), &[&slots.sums, &slots.log]);
    }
}

impl Kernel for LogStep {
    const INFO: &'static KernelInfo =
        info!(LogStep, "log_step", &[Binding::read("sums"), Binding::read_write("log")], &[]);

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.columns)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let row = args.scalars.log_row as usize;
        let (sums, log) = (args.read(), args.write());
        let columns = self.columns as usize;
        let log = &mut log[row * self.log_columns as usize + self.column as usize..][..columns];
        for (column, out) in log.iter_mut().enumerate() {
            let parts = sums.iter().skip(column).step_by(columns).take(self.parts as usize);
            let sum = parts.fold(T::zero(), |sum, &part| sum + part);
            *out = if self.accumulate != 0 { sum + *out } else { sum };
        }
    }
}
