//! Constraints of weights.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Override, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// Holds a variable `[outer, reduced, inner]` to a constraint after an optimiser's update.
    pub struct Constrain {
        /// Elements.
        pub n: u32,
        /// Elements of the axes that a norm is taken along.
        pub reduced: u32,
        /// Elements of the axes behind them.
        pub inner: u32,
        /// The least norm.
        pub least: f32,
        /// The largest norm.
        pub largest: f32,
        /// How much of the way to that norm is gone.
        pub rate: f32,
        /// The rest of the way.
        pub one_minus_rate: f32,
    }
}

/// Slots of [`Constrain`].
pub struct ConstrainSlots {
    /// `[2]`, integers
    pub health: Slot,
    /// `[outer, inner]` the sums of squares of the norms; without them no weight may be negative, and that is all
    pub squares: Option<Slot>,
    /// `[n]`
    pub w: Slot,
}

/// Keras's `epsilon()`, which is added to a norm before it divides.
const EPSILON: f32 = 1e-7;

impl Constrain {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: ConstrainSlots) {
        let kind = slots.squares.is_some().into();
        let squares = slots.squares.unwrap_or_else(|| plan.nothing());
        self.push(plan, Options::one("CONSTRAINT", kind), &[&slots.health, &squares, &slots.w]);
    }
}

impl Kernel for Constrain {
    const INFO: &'static KernelInfo = info!(
        Constrain,
        "constrain",
        &[Binding::read("health").u32(), Binding::read("squares"), Binding::read_write("w")],
        &[Override { name: "CONSTRAINT", values: &[0, 1] }]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.n)
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (health, squares, w) = (args.read_u32(), args.read(), args.write());
        if health[0] != 0 {
            return;
        }
        let [least, largest] = [self.least, self.largest].map(T::decimal);
        let [rate, one_minus_rate] = [self.rate, self.one_minus_rate].map(T::decimal);
        let (reduced, inner) = (self.reduced as usize, self.inner as usize);
        for (i, w) in w.iter_mut().enumerate().take(self.n as usize) {
            if options.get("CONSTRAINT") == 0 {
                *w = w.larger(T::zero());
                continue;
            }
            let norm = squares[i / (reduced * inner) * inner + i % inner].sqrt();
            let desired = rate * norm.larger(least).smaller(largest) + one_minus_rate * norm;
            *w = *w * (desired / (norm + T::decimal(EPSILON)));
        }
    }
}
