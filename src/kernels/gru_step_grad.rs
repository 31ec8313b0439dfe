//! One time step of a GRU, backwards.

use super::activation::{activation_restore, activation_slope};
use super::gru_step::{GRU_OVERRIDES, GruCell, phase_flops, window_of};
use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, RUN, Real, Sweep};
use crate::plan::{Plan, Slot};

params! {
    /// dh from dy, `carry` and the gates of the step done before; then the gradients of this step's gates in place.
    pub struct GruStepGrad {
        /// N.
        pub rows: u32,
        /// H.
        pub units: u32,
        /// Where the gates of step t begin, in groups of four; set by `record`, as all offsets.
        pub gates_at: u32,
        /// Where those of the step that reads this one's state begin.
        pub next_at: u32,
        /// Where h before step t begins.
        pub h_prev_at: u32,
        /// Where this step's dy begins.
        pub dy_at: u32,
        /// Where this step's mask begins.
        pub mask_at: u32,
        /// 0: only the next step reads this step's output.
        pub has_dy: u32,
        /// 0: the step that is done last.
        pub has_next: u32,
        /// 0: nothing in `carry` yet.
        pub carried: u32,
        /// 0: only dh of the initial state is wanted.
        pub has_cell: u32,
    }
}

/// Slots of [`GruStepGrad`], over all time steps.
pub struct GruStepGradSlots {
    /// `[H, H, 4]` recurrent kernel: z, r, nothing, candidate
    pub u: Slot,
    /// `[T+1, N, H]`
    pub h: Slot,
    /// `[T, N, H]`, or `[N, H]` where only the last output is used; none where only the state is
    pub dy: Option<Slot>,
    /// `[T, N, H, 4]` what was saved of the gates, overwritten with their gradients before activation: of z, r, of what x gave to
    /// the candidate and of what h gave
    pub gates: Slot,
    /// `[N, H]` what reaches h beside the products; begins with the gradient of the final state
    pub carry: Slot,
    /// `[T, N]`: 0 where a row keeps its state
    pub mask: Option<Slot>,
    /// `[N, H, 4]`: what h is multiplied by for each gate
    pub dropout: Option<Slot>,
}

/// Of a sweep, what its gradient needs to know beside the slots.
#[derive(Clone, Copy, Debug)]
pub struct GruGradSweep {
    /// The order of the forward pass.
    pub sweep: Sweep,
    /// N and H.
    pub shape: [usize; 2],
    /// Whether dy is of all time steps.
    pub sequences: bool,
    /// Whether `carry` holds the gradient of the final state.
    pub seeded: bool,
    /// The cell.
    pub cell: GruCell,
}

impl GruGradSweep {
    /// Appends the gradient of step number `k` (from 0, as in the forward pass).
    pub fn record(&self, k: usize, plan: &mut Plan, slots: &GruStepGradSlots) {
        let last = k + 1 == self.sweep.steps;
        let step = GruStepGrad {
            has_dy: (slots.dy.is_some() && (self.sequences || last)).into(),
            has_next: (!last).into(),
            carried: (!last || self.seeded).into(),
            has_cell: 1,
            ..bytemuck::Zeroable::zeroed()
        };
        let next = (!last).then(|| self.sweep.time(k + 1));
        self.push(self.sweep.time(k), next, step, self.cell.phases(), plan, slots);
    }

    /// Appends the gradient of the initial h, which is left in `carry`.
    pub fn record_initial(&self, plan: &mut Plan, slots: &GruStepGradSlots) {
        let step = GruStepGrad { has_next: 1, carried: 1, ..bytemuck::Zeroable::zeroed() };
        let first = self.sweep.time(0);
        self.push(first, Some(first), step, &self.cell.phases()[..1], plan, slots);
    }

    fn push(
        &self,
        t: usize,
        next: Option<usize>,
        step: GruStepGrad,
        phases: &[u32],
        plan: &mut Plan,
        slots: &GruStepGradSlots,
    ) {
        let [rows, units] = self.shape;
        let (size, next) = (rows * units, next.unwrap_or(t));
        let (low, high) = (t.min(next), t.max(next) + 1);
        let (gates, gates_at) = plan.window(&slots.gates, 4 * low * size..4 * high * size);
        let (h, h_at) = plan.window(&slots.h, t * size..(t + 2) * size);
        let (dy, dy_at) = window_of(plan, slots.dy.as_ref(), if self.sequences { t } else { 0 }, size);
        let (mask, mask_at) = window_of(plan, slots.mask.as_ref(), t, rows);
        let dropout = slots.dropout.clone().unwrap_or_else(|| plan.nothing());
        let at = |first: u32, places: usize| first + (places * size) as u32;
        let step = GruStepGrad {
            rows: rows as u32,
            units: units as u32,
            gates_at: at(gates_at / 4, t - low),
            next_at: at(gates_at / 4, next - low),
            h_prev_at: at(h_at, self.sweep.before(t) - t),
            dy_at,
            mask_at,
            ..step
        };
        for &phase in phases {
            let options = self.cell.options(phase, slots.mask.is_some(), slots.dropout.is_some());
            step.push(plan, options, &[&slots.u, &h, &dy, &gates, &slots.carry, &mask, &dropout]);
        }
    }
}

