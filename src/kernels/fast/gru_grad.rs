//! The time steps of a GRU backwards: each thread takes rows of the batch through all of them.

use std::ops::Range;

use super::Workers;
use super::gru::{GATES, parts_of};
use super::gru_cell::{Activations, Usual};
use super::lstm::GRAIN;
use super::panels::Panels;
use super::rows::{by_rows, cut_rows};
use super::sums::add_to;
use super::vectorised::vectorised;
use crate::kernels::{Args, GruCell, GruSequenceGrad, Kernel, Options, SequenceGrad};

/// What all threads read.
#[derive(Clone, Copy)]
struct Inputs<'a> {
    cell: GruCell,
    units: usize,
    /// Uᵀ of z, r and the candidate.
    u: &'a [Panels; 3],
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
    let (p, cell, steps) = (&kernel.0, GruCell::of(options), kernel.one_by_one());
    let [rows, units] = [p.rows, p.units].map(|n| n as usize);
    let size = rows * units;
    let u = GATES.map(|gate| Panels::new(&u[gate..], [units, units], [4, 4 * units]));
    let inputs = Inputs {
        cell,
        units,
        u: &u,
        h,
        dy,
        mask: (options.get("MASK") != 0).then_some(mask),
        dropout: (options.get("DROPOUT") != 0).then_some(dropout),
    };
    let parts = workers.cut(rows, kernel.flops(options) as usize + 100 * steps.len() * size, GRAIN);
    // From the earliest of the gates that are seen, the successor's among them.
    let first = steps.iter().map(|step| step.seen_gates().start).min().unwrap_or(0);
    let last = steps.iter().map(|step| step.seen_gates().end).max().unwrap_or(0);
    let gates = by_rows(&mut gates[4 * first..4 * last], [rows, 4 * units], &parts);
    let carry = cut_rows(&mut carry[..size], units, &parts);
    let work = parts.iter().zip(gates.into_iter().zip(carry)).map(|(rows, (gates, carry))| {
        let [dh, of_gate, handed] = [(); 3].map(|()| vec![0.0; carry.len()]);
        Rows { first: rows.start, gates, carry, dh, of_gate, handed }
    });
    workers.each(work.collect(), |mut rows: Rows<'_>| match Usual::are_of(cell) {
        true => steps.iter().for_each(|step| rows.step(step, inputs, first, Usual)),
        false => steps.iter().for_each(|step| rows.step(step, inputs, first, cell)),
    });
}

/// Some rows of all time steps.
struct Rows<'a> {
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
    fn step(&mut self, p: &SequenceGrad, inputs: Inputs<'_>, first: usize, of: impl Activations) {
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
            (0..met).for_each(|gate| self.hand(inputs, gate, next, &counting));
        }
        let Rows { dh, carry, .. } = self;
        if p.has_dy != 0 {
            vectorised(
                #[inline(always)]
                || add_to(dh, &inputs.dy[p.dy_at as usize + skipped..]),
            );
        }
        if p.carried != 0 {
            vectorised(
                #[inline(always)]
                || add_to(dh, carry),
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
                    || cells::<true>(of, gates, h, dh, carry),
                ),
                false => vectorised(
                    #[inline(always)]
                    || cells::<false>(of, gates, h, dh, carry),
                ),
            }
        }
        if inputs.cell.reset_after {
            return;
        }
        self.dh.fill(0.0);
        self.hand(inputs, 2, here, &counting);
        for at in counting {
            let gates = &mut self.gates[here][4 * at.start..4 * at.end];
            let (h, dh, carry) = (&h[at.clone()], &self.dh[at.clone()], &mut self.carry[at.clone()]);
            vectorised(
                #[inline(always)]
                || resets(of, gates, h, dh, carry),
            );
        }
    }

    /// Adds to dh of some units what the gradients of one gate hand back, those of the time step at this place.
    fn hand(&mut self, inputs: Inputs<'_>, gate: usize, place: usize, units: &[Range<usize>]) {
        let number = GATES[gate];
        for at in units.iter().cloned() {
            let (dh, of_gate) = (&mut self.dh[at.clone()], &mut self.of_gate[at.clone()]);
            let gates = self.gates[place].as_chunks::<4>().0[at.clone()].iter();
            of_gate.iter_mut().zip(gates).for_each(|(of_gate, gates)| *of_gate = gates[number]);
            let Some(dropout) = inputs.dropout else {
                inputs.u[gate].product(true, of_gate, dh);
                continue;
            };
            let handed = &mut self.handed[at.clone()];
            inputs.u[gate].product(false, of_gate, handed);
            let seen = dropout.as_chunks::<4>().0[self.first * inputs.units + at.start..].iter();
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
        let dz = dh[j] * (h_prev[j] - g) * of.gate_slope(of_z);
        let dg = dh[j] * (1.0 - z) * of.candidate_slope(of_g);
        carry[j] = dh[j] * z;
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
