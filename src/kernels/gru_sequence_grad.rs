//! The time steps of a GRU, backwards.

use super::activation::{activation_restore, activation_slope};
use super::faint::without_faint;
use super::fast::{self, Workers};
use super::gru_sequence::{GRU_OVERRIDES, GruCell};
use super::info::info;
use super::recurrence::handed_back;
use super::recurrence_engine::{BACKWARDS, Engine, GRAD_SLICES, Pass, Sources, engine_for};
use super::recurrence_grad::{Carried, GradChunk, GradSweep, Reaching, SequenceGrad, SequenceGradSlots};
use super::{Args, Binding, Dispatch, Field, Kernel, KernelInfo, Options, Part, Real, Traits, Variant};
use crate::plan::{Plan, Slot};

/// Of consecutive time steps, the last done first: dh from dy, `carry` and the gates of the step done before; then the gradients of
/// this step's gates in place: of z, r, of what x gave to the candidate and of what h gave. `carried` is 1 for what reaches h beside the
/// products.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct GruSequenceGrad(pub SequenceGrad);

/// Slots of [`GruSequenceGrad`], over all time steps.
#[derive(Clone, Debug)]
pub struct GruSequenceGradSlots {
    /// What all recurrences have; `carry` is `[N, H]`, what reaches h beside the products.
    pub sequence: SequenceGradSlots,
    /// `[T+1, N, H]`
    pub h: Slot,
}

/// Something always reaches h beside the products.
const CARRIED: Carried = Carried { seed: 1, step: 1, initial: 1 };

/// Where the reset comes before the product, so that there are two in a step.
const TWICE: Pass = Pass {
    entries: [&["main", "resets"], &["lanes_twice"], &["slice_twice"], &["tile", "resets"]],
    products: 2,
    ..BACKWARDS
};

fn pass(options: &Options) -> &'static Pass {
    if GruCell::of(options).reset_after { &BACKWARDS } else { &TWICE }
}

impl GruSequenceGrad {
    /// The scalars of the uniform block.
    pub const FIELDS: &'static [Field] = SequenceGrad::FIELDS;

    /// Appends the gradient of all time steps: one step, or several where bindings are too small for one.
    pub fn record(grad: &GradSweep, cell: GruCell, plan: &mut Plan, slots: &GruSequenceGradSlots) {
        let sequence = &slots.sequence;
        for chunk in grad.chunks(plan, sequence, CARRIED) {
            let (h, states_at) = plan.window(&slots.h, chunk.states.clone());
            let part = GruSequenceGrad(SequenceGrad { states_at, ..chunk.params });
            let options = cell.options(sequence.extras.options());
            let GradChunk { u, gates, dy, carry, mask, dropout, .. } = &chunk;
            part.push(plan, options, &[u, &h, dy, gates, carry, mask, dropout]);
        }
    }

    /// Appends the gradients of two directions: in one step where that can do both, else of the second and then of the first.
    pub fn record_both(
        grads: [&GradSweep; 2],
        cells: [GruCell; 2],
        plan: &mut Plan,
        slots: [&GruSequenceGradSlots; 2],
    ) {
        if Self::record_as_one(grads, cells, plan, slots).is_none() {
            Self::record(grads[1], cells[1], plan, slots[1]);
            Self::record(grads[0], cells[0], plan, slots[0]);
        }
    }

    fn record_as_one(
        [grad, second]: [&GradSweep; 2],
        cells: [GruCell; 2],
        plan: &mut Plan,
        slots: [&GruSequenceGradSlots; 2],
    ) -> Option<()> {
        let cell = (cells[0] == cells[1] && grad.matches(second)).then_some(cells[0])?;
        let (h, states_at) = plan.window_of_both(&slots[0].h, &slots[1].h)?;
        let sequences = slots.map(|slots| &slots.sequence);
        let chunk = grad.both(plan, sequences, CARRIED)?;
        let part = GruSequenceGrad(chunk.params.beside(states_at, [0, 0]));
        let options = cell.options(sequences[0].extras.options());
        let GradChunk { u, gates, dy, carry, mask, dropout, .. } = &chunk;
        part.push(plan, options, &[u, &h, dy, gates, carry, mask, dropout]);
        Some(())
    }

    /// The steps one by one, in the order in which they are done here.
    pub(super) fn one_by_one(&self) -> Vec<SequenceGrad> {
        self.0.one_by_one(CARRIED)
    }
}