/// One row of a step, as the phases see it.
struct Row<'a, T> {
    units: usize,
    u: &'a [T],
    /// Of the whole step, `[N, H, 4]`, where there is dropout.
    seen: Option<&'a [T]>,
}

impl<T: Real> Row<'_, T> {
    /// What the gradients of gate `g` at `at` hand back to one unit of h.
    fn product(&self, gates: &[T], at: usize, unit: usize, g: usize) -> T {
        let run = |first: usize| {
            let terms = first..self.units.min(first + RUN);
            terms.fold(T::zero(), |sum, k| sum + gates[4 * (at + k) + g] * self.u[4 * (unit * self.units + k) + g])
        };
        (0..self.units).step_by(RUN).fold(T::zero(), |sum, first| sum + run(first))
    }

    /// The same as it reaches h through the gate's dropout.
    fn reaching(&self, gates: &[T], at: usize, i: usize, unit: usize, g: usize) -> T {
        let product = self.product(gates, at, unit, g);
        self.seen.map_or(product, |seen| product * seen[4 * i + g])
    }
}

impl Kernel for GruStepGrad {
    const INFO: &'static KernelInfo = info!(
        GruStepGrad,
        "gru_step_grad",
        &[
            Binding::read("u"),
            Binding::read("h"),
            Binding::read("dy"),
            Binding::read_write("gates"),
            Binding::read_write("carry"),
            Binding::read("mask"),
            Binding::read("dropout"),
        ],
        GRU_OVERRIDES
    );

    fn grid(&self) -> [u32; 3] {
        [self.units.div_ceil(16), self.rows.div_ceil(4), 1]
    }

    fn flops(&self, options: &Options) -> f64 {
        self.has_next as f64 * phase_flops(options) * self.rows as f64 * (self.units * self.units) as f64
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (u, h, dy, gates, carry) = (args.read(), args.read(), args.read(), args.write(), args.write());
        let (mask, dropout) = (args.read(), args.read());
        let [activation, of_gates, phase] =
            ["ACTIVATION", "RECURRENT_ACTIVATION", "PHASE"].map(|name| options.get(name));
        let (masked, units) = (options.get("MASK") != 0, self.units as usize);
        let row_of = Row { units, u, seen: (options.get("DROPOUT") != 0).then_some(dropout) };
        for row in 0..self.rows as usize {
            let keeps = masked && mask[self.mask_at as usize + row] == T::zero();
            for unit in 0..units {
                let i = row * units + unit;
                let here = self.gates_at as usize + i;
                let h_prev = h[self.h_prev_at as usize + i];
                if phase == 2 {
                    if !keeps {
                        let reaching = row_of.reaching(gates, self.gates_at as usize + row * units, i, unit, 3);
                        let saved = gates[4 * here + 1];
                        gates[4 * here + 1] = reaching * h_prev * activation_slope(of_gates, saved);
                        carry[i] = carry[i] + reaching * activation_restore(of_gates, saved);
                    }
                    continue;
                }
                let mut dh = T::zero();
                if self.has_next != 0 {
                    let next = self.next_at as usize + row * units;
                    // Without reset_after the candidate's part came by `carry`.
                    let reaching: &[usize] = if phase == 0 { &[0, 1, 3] } else { &[0, 1] };
                    dh = reaching.iter().fold(dh, |sum, &g| sum + row_of.reaching(gates, next, i, unit, g));
                }
                if self.has_dy != 0 {
                    dh = dh + dy[self.dy_at as usize + i];
                }
                if self.carried != 0 {
                    dh = dh + carry[i];
                }
                let gate = &mut gates[4 * here..4 * here + 4];
                if self.has_cell == 0 || keeps {
                    carry[i] = dh;
                    if self.has_cell != 0 {
                        gate.fill(T::zero());
                    }
                    continue;
                }
                let (z, r) = (activation_restore(of_gates, gate[0]), activation_restore(of_gates, gate[1]));
                let g = activation_restore(activation, gate[2]);
                let dz = dh * (h_prev - g) * activation_slope(of_gates, gate[0]);
                let dg = dh * (T::one() - z) * activation_slope(activation, gate[2]);
                carry[i] = dh * z;
                let new = match phase {
                    0 => [dz, dg * gate[3] * activation_slope(of_gates, gate[1]), dg, dg * r],
                    _ => [dz, gate[1], dg, dg],
                };
                gate.copy_from_slice(&new);
            }
        }
    }
}
