//! One time step of a GRU.

use super::activation::{ACTIVATION, activation_restore, activation_saved, activation_value};
use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Override, RUN, Real, Sweep};
use crate::plan::{Plan, Slot};

params! {
    /// Gate matmul and cell update of one time step, or half of it.
    pub struct GruStep {
        /// N.
        pub rows: u32,
        /// H.
        pub units: u32,
        /// Where this step's gates begin, in groups of four; set by `record`, as all offsets.
        pub gates_at: u32,
        /// Where h of the step before begins.
        pub h_prev_at: u32,
        /// Where h of this step begins.
        pub h_at: u32,
        /// Where r h of this step begins.
        pub reset_at: u32,
        /// Where this step's mask begins.
        pub mask_at: u32,
    }
}

/// Slots of [`GruStep`], over all time steps. A unit's gates lie in four places: z, r, what x adds to the candidate, what h adds to it.
pub struct GruStepSlots {
    /// `[H, H, 4]` recurrent kernel: z, r, nothing, candidate
    pub u: Slot,
    /// `[T, N, H, 4]` x·W + b, overwritten with what the gradient needs
    pub gates: Slot,
    /// `[T+1, N, H]`
    pub h: Slot,
    /// `[T, N, H]` r h, where the reset comes before the product
    pub reset: Option<Slot>,
    /// `[T, N]`: 0 where a row keeps its state
    pub mask: Option<Slot>,
    /// `[N, H, 4]`: what h is multiplied by for each gate, in all time steps
    pub dropout: Option<Slot>,
}

/// What a GRU's cell is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GruCell {
    /// Of the candidate.
    pub activation: u32,
    /// Of the gates.
    pub recurrent_activation: u32,
    /// Whether the reset gate comes after the product with the recurrent kernel.
    pub reset_after: bool,
}

/// The overrides of the steps, forwards and backwards.
pub(super) const GRU_OVERRIDES: &[Override] = &[
    ACTIVATION,
    Override { name: "RECURRENT_ACTIVATION", ..ACTIVATION },
    Override { name: "PHASE", values: &[0, 1, 2] },
    Override { name: "MASK", values: &[0, 1] },
    Override { name: "DROPOUT", values: &[0, 1] },
];

impl GruCell {
    /// The runs that a time step needs.
    pub(super) fn phases(self) -> &'static [u32] {
        if self.reset_after { &[0] } else { &[1, 2] }
    }

    pub(super) fn options(self, phase: u32, mask: bool, dropout: bool) -> Options {
        Options(vec![
            ("ACTIVATION", self.activation),
            ("RECURRENT_ACTIVATION", self.recurrent_activation),
            ("PHASE", phase),
            ("MASK", mask.into()),
            ("DROPOUT", dropout.into()),
        ])
    }
}

/// Multiplications and additions of a phase for a row, divided by H².
pub(super) fn phase_flops(options: &Options) -> f64 {
    match options.get("PHASE") {
        0 => 6.0,
        1 => 4.0,
        _ => 2.0,
    }
}

/// A slot that may be missing, for time step `t`, and where it begins.
pub(super) fn window_of(plan: &mut Plan, slot: Option<&Slot>, t: usize, size: usize) -> (Slot, u32) {
    match slot {
        Some(slot) => plan.window(slot, t * size..(t + 1) * size),
        None => (plan.nothing(), 0),
    }
}

