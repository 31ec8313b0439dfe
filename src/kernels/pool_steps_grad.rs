//! The gradient of a mean or of the largest value over the steps of a sequence.

use super::info::{info, params};
use super::pool_steps::{MASK, MAXIMUM, Pool};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// dx = dy / count in the steps that made the mean or the largest value, else 0 (+ dx).
    pub struct PoolStepsGrad {
        /// Rows of this run.
        pub rows: u32,
        /// N.
        pub samples: u32,
        /// F.
        pub features: u32,
        /// Its first row, of T N.
        pub row_at: u32,
        /// 1: add to what is there.
        pub accumulate: u32,
    }
}

/// Slots of [`PoolStepsGrad`].
pub struct PoolStepsGradSlots {
    /// `[T, N, F]`
    pub x: Slot,
    /// `[N, F]`
    pub y: Slot,
    /// `[N, F]`
    pub counts: Slot,
    /// `[T, N]`, 0 or 1, of a mean; without one all steps count
    pub mask: Option<Slot>,
    /// `[N, F]`
    pub dy: Slot,
    /// `[T, N, F]`
    pub dx: Slot,
}

impl PoolStepsGrad {
    /// Records as many runs as bindings need, for sequences `[steps, samples, features]`.
    pub fn record_whole(
        pool: Pool,
        [steps, samples, features]: [usize; 3],
        accumulate: bool,
        plan: &mut Plan,
        slots: PoolStepsGradSlots,
    ) {
        let options = Options(vec![("MAXIMUM", pool as u32), ("MASK", slots.mask.is_some().into())]);
        for part in plan.row_chunks(steps * samples, &[features]) {
            let x = slots.x.rows(part.clone(), features);
            let mask = slots.mask.as_ref().map_or_else(|| plan.nothing(), |mask| mask.range(part.clone()));
            let run = PoolStepsGrad {
                rows: part.len() as u32,
                samples: samples as u32,
                features: features as u32,
                row_at: part.start as u32,
                accumulate: accumulate.into(),
            };
            let dx = slots.dx.rows(part, features);
            run.push(plan, options.clone(), &[&x, &slots.y, &slots.counts, &mask, &slots.dy, &dx]);
        }
    }
}

impl Kernel for PoolStepsGrad {
    const INFO: &'static KernelInfo = info!(
        PoolStepsGrad,
        "pool_steps_grad",
        &[
            Binding::read("x"),
            Binding::read("y"),
            Binding::read("counts"),
            Binding::read("mask"),
            Binding::read("dy"),
            Binding::read_write("dx"),
        ],
        &[MAXIMUM, MASK]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.rows * self.features)
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (x, y, counts, mask) = (args.read(), args.read(), args.read(), args.read());
        let (dy, dx) = (args.read(), args.write());
        let (maximum, masked) = (options.get("MAXIMUM") != 0, options.get("MASK") != 0);
        let (samples, features) = (self.samples as usize, self.features as usize);
        for i in 0..self.rows as usize * features {
            let of = (self.row_at as usize + i / features) % samples * features + i % features;
            let mut counted = true;
            if maximum {
                counted = x[i] == y[of] || y[of].is_nan();
            } else if masked {
                counted = mask[i / features] != T::zero();
            }
            let value = if counted { dy[of] / counts[of] } else { T::zero() };
            dx[i] = if self.accumulate != 0 { value + dx[i] } else { value };
        }
    }
}
