//! The moving average of the weights.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// The moving average (Polyak & Juditsky 1992, as Keras's `use_ema`) of a whole arena, after the optimiser's update.
    pub struct WeightAverage {
        /// Elements.
        pub n: u32,
        /// How much of the average stays.
        pub momentum: f32,
        /// 1 - momentum, rounded once.
        pub one_minus_momentum: f32,
        /// After so many updates the average becomes the weights; 0: never.
        pub frequency: u32,
        /// Training steps of an update.
        pub accumulation: u32,
    }
}

/// Slots of [`WeightAverage`].
pub struct WeightAverageSlots {
    /// `[2]`, integers
    pub health: Slot,
    /// `[n]`
    pub params: Slot,
    /// `[n]`
    pub average: Slot,
}

impl WeightAverage {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: WeightAverageSlots) {
        self.push(plan, Options::none(), &[&slots.health, &slots.params, &slots.average]);
    }
}

impl Kernel for WeightAverage {
    const INFO: &'static KernelInfo = info!(
        WeightAverage,
        "weight_average",
        &[Binding::read("health").u32(), Binding::read_write("params"), Binding::read_write("average")],
        &[]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.n)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let update = (args.scalars.step - 1) / self.accumulation + 1;
        let (health, params, average) = (args.read_u32(), args.write(), args.write());
        if health[0] != 0 {
            return;
        }
        let (momentum, rest) = (T::decimal(self.momentum), T::decimal(self.one_minus_momentum));
        let overwrite = self.frequency != 0 && update.is_multiple_of(self.frequency);
        for (w, a) in params.iter_mut().zip(average).take(self.n as usize) {
            *a = if update == 1 { *w } else { momentum * *a + rest * *w };
            if overwrite {
                *w = *a;
            }
        }
    }
}
