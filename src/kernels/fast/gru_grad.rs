//! The time steps of a GRU backwards: each thread takes rows of the batch through all of them.

use std::ops::Range;

use super::Workers;
use super::gru::{GATES, parts_of};
use super::gru_cell::{Activations, Usual};
use super::lstm::GRAIN;
use super::lstm_grad::seen_gates;
use super::panels::Panels;
use super::rows::{by_rows, cut_out, cut_rows};
use super::sums::add_to;
use super::vectorised::vectorised;
use crate::kernels::faint::without_faint;
use crate::kernels::{Args, GruCell, GruSequenceGrad, Kernel, Options, SequenceGrad};

/// What all threads read.
#[derive(Clone, Copy)]
struct Inputs<'a> {
    cell: GruCell,
    units: usize,
    h: &'a [f32],
    dy: &'a [f32],
    mask: Option<&'a [f32]>,
    dropout: Option<&'a [f32]>,
}

/// [`GruSequenceGrad`].
pub(in crate::kernels) fn gru_sequence_grad(
    kernel: &GruSequenceGrad,
    options: &Options,
    mut args: Args<'_, f32>,
    workers: &Workers,
) {
    let (u, h, dy, gates, carry) = (args.read(), args.read(), args.read(), args.write(), args.write());
    let (mask, dropout) = (args.read(), args.read());
    let cell = GruCell::of(options);
    let [rows, units] = [kernel.0.rows, kernel.0.units].map(|n| n as usize);
    let size = rows * units;
    let directions: Vec<Direction> = kernel
        .0
        .each_direction()
        .into_iter()
        .map(|p| {
            let steps = GruSequenceGrad(p).one_by_one();
            let u = GATES.map(|gate| Panels::new(&u[4 * p.u_at as usize + gate..], [units, units], [4, 4 * units]));
            Direction { u, seen: seen_gates(&steps), carry: p.carry_at as usize, steps }
        })
        .collect();
    let inputs = Inputs {
        cell,
        units,
        h,
        dy,
        mask: (options.get("MASK") != 0).then_some(mask),
        dropout: (options.get("DROPOUT") != 0).then_some(dropout),
    };
    let steps: usize = directions.iter().map(|direction| direction.steps.len()).sum();
    let operations = kernel.flops(options) as usize + 100 * steps * size;
    let parts = workers.cut_each(directions.len(), rows, operations, GRAIN);
    let gates = cut_out(gates, directions.iter().map(|of| 4 * of.seen.start..4 * of.seen.end));
    let carry = cut_out(carry, directions.iter().map(|of| of.carry..of.carry + size));
    let mut work = Vec::new();
    for (direction, (gates, carry)) in directions.iter().zip(gates.into_iter().zip(carry)) {
        let (gates, carry) = (by_rows(gates, [rows, 4 * units], &parts), cut_rows(carry, units, &parts));
        work.extend(parts.iter().zip(gates.into_iter().zip(carry)).map(|(rows, (gates, carry))| {
            let [dh, of_gate, handed] = [(); 3].map(|()| vec![0.0; carry.len()]);
            Rows { direction, first: rows.start, gates, carry, dh, of_gate, handed }
        }));
    }
    workers.share(operations, work, |mut rows: Rows<'_>| {
        let steps = rows.direction.steps.iter();
        match Usual::are_of(cell) {
            true => steps.for_each(|step| rows.step(step, inputs, Usual::PLAIN)),
            false => steps.for_each(|step| rows.step(step, inputs, cell)),
        }
    });
}

/// What all rows have in common in one direction.
struct Direction {
    /// Uᵀ of z, r and the candidate.
    u: [Panels; 3],
    /// One by one.
    steps: Vec<SequenceGrad>,
    /// The gates that they see, in groups of four.
    seen: Range<usize>,
    /// Where what is carried begins.
    carry: usize,
}

/// Some rows of all time steps.
struct Rows<'a> {
    direction: &'a Direction,
    /// The first of them in the batch.
    first: usize,
    gates: Vec<&'a mut [f32]>,
    carry: &'a mut [f32],
    dh: Vec<f32>,
    /// One gate's gradients.
    of_gate: Vec<f32>,
    /// What they hand back.
    handed: Vec<f32>,
}

