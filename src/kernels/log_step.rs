//! A training step's row of the log.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// log[scalars.log_row, column] = sum over parts of sums[part, column].
    pub struct LogStep {
        /// Parts to add.
        pub parts: u32,
        /// Loss and metrics.
        pub columns: u32,
    }
}

/// Slots of [`LogStep`].
pub struct LogStepSlots {
    /// `[parts, columns]`
    pub sums: Slot,
    /// `[steps, columns]`
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
        for column in 0..columns {
            let parts = sums.iter().skip(column).step_by(columns).take(self.parts as usize);
            log[row * columns + column] = parts.fold(T::zero(), |sum, &part| sum + part);
        }
    }
}