impl Kernel for GruSequenceGrad {
    const INFO: &'static KernelInfo = info!(
        GruSequenceGrad,
        "gru_sequence_grad",
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
    const VARIANTS: &'static [Variant] = &Sources {
        wgsl: [
            include_str!("../../shaders/recurrence_grad.wgsl"),
            concat!(
                include_str!("../../shaders/recurrence_grad.wgsl"),
                include_str!("../../shaders/recurrence_lanes_shared.wgsl"),
                include_str!("../../shaders/recurrence_grad_lanes.wgsl"),
                include_str!("../../shaders/gru_sequence_grad_lanes.wgsl")
            ),
            concat!(
                include_str!("../../shaders/recurrence_grad.wgsl"),
                include_str!("../../shaders/recurrence_grad_slice.wgsl"),
                include_str!("../../shaders/gru_sequence_grad_slice.wgsl")
            ),
            concat!(
                include_str!("../../shaders/recurrence_grad.wgsl"),
                include_str!("../../shaders/recurrence_grad_tile.wgsl")
            ),
        ],
        entries: [
            &["main", "resets"],
            &["lanes", "lanes_twice", "main"],
            &["slice", "slice_twice", "main"],
            &["tile", "resets", "main"],
        ],
        slices: GRAD_SLICES,
    }
    .variants();

    fn grid(&self) -> [u32; 3] {
        Engine::step_grid(self.0.shape())
    }

    fn dispatches(&self, options: &Options, variant: usize) -> Vec<Dispatch<Self>> {
        let all = self.0.dispatches(variant, CARRIED, pass(options));
        all.into_iter().map(|dispatch| dispatch.map(GruSequenceGrad)).collect()
    }

    fn fits(&self, options: &Options, variant: usize, traits: &Traits) -> bool {
        Engine::of(variant).fits(&Self::VARIANTS[variant], options, traits, self.0.units, pass(options))
    }

    fn preferred(&self, options: &Options, traits: &Traits) -> usize {
        engine_for(self.0.units, traits, |variant| self.fits(options, variant, traits))
    }

    fn parts(&self, _: &Options) -> Vec<Part<Self>> {
        let of_step = |step: SequenceGrad| {
            let settled = step.settled().map(|gates| (3, gates)).into_iter().collect();
            Part { settled, params: GruSequenceGrad(step) }
        };
        self.one_by_one().into_iter().map(of_step).collect()
    }

    fn flops(&self, options: &Options) -> f64 {
        if GruCell::of(options).reset_after {
            return self.0.flops(3.0);
        }
        // The candidate's product is of the step itself.
        let of_candidate = 2.0 * self.0.steps as f64 * self.0.size() as f64 * self.0.units as f64;
        self.0.flops(2.0) + of_candidate
    }

    fn fast_f32(&self, options: &Options, args: Args<'_, f32>, workers: &Workers) {
        fast::gru_sequence_grad(self, options, args, workers);
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (u, h, dy, gates, carry) = (args.read(), args.read(), args.read(), args.write(), args.write());
        let (mask, dropout) = (args.read(), args.read());
        let cell = GruCell::of(options);
        let mask = (options.get("MASK") != 0).then_some(mask);
        let dropout = (options.get("DROPOUT") != 0).then_some(dropout);
        // Where the reset comes before the product, the candidate's part comes by `carry`.
        let of_gates: &[usize] = if cell.reset_after { &[0, 1, 3] } else { &[0, 1] };
        let reaching = Reaching { gates: of_gates, u, dy, mask, dropout };
        for step in self.one_by_one() {
            let carry = &mut carry[step.carry_at as usize..];
            reference_step(&step, cell, &reaching, h, &mut *gates, &mut *carry);
            if !cell.reset_after && step.steps != 0 {
                reference_resets(&step, cell, &reaching, h, &mut *gates, carry);
            }
        }
    }
}

fn reference_step<T: Real>(
    p: &SequenceGrad,
    cell: GruCell,
    reaching: &Reaching<'_, T>,
    h: &[T],
    gates: &mut [T],
    carry: &mut [T],
) {
    let (units, of_gates, [before, _]) = (p.units as usize, cell.recurrent_activation, p.states());
    for i in 0..p.size() {
        let (row, unit) = (i / units, i % units);
        let dh = reaching.dh(p, gates, row, unit);
        let dh = if p.carried != 0 { dh + carry[i] } else { dh };
        if p.steps == 0 {
            carry[i] = dh;
            continue;
        }
        let gate = &mut gates[4 * (p.gates_at as usize + i)..][..4];
        if reaching.keeps(p, row) {
            gate.fill(T::zero());
            carry[i] = dh;
            continue;
        }
        let dh = without_faint(dh);
        let (z, r) = (activation_restore(of_gates, gate[0]), activation_restore(of_gates, gate[1]));
        let g = activation_restore(cell.activation, gate[2]);
        let dz = dh * (h[p.states_at as usize + before + i] - g) * activation_slope(of_gates, gate[0]);
        let dg = dh * (T::one() - z) * activation_slope(cell.activation, gate[2]);
        carry[i] = dh * z;
        let new = match cell.reset_after {
            true => [dz, dg * gate[3] * activation_slope(of_gates, gate[1]), dg, dg * r],
            false => [dz, gate[1], dg, dg],
        };
        gate.copy_from_slice(&new);
    }
}

/// The gradients of r, where the reset comes before the product, and what reaches h through r h.
fn reference_resets<T: Real>(
    p: &SequenceGrad,
    cell: GruCell,
    reaching: &Reaching<'_, T>,
    h: &[T],
    gates: &mut [T],
    carry: &mut [T],
) {
    let (units, of_gates, [before, _]) = (p.units as usize, cell.recurrent_activation, p.states());
    for i in (0..p.size()).filter(|i| !reaching.keeps(p, i / units)) {
        let (row, unit) = (i / units, i % units);
        let gates = &mut gates[4 * (p.gates_at as usize + row * units)..][..4 * units];
        let dh = handed_back(&[3], gates, reaching.weights(p, unit), reaching.seen(p, row, unit));
        let saved = gates[4 * unit + 1];
        gates[4 * unit + 1] = dh * h[p.states_at as usize + before + i] * activation_slope(of_gates, saved);
        carry[i] = carry[i] + dh * activation_restore(of_gates, saved);
    }
}
