//! The mean or the largest value over the steps of a sequence.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Override, RUN, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// y = the mean or the largest value over the steps, and how many steps made it: of a mean those whose mask is 1, of a
    /// maximum those that are equal to it.
    pub struct PoolSteps {
        /// Steps of this run.
        pub steps: u32,
        /// N.
        pub samples: u32,
        /// F.
        pub features: u32,
        /// Where x begins in its binding.
        pub x_at: u32,
        /// Where the mask begins in its binding.
        pub mask_at: u32,
        /// 1: this run has the first step.
        pub first: u32,
        /// 1: this run has the last step.
        pub last: u32,
    }
}

/// Slots of [`PoolSteps`].
pub struct PoolStepsSlots {
    /// `[T, N, F]`
    pub x: Slot,
    /// `[T, N]`, 0 or 1, of a mean; without one all steps count
    pub mask: Option<Slot>,
    /// `[N, F]`
    pub y: Slot,
    /// `[N, F]`
    pub counts: Slot,
}

/// What is taken of the steps: the override `MAXIMUM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// Their mean.
    Average = 0,
    /// The largest.
    Maximum = 1,
}

pub(super) const MAXIMUM: Override = Override { name: "MAXIMUM", values: &[0, 1] };
pub(super) const MASK: Override = Override { name: "MASK", values: &[0, 1] };

impl PoolSteps {
    /// Records as many runs as bindings need, for sequences `[steps, samples, features]`.
    pub fn record_whole(
        pool: Pool,
        [steps, samples, features]: [usize; 3],
        plan: &mut Plan,
        PoolStepsSlots { x, mask, y, counts }: PoolStepsSlots,
    ) {
        let options = Options(vec![("MAXIMUM", pool as u32), ("MASK", mask.is_some().into())]);
        let row = samples * features;
        let bindable = plan.row_chunks(steps * samples, &[features]).first().map_or(steps, |rows| rows.len() / samples);
        let at_once = bindable.clamp(1, steps);
        for first in (0..steps).step_by(at_once) {
            let last = steps.min(first + at_once);
            let (x, x_at) = plan.window(&x, first * row..last * row);
            let (mask, mask_at) = match &mask {
                Some(mask) => plan.window(mask, first * samples..last * samples),
                None => (plan.nothing(), 0),
            };
            let run = PoolSteps {
                steps: (last - first) as u32,
                samples: samples as u32,
                features: features as u32,
                x_at,
                mask_at,
                first: (first == 0).into(),
                last: (last == steps).into(),
            };
            run.push(plan, options.clone(), &[&x, &mask, &y, &counts]);
        }
    }
}

impl Kernel for PoolSteps {
    const INFO: &'static KernelInfo = info!(
        PoolSteps,
        "pool_steps",
        &[Binding::read("x"), Binding::read("mask"), Binding::read_write("y"), Binding::read_write("counts")],
        &[MAXIMUM, MASK]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.samples * self.features)
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (x, mask, y, counts) = (args.read(), args.read(), args.write(), args.write());
        let (maximum, masked) = (options.get("MAXIMUM") != 0, options.get("MASK") != 0);
        let (samples, features) = (self.samples as usize, self.features as usize);
        let (stride, zero) = (samples * features, T::zero());
        for i in 0..stride {
            let (mut total, mut count) = if self.first != 0 { (zero, zero) } else { (y[i], counts[i]) };
            let mut run = zero;
            for t in 0..self.steps as usize {
                let value = x[self.x_at as usize + t * stride + i];
                if maximum {
                    if count == zero || (!total.is_nan() && (value > total || value.is_nan())) {
                        (total, count) = (value, T::one());
                    } else if value == total {
                        count = count + T::one();
                    }
                    continue;
                }
                if !masked || mask[self.mask_at as usize + t * samples + i / features] != zero {
                    run = run + value;
                    count = count + T::one();
                }
                if t % RUN == RUN - 1 {
                    (total, run) = (total + run, zero);
                }
            }
            total = total + run;
            y[i] = if !maximum && self.last != 0 { total / T::from_f64(count.to_f64()) } else { total };
            counts[i] = T::from_f64(count.to_f64());
        }
    }
}
