//! The time steps of an LSTM, backwards.

use super::faint::without_faint;
use super::fast::{self, Workers};
use super::info::info;
use super::lstm_cell::{CellOptions, lstm_cell_grad};
use super::lstm_sequence::{STEP_OVERRIDES, peephole, step_options};
use super::recurrence::both_or_none;
use super::recurrence_engine::{BACKWARDS, Engine, GRAD_SLICES, Sources, engine_for};
use super::recurrence_grad::{Carried, GradChunk, GradSweep, Reaching, SequenceGrad, SequenceGradSlots};
use super::{Args, Binding, Dispatch, Field, Kernel, KernelInfo, Options, Part, Real, Traits, Variant};
use crate::plan::{Plan, Slot};

/// Of consecutive time steps, the last done first: dh = dy + `dz[next]·Uᵀ`, then the cell's gradient; what was saved of the gates
/// of step t becomes `dz[t]` in place. `carried` is 1 for dc, 2 for dc and dh.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct LstmSequenceGrad(pub SequenceGrad);

/// Slots of [`LstmSequenceGrad`], over all time steps.
#[derive(Clone, Debug)]
pub struct LstmSequenceGradSlots {
    /// What all recurrences have; `carry` is `[2, N, H]`, the gradients of the cell state and of h.
    pub sequence: SequenceGradSlots,
    /// `[T+1, N, H]`
    pub c: Slot,
    /// `[3, H]`, as forwards.
    pub peepholes: Option<Slot>,
}

/// Where nothing is masked dh reaches the step before by its products alone.
pub(super) fn carried(masked: bool) -> Carried {
    match masked {
        true => Carried { seed: 2, step: 2, initial: 2 },
        false => Carried { seed: 2, step: 1, initial: 0 },
    }
}

impl LstmSequenceGrad {
    /// The scalars of the uniform block.
    pub const FIELDS: &'static [Field] = SequenceGrad::FIELDS;

    /// Appends the gradient of all time steps: one step, or several where bindings are too small for one.
    pub fn record(grad: &GradSweep, cell: CellOptions, plan: &mut Plan, slots: &LstmSequenceGradSlots) {
        let sequence = &slots.sequence;
        let peepholes = slots.peepholes.clone().unwrap_or_else(|| plan.nothing());
        for chunk in grad.chunks(plan, sequence, carried(sequence.extras.mask.is_some())) {
            let (c, states_at) = plan.window(&slots.c, chunk.states.clone());
            let part = LstmSequenceGrad(SequenceGrad { states_at, ..chunk.params });
            let options = step_options(cell, slots.peepholes.is_some(), sequence.extras.options());
            let GradChunk { u, gates, dy, carry, mask, dropout, .. } = &chunk;
            part.push(plan, options, &[u, &c, dy, gates, carry, mask, dropout, &peepholes]);
        }
    }

    /// Appends the gradients of two directions: in one step where that can do both, else of the second and then of the first.
    pub fn record_both(
        grads: [&GradSweep; 2],
        cells: [CellOptions; 2],
        plan: &mut Plan,
        slots: [&LstmSequenceGradSlots; 2],
    ) {
        if Self::record_as_one(grads, cells, plan, slots).is_none() {
            Self::record(grads[1], cells[1], plan, slots[1]);
            Self::record(grads[0], cells[0], plan, slots[0]);
        }
    }

    fn record_as_one(
        [grad, second]: [&GradSweep; 2],
        cells: [CellOptions; 2],
        plan: &mut Plan,
        slots: [&LstmSequenceGradSlots; 2],
    ) -> Option<()> {
        let cell = (cells[0] == cells[1] && grad.matches(second)).then_some(cells[0])?;
        let (c, states_at) = plan.window_of_both(&slots[0].c, &slots[1].c)?;
        let (peepholes, peepholes_at) = both_or_none(plan, slots.map(|slots| slots.peepholes.as_ref()))?;
        let sequences = slots.map(|slots| &slots.sequence);
        let chunk = grad.both(plan, sequences, carried(sequences[0].extras.mask.is_some()))?;
        let part = LstmSequenceGrad(chunk.params.beside(states_at, peepholes_at));
        let options = step_options(cell, slots[0].peepholes.is_some(), sequences[0].extras.options());
        let GradChunk { u, gates, dy, carry, mask, dropout, .. } = &chunk;
        part.push(plan, options, &[u, &c, dy, gates, carry, mask, dropout, &peepholes]);
        Some(())
    }

    /// The steps one by one, in the order in which they are done here.
    pub(super) fn one_by_one(&self, options: &Options) -> Vec<SequenceGrad> {
        self.0.one_by_one(carried(options.get("MASK") != 0))
    }
}