impl Rows<'_> {
    fn step(&mut self, p: &SequenceGrad, inputs: Inputs<'_>, of: impl Activations) {
        let first = self.direction.seen.start;
        let (units, size, len) = (p.units as usize, p.rows as usize * p.units as usize, self.dh.len());
        let first_row = self.first;
        let skipped = first_row * units;
        let place = |at: usize| (at - first) / size;
        let mask_at = |at: usize| inputs.mask.map(|mask| &mask[at + first_row..]);
        self.dh.fill(0.0);
        if p.has_next != 0 {
            let mask = mask_at(p.next_at(p.mask_at, p.rows as usize));
            let met = if inputs.cell.reset_after { 3 } else { 2 };
            let next = place(p.next_at(p.gates_at, size));
            let (counting, _) = parts_of(mask, [units, len]);
            (0..met).for_each(|gate| self.hand(p, inputs, gate, next, &counting));
        }
        let Rows { dh, carry, .. } = self;
        if p.has_dy != 0 {
            vectorised(
                #[inline(always)]
                |_| add_to(dh, &inputs.dy[p.dy_at as usize + skipped..]),
            );
        }
        if p.carried != 0 {
            vectorised(
                #[inline(always)]
                |_| add_to(dh, carry),
            );
        }
        if p.steps == 0 {
            carry.copy_from_slice(dh);
            return;
        }
        let here = place(p.gates_at as usize);
        let mask = mask_at(p.mask_at as usize);
        let [before, _] = p.states();
        let h = &inputs.h[p.states_at as usize + before + skipped..][..len];
        let (counting, kept) = parts_of(mask, [units, len]);
        for at in kept {
            self.gates[here][4 * at.start..4 * at.end].fill(0.0);
            self.carry[at.clone()].copy_from_slice(&self.dh[at]);
        }
        for at in counting.iter().cloned() {
            let gates = &mut self.gates[here][4 * at.start..4 * at.end];
            let (h, dh, carry) = (&h[at.clone()], &self.dh[at.clone()], &mut self.carry[at.clone()]);
            match inputs.cell.reset_after {
                true => vectorised(
                    #[inline(always)]
                    |fma| cells::<true>(of.by(fma), gates, h, dh, carry),
                ),
                false => vectorised(
                    #[inline(always)]
                    |fma| cells::<false>(of.by(fma), gates, h, dh, carry),
                ),
            }
        }
        if inputs.cell.reset_after {
            return;
        }
        self.dh.fill(0.0);
        self.hand(p, inputs, 2, here, &counting);
        for at in counting {
            let gates = &mut self.gates[here][4 * at.start..4 * at.end];
            let (h, dh, carry) = (&h[at.clone()], &self.dh[at.clone()], &mut self.carry[at.clone()]);
            vectorised(
                #[inline(always)]
                |fma| resets(of.by(fma), gates, h, dh, carry),
            );
        }
    }

    /// Adds to dh of some units what the gradients of one gate hand back, those of the time step at this place.
    fn hand(&mut self, p: &SequenceGrad, inputs: Inputs<'_>, gate: usize, place: usize, units: &[Range<usize>]) {
        let (number, u) = (GATES[gate], &self.direction.u[gate]);
        let skipped = p.dropout_at as usize + self.first * inputs.units;
        for at in units.iter().cloned() {
            let (dh, of_gate) = (&mut self.dh[at.clone()], &mut self.of_gate[at.clone()]);
            let gates = self.gates[place].as_chunks::<4>().0[at.clone()].iter();
            of_gate.iter_mut().zip(gates).for_each(|(of_gate, gates)| *of_gate = gates[number]);
            let Some(dropout) = inputs.dropout else {
                u.product(true, of_gate, dh);
                continue;
            };
            let handed = &mut self.handed[at.clone()];
            u.product(false, of_gate, handed);
            let seen = dropout.as_chunks::<4>().0[skipped + at.start..].iter();
            dh.iter_mut().zip(handed.iter().zip(seen)).for_each(|(dh, (handed, seen))| *dh += handed * seen[number]);
        }
    }
}

/// The gradients of the gates before activation, in place, but for that of r where the reset comes before the product; and what
/// reaches h beside the products.
#[inline(always)]
fn cells<const RESET_AFTER: bool>(
    of: impl Activations,
    gates: &mut [f32],
    h_prev: &[f32],
    dh: &[f32],
    carry: &mut [f32],
) {
    let (gates, _) = gates.as_chunks_mut::<4>();
    let n = gates.len();
    let (h_prev, dh, carry) = (&h_prev[..n], &dh[..n], &mut carry[..n]);
    for j in 0..n {
        let [of_z, of_r, of_g, q] = gates[j];
        let (z, g) = (of.gate_restore(of_z), of.candidate_restore(of_g));
        let dh = without_faint(dh[j]);
        let dz = dh * (h_prev[j] - g) * of.gate_slope(of_z);
        let dg = dh * (1.0 - z) * of.candidate_slope(of_g);
        carry[j] = dh * z;
        gates[j] = match RESET_AFTER {
            true => [dz, dg * q * of.gate_slope(of_r), dg, dg * of.gate_restore(of_r)],
            false => [dz, of_r, dg, dg],
        };
    }
}

/// The gradient of r where the reset comes before the product, of which `dh` is the gradient, and what reaches h through r h.
#[inline(always)]
fn resets(of: impl Activations, gates: &mut [f32], h_prev: &[f32], dh: &[f32], carry: &mut [f32]) {
    let (gates, _) = gates.as_chunks_mut::<4>();
    let n = gates.len();
    let (h_prev, dh, carry) = (&h_prev[..n], &dh[..n], &mut carry[..n]);
    for j in 0..n {
        let [dz, of_r, dg, dq] = gates[j];
        gates[j] = [dz, dh[j] * h_prev[j] * of.gate_slope(of_r), dg, dq];
        carry[j] += dh[j] * of.gate_restore(of_r);
    }
}
