//! The optimiser Nadam.

use super::info::{info, params};
use super::{AdamSlots, Args, Binding, Kernel, KernelInfo, Options, Real, grid_1d};
use crate::plan::Plan;

params! {
    /// One step of Nadam (Dozat 2016, as Keras computes it) over a whole arena.
    pub struct Nadam {
        /// Elements.
        pub n: u32,
        /// 1 - beta_1, rounded once.
        pub one_minus_beta_1: f32,
        /// 1 - beta_2, rounded once.
        pub one_minus_beta_2: f32,
        /// Added to the root of v.
        pub epsilon: f32,
    }
}

impl Nadam {
    /// Appends this run; it has no `v_hat`.
    pub fn record(self, plan: &mut Plan, slots: AdamSlots) {
        self.push(plan, Options::none(), &[&slots.grads, &slots.health, &slots.params, &slots.m, &slots.v]);
    }
}

impl Kernel for Nadam {
    const INFO: &'static KernelInfo = info!(
        Nadam,
        "nadam",
        &[
            Binding::read("grads"),
            Binding::read("health").u32(),
            Binding::read_write("params"),
            Binding::read_write("m"),
            Binding::read_write("v"),
        ],
        &[]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.n)
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let [of_m, of_g, of_v] =
            [args.scalars.momentum_rate, args.scalars.gradient_rate, args.scalars.variance_rate].map(T::from_f64);
        let (grads, health) = (args.read(), args.read_u32());
        let (params, m, v) = (args.write(), args.write(), args.write());
        if health[0] != 0 {
            return;
        }
        let (rest_1, rest_2) = (T::decimal(self.one_minus_beta_1), T::decimal(self.one_minus_beta_2));
        let epsilon = T::decimal(self.epsilon);
        for i in 0..self.n as usize {
            let g = grads[i];
            m[i] = m[i] + (g - m[i]) * rest_1;
            v[i] = v[i] + (g * g - v[i]) * rest_2;
            params[i] = params[i] - (of_m * m[i] + of_g * g) / ((of_v * v[i]).sqrt() + epsilon);
        }
    }
}