impl GruStep {
    /// Appends step number `k` (from 0) of a sweep over `rows` sequences of `units` units.
    pub fn record(
        k: usize,
        sweep: Sweep,
        [rows, units]: [usize; 2],
        cell: GruCell,
        plan: &mut Plan,
        slots: &GruStepSlots,
    ) {
        let (size, t) = (rows * units, sweep.time(k));
        let (gates, gates_at) = plan.window(&slots.gates, 4 * t * size..4 * (t + 1) * size);
        let (h, h_at) = plan.window(&slots.h, t * size..(t + 2) * size);
        let (reset, reset_at) = match &slots.reset {
            Some(reset) => plan.window(reset, t * size..(t + 1) * size),
            None => (plan.unused(), 0),
        };
        let (mask, mask_at) = window_of(plan, slots.mask.as_ref(), t, rows);
        let dropout = slots.dropout.clone().unwrap_or_else(|| plan.nothing());
        let at = |place: usize| h_at + ((place - t) * size) as u32;
        let step = GruStep {
            rows: rows as u32,
            units: units as u32,
            gates_at: gates_at / 4,
            h_prev_at: at(sweep.before(t)),
            h_at: at(sweep.after(t)),
            reset_at,
            mask_at,
        };
        for &phase in cell.phases() {
            let options = cell.options(phase, slots.mask.is_some(), slots.dropout.is_some());
            step.push(plan, options, &[&slots.u, &gates, &h, &reset, &mask, &dropout]);
        }
    }
}

impl Kernel for GruStep {
    const INFO: &'static KernelInfo = info!(
        GruStep,
        "gru_step",
        &[
            Binding::read("u"),
            Binding::read_write("gates"),
            Binding::read_write("h"),
            Binding::read_write("reset"),
            Binding::read("mask"),
            Binding::read("dropout"),
        ],
        GRU_OVERRIDES
    );

    fn grid(&self) -> [u32; 3] {
        [self.units.div_ceil(16), self.rows.div_ceil(4), 1]
    }

    fn flops(&self, options: &Options) -> f64 {
        phase_flops(options) * self.rows as f64 * (self.units * self.units) as f64
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (u, gates, h, reset) = (args.read(), args.write(), args.write(), args.write());
        let (mask, dropout) = (args.read(), args.read());
        let [activation, of_gates, phase] =
            ["ACTIVATION", "RECURRENT_ACTIVATION", "PHASE"].map(|name| options.get(name));
        let (masked, dropped) = (options.get("MASK") != 0, options.get("DROPOUT") != 0);
        let units = self.units as usize;
        for row in 0..self.rows as usize {
            let [h_prev_at, h_at, reset_at] =
                [self.h_prev_at, self.h_at, self.reset_at].map(|at| at as usize + row * units);
            let keeps = masked && mask[self.mask_at as usize + row] == T::zero();
            let seen = |h: &[T], k: usize, g: usize| match dropped {
                true => h[h_prev_at + k] * dropout[4 * (row * units + k) + g],
                false => h[h_prev_at + k],
            };
            for unit in 0..units {
                let (h_prev, gates_at) = (h[h_prev_at + unit], 4 * (self.gates_at as usize + row * units + unit));
                if keeps {
                    if phase == 1 {
                        reset[reset_at + unit] = T::zero()
                    } else {
                        h[h_at + unit] = h_prev
                    }
                    continue;
                }
                let product = |g: usize, value: &dyn Fn(usize) -> T| {
                    let run = |first: usize| {
                        let terms = first..units.min(first + RUN);
                        terms.fold(T::zero(), |sum, k| sum + value(k) * u[4 * (k * units + unit) + g])
                    };
                    (0..units).step_by(RUN).fold(T::zero(), |sum, first| sum + run(first))
                };
                let gate = &mut gates[gates_at..gates_at + 4];
                if phase != 2 {
                    for (g, gate) in gate.iter_mut().enumerate().take(2) {
                        *gate = activation_saved(of_gates, *gate + product(g, &|k| seen(h, k, g)));
                    }
                }
                let r = || activation_restore(of_gates, gate[1]);
                let candidate = match phase {
                    0 => {
                        let of_h = gate[3] + product(3, &|k| seen(h, k, 3));
                        let candidate = gate[2] + r() * of_h;
                        gate[3] = of_h;
                        candidate
                    }
                    1 => {
                        reset[reset_at + unit] = r() * seen(h, unit, 3);
                        continue;
                    }
                    _ => gate[2] + product(3, &|k| reset[reset_at + k]),
                };
                let z = activation_restore(of_gates, gate[0]);
                gate[2] = activation_saved(activation, candidate);
                h[h_at + unit] = z * h_prev + (T::one() - z) * activation_value(activation, candidate);
            }
        }
    }
}
