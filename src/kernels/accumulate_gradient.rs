//! Gradient accumulation.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Override, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// Adds a batch's gradient to those of the batches before, or takes the mean of all (Keras's `gradient_accumulation_steps`), over
    /// a whole arena.
    pub struct AccumulateGradient {
        /// Elements.
        pub n: u32,
        /// Batches of an update, a whole number.
        pub steps: f32,
    }
}

/// Slots of [`AccumulateGradient`].
pub struct AccumulateGradientSlots {
    /// `[2]`, integers
    pub health: Slot,
    /// `[n]`
    pub grads: Slot,
    /// `[n]`
    pub accumulator: Slot,
}

impl AccumulateGradient {
    /// Appends this run; with `mean`, the gradient becomes the mean, and the accumulator 0.
    pub fn record(self, mean: bool, plan: &mut Plan, slots: AccumulateGradientSlots) {
        let options = Options::one("MEAN", mean.into());
        self.push(plan, options, &[&slots.health, &slots.grads, &slots.accumulator]);
    }
}

impl Kernel for AccumulateGradient {
    const INFO: &'static KernelInfo = info!(
        AccumulateGradient,
        "accumulate_gradient",
        &[Binding::read("health").u32(), Binding::read_write("grads"), Binding::read_write("accumulator")],
        &[Override { name: "MEAN", values: &[0, 1] }]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.n)
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (health, grads, accumulator) = (args.read_u32(), args.write(), args.write());
        if health[0] != 0 {
            return;
        }
        let mean = options.get("MEAN") != 0;
        for (g, a) in grads.iter_mut().zip(accumulator).take(self.n as usize) {
            let sum = *g + *a;
            (*g, *a) = if mean { (sum / T::of(self.steps), T::zero()) } else { (*g, sum) };
        }
    }
}
