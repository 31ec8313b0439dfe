//! Dropout as a mask that is kept, for what is dropped alike in all steps of a sequence.

use super::info::{info, params};
use super::random::{Drops, threshold};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// mask = 0 with probability `rate`, else 1 / (1 - rate).
    pub struct DropoutMask {
        /// Elements.
        pub n: u32,
        /// Of the random numbers; from `Recorder::random_key`.
        pub key_0: u32,
        /// Its second half.
        pub key_1: u32,
        /// rate 2^32.
        pub threshold: u32,
        /// The share that is dropped, from 0 to below 1.
        pub rate: f32,
    }
}

/// Slots of [`DropoutMask`].
pub struct DropoutMaskSlots {
    /// `[n]`
    pub mask: Slot,
}

impl DropoutMask {
    /// Fills a slot with a mask, another one in each training step.
    pub fn record(key: [u32; 2], rate: f32, plan: &mut Plan, slots: DropoutMaskSlots) {
        let [key_0, key_1] = key;
        let run = DropoutMask { n: slots.mask.len as u32, key_0, key_1, threshold: threshold(rate), rate };
        run.push(plan, Options::none(), &[&slots.mask]);
    }
}

impl Kernel for DropoutMask {
    const INFO: &'static KernelInfo = info!(DropoutMask, "dropout_mask", &[Binding::write("mask")], &[]);

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.n)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let key = [self.key_0, self.key_1];
        let drops = Drops { key, step: args.scalars.step, threshold: self.threshold, rate: self.rate };
        let mut factor = drops.factors();
        for (i, mask) in (0..self.n).zip(args.write()) {
            *mask = factor(i).unwrap_or(T::zero());
        }
    }
}
