//! Decoupled weight decay.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{ALIGNMENT, Plan, Slot};

params! {
    /// Weight decay (Loshchilov & Hutter 2019, as Keras computes it) over a whole arena, before the optimiser's update.
    pub struct WeightDecay {
        /// Elements.
        pub n: u32,
        /// The decay; the learning rate multiplies it.
        pub decay: f32,
    }
}

/// Slots of [`WeightDecay`].
pub struct WeightDecaySlots {
    /// `[2]`, integers
    pub health: Slot,
    /// `[n / 64]`, integers: 1 for every 64 elements that belong to a variable without decay
    pub kept: Slot,
    /// `[n]`
    pub params: Slot,
}

impl WeightDecay {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: WeightDecaySlots) {
        self.push(plan, Options::none(), &[&slots.health, &slots.kept, &slots.params]);
    }
}

impl Kernel for WeightDecay {
    const INFO: &'static KernelInfo = info!(
        WeightDecay,
        "weight_decay",
        &[Binding::read("health").u32(), Binding::read("kept").u32(), Binding::read_write("params")],
        &[]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.n)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let learning_rate = T::from_f64(args.scalars.learning_rate);
        let (health, kept, params) = (args.read_u32(), args.read_u32(), args.write());
        if health[0] != 0 {
            return;
        }
        let decay = T::decimal(self.decay);
        for i in (0..self.n as usize).filter(|i| kept[i / ALIGNMENT] == 0) {
            params[i] = params[i] - params[i] * decay * learning_rate;
        }
    }
}
