//! The optimiser Adam.

use super::fast::{self, Workers};
use super::info::{info, params};
use super::variant::in_vec4s;
use super::{Args, Binding, Dispatch, Kernel, KernelInfo, Options, Override, Real, Traits, Variant, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// One step of Adam (Kingma & Ba 2015, as Keras computes it) over a whole arena.
    pub struct Adam {
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

/// Slots of [`Adam`].
pub struct AdamSlots {
    /// `[n]`
    pub grads: Slot,
    /// `[2]`, integers
    pub health: Slot,
    /// `[n]`
    pub params: Slot,
    /// `[n]` first moment
    pub m: Slot,
    /// `[n]` second moment
    pub v: Slot,
    /// `[n]` the largest second moment so far, with AMSGrad (Reddi et al. 2018)
    pub v_hat: Option<Slot>,
}

/// The variant of four elements a thread.
const QUADS: usize = 1;

impl Adam {
    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: AdamSlots) {
        let options = Options::one("AMSGRAD", slots.v_hat.is_some().into());
        let v_hat = slots.v_hat.unwrap_or_else(|| plan.unused());
        self.push(plan, options, &[&slots.grads, &slots.health, &slots.params, &slots.m, &slots.v, &v_hat]);
    }
}

impl Kernel for Adam {
    const INFO: &'static KernelInfo = info!(
        Adam,
        "adam",
        &[
            Binding::read("grads"),
            Binding::read("health").u32(),
            Binding::read_write("params"),
            Binding::read_write("m"),
            Binding::read_write("v"),
            Binding::read_write("v_hat"),
        ],
        &[Override { name: "AMSGRAD", values: &[0, 1] }]
    );
    const VARIANTS: &'static [Variant] = &[
        Variant::named("main", &["main"]),
        Variant { wgsl: include_str!("../../shaders/adam_quads.wgsl"), ..Variant::named("quads", &["quads"]) },
    ];

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.n)
    }

    fn dispatches(&self, _: &Options, variant: usize) -> Vec<Dispatch<Self>> {
        let grid = if variant == QUADS { grid_1d(self.n / 4) } else { self.grid() };
        vec![Dispatch { entry: Self::VARIANTS[variant].name, params: *self, grid }]
    }

    fn fits(&self, _: &Options, variant: usize, traits: &Traits) -> bool {
        variant != QUADS || traits.software && in_vec4s(&[self.n])
    }

    fn preferred(&self, options: &Options, traits: &Traits) -> usize {
        if self.fits(options, QUADS, traits) { QUADS } else { 0 }
    }

    fn fast_f32(&self, options: &Options, args: Args<'_, f32>, workers: &Workers) {
        fast::adam(self, options, args, workers);
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let rate = T::from_f64(args.scalars.adam_rate);
        let (grads, health) = (args.read(), args.read_u32());
        let (params, m, v, v_hat) = (args.write(), args.write(), args.write(), args.write());
        if health[0] != 0 {
            return;
        }
        let (rest_1, rest_2) = (T::decimal(self.one_minus_beta_1), T::decimal(self.one_minus_beta_2));
        let epsilon = T::decimal(self.epsilon);
        for i in 0..self.n as usize {
            let g = grads[i];
            m[i] = m[i] + (g - m[i]) * rest_1;
            v[i] = v[i] + (g * g - v[i]) * rest_2;
            let mut scale = v[i];
            if options.get("AMSGRAD") != 0 {
                scale = v_hat[i].larger(v[i]);
                v_hat[i] = scale;
            }
            params[i] = params[i] - rate * m[i] / (scale.sqrt() + epsilon);
        }
    }
}