impl Kernel for LstmSequenceGrad {
    const INFO: &'static KernelInfo = info!(
        LstmSequenceGrad,
        "lstm_sequence_grad",
        &[
            Binding::read("u"),
            Binding::read("c"),
            Binding::read("dy"),
            Binding::read_write("gates"),
            Binding::read_write("carry"),
            Binding::read("mask"),
            Binding::read("dropout"),
            Binding::read("peepholes"),
        ],
        STEP_OVERRIDES
    );
    const VARIANTS: &'static [Variant] = &Sources {
        wgsl: [
            include_str!("../../shaders/recurrence_grad.wgsl"),
            concat!(
                include_str!("../../shaders/recurrence_grad.wgsl"),
                include_str!("../../shaders/recurrence_lanes_shared.wgsl"),
                include_str!("../../shaders/recurrence_grad_lanes.wgsl")
            ),
            concat!(
                include_str!("../../shaders/recurrence_grad.wgsl"),
                include_str!("../../shaders/recurrence_grad_slice.wgsl")
            ),
            concat!(
                include_str!("../../shaders/recurrence_grad.wgsl"),
                include_str!("../../shaders/recurrence_grad_tile.wgsl")
            ),
        ],
        entries: [&["main"], &["lanes", "main"], &["slice", "main"], &["tile", "main"]],
        slices: GRAD_SLICES,
    }
    .variants();

    fn grid(&self) -> [u32; 3] {
        Engine::step_grid(self.0.shape())
    }

    fn dispatches(&self, options: &Options, variant: usize) -> Vec<Dispatch<Self>> {
        let all = self.0.dispatches(variant, carried(options.get("MASK") != 0), &BACKWARDS);
        all.into_iter().map(|dispatch| dispatch.map(LstmSequenceGrad)).collect()
    }

    fn fits(&self, options: &Options, variant: usize, traits: &Traits) -> bool {
        Engine::of(variant).fits(&Self::VARIANTS[variant], options, traits, self.0.units, &BACKWARDS)
    }

    fn preferred(&self, options: &Options, traits: &Traits) -> usize {
        engine_for(self.0.units, traits, |variant| self.fits(options, variant, traits))
    }

    fn parts(&self, options: &Options) -> Vec<Part<Self>> {
        let of_step = |step: SequenceGrad| {
            let settled = step.settled().map(|gates| (3, gates)).into_iter().collect();
            Part { settled, params: LstmSequenceGrad(step) }
        };
        self.one_by_one(options).into_iter().map(of_step).collect()
    }

    fn flops(&self, _: &Options) -> f64 {
        self.0.flops(4.0)
    }

    fn fast_f32(&self, options: &Options, args: Args<'_, f32>, workers: &Workers) {
        fast::lstm_sequence_grad(self, options, args, workers);
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (u, c, dy, gates, carry) = (args.read(), args.read(), args.read(), args.write(), args.write());
        let (mask, dropout, peepholes) = (args.read(), args.read(), args.read());
        let mask = (options.get("MASK") != 0).then_some(mask);
        let dropout = (options.get("DROPOUT") != 0).then_some(dropout);
        let reaching = Reaching { gates: &[0, 1, 2, 3], u, dy, mask, dropout };
        for step in self.one_by_one(options) {
            let (peepholes, carry) = (&peepholes[step.peepholes_at as usize..], &mut carry[step.carry_at as usize..]);
            reference_step(&step, options, &reaching, [c, peepholes], &mut *gates, carry);
        }
    }
}

fn reference_step<T: Real>(
    p: &SequenceGrad,
    options: &Options,
    reaching: &Reaching<'_, T>,
    [c, peepholes]: [&[T]; 2],
    gates: &mut [T],
    carry: &mut [T],
) {
    let (units, size, cell) = (p.units as usize, p.size(), CellOptions::of(options));
    for i in 0..size {
        let (row, unit, dh_at) = (i / units, i % units, size + i);
        let dh = reaching.dh(p, gates, row, unit);
        let dh = if p.carried == 2 { dh + carry[dh_at] } else { dh };
        let dc_next = if p.carried != 0 { carry[i] } else { T::zero() };
        if p.steps == 0 {
            carry[dh_at] = dh;
            continue;
        }
        let gate = &mut gates[4 * (p.gates_at as usize + i)..][..4];
        if reaching.keeps(p, row) {
            gate.fill(T::zero());
            (carry[i], carry[dh_at]) = (dc_next, dh);
            continue;
        }
        let saved = std::array::from_fn(|g| gate[g]);
        let states = p.states().map(|place| c[p.states_at as usize + place + i]);
        let peephole = peephole(cell.peepholes, peepholes, units, unit);
        let reaching_cell = [dh, dc_next].map(without_faint);
        let (dz, dc_prev) = lstm_cell_grad(cell, saved, states, reaching_cell, peephole);
        gate.copy_from_slice(&dz);
        carry[i] = dc_prev;
        if reaching.mask.is_some() {
            carry[dh_at] = T::zero();
        }
    }
}
