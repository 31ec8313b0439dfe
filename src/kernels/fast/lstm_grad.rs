//! The time steps of an LSTM backwards: each thread takes rows of the batch through all of them.

use std::ops::Range;

use super::Workers;
use super::lstm::{GRAIN, is_usual};
use super::maths::tanh;
use super::panels::Panels;
use super::rows::{by_rows, cut_out, spans};
use super::sums::add_to;
use super::vectorised::{Fma, vectorised};
use crate::kernels::faint::without_faint;
use crate::kernels::lstm_cell::{CellOptions, lstm_cell_grad};
use crate::kernels::lstm_sequence::peephole;
use crate::kernels::{Args, Kernel, LstmSequenceGrad, Options, SequenceGrad};

/// What all threads read.
#[derive(Clone, Copy)]
struct Inputs<'a> {
    c: &'a [f32],
    dy: &'a [f32],
    mask: Option<&'a [f32]>,
    peepholes: &'a [f32],
}

/// [`LstmSequenceGrad`]; recurrent dropout is left to the reference.
pub(in crate::kernels) fn lstm_sequence_grad(
    kernel: &LstmSequenceGrad,
    options: &Options,
    mut args: Args<'_, f32>,
    workers: &Workers,
) {
    if options.get("DROPOUT") != 0 {
        return kernel.reference(options, args);
    }
    let (u, c, dy, gates, carry) = (args.read(), args.read(), args.read(), args.write(), args.write());
    let (mask, _, peepholes) = (args.read(), args.read(), args.read());
    let mask = (options.get("MASK") != 0).then_some(mask);
    let [rows, units] = [kernel.0.rows, kernel.0.units].map(|n| n as usize);
    let size = rows * units;
    let directions: Vec<Direction> = kernel
        .0
        .each_direction()
        .into_iter()
        .map(|p| {
            let steps = LstmSequenceGrad(p).one_by_one(options);
            let recurs = steps.iter().any(|step| step.has_next != 0);
            let u = Panels::new(&u[4 * p.u_at as usize..], [if recurs { 4 * units } else { 0 }, units], [1, 4 * units]);
            Direction { u, seen: seen_gates(&steps), carry: p.carry_at as usize, steps }
        })
        .collect();
    let inputs = Inputs { c, dy, mask, peepholes };
    let steps: usize = directions.iter().map(|direction| direction.steps.len()).sum();
    let operations = kernel.flops(options) as usize + 100 * steps * size;
    let parts = workers.cut_each(directions.len(), rows, operations, GRAIN);
    let gates = cut_out(gates, directions.iter().map(|of| 4 * of.seen.start..4 * of.seen.end));
    let carry = cut_out(carry, directions.iter().map(|of| of.carry..of.carry + 2 * size));
    let mut work = Vec::new();
    for (direction, (gates, carry)) in directions.iter().zip(gates.into_iter().zip(carry)) {
        let (gates, carry) = (by_rows(gates, [rows, 4 * units], &parts), by_rows(carry, [rows, units], &parts));
        let of_parts = parts.iter().zip(gates.into_iter().zip(carry));
        work.extend(of_parts.map(|(rows, (gates, carry))| Rows { direction, first: rows.start, gates, carry }));
    }
    workers.share(operations, work, |mut rows: Rows<'_>| {
        let mut dh = vec![0.0; rows.carry[0].len()];
        for step in &rows.direction.steps {
            rows.step(step, options, inputs, &mut dh);
        }
    });
}

/// What all rows have in common in one direction.
struct Direction {
    /// Uᵀ; U is `[H, 4H]`.
    u: Panels,
    /// One by one.
    steps: Vec<SequenceGrad>,
    /// The gates that they see, in groups of four.
    seen: Range<usize>,
    /// Where what is carried begins.
    carry: usize,
}

/// From the earliest of the gates that steps see, the successor's among them, to the latest.
pub(super) fn seen_gates(steps: &[SequenceGrad]) -> Range<usize> {
    let seen = || steps.iter().map(SequenceGrad::seen_gates);
    seen().map(|gates| gates.start).min().unwrap_or(0)..seen().map(|gates| gates.end).max().unwrap_or(0)
}

/// Some rows of all time steps.
struct Rows<'a> {
    direction: &'a Direction,
    /// The first of them in the batch.
    first: usize,
    gates: Vec<&'a mut [f32]>,
    /// dc and dh.
    carry: Vec<&'a mut [f32]>,
}

impl Rows<'_> {
    fn step(&mut self, p: &SequenceGrad, options: &Options, inputs: Inputs<'_>, dh: &mut [f32]) {
        let Direction { u, seen, .. } = self.direction;
        let (units, cell) = (p.units as usize, CellOptions::of(options));
        let (size, len, skipped) = (p.rows as usize * units, dh.len(), self.first * units);
        let place = |at: usize| (at - seen.start) / size;
        match inputs.mask {
            _ if p.has_next == 0 => dh.fill(0.0),
            None => u.product(false, self.gates[place(p.next_at(p.gates_at, size))], dh),
            Some(mask) => {
                let gates = &*self.gates[place(p.next_at(p.gates_at, size))];
                let mask = &mask[p.next_at(p.mask_at, p.rows as usize) + self.first..][..len / units];
                for (kept, rows) in spans(mask) {
                    let dh = &mut dh[rows.start * units..rows.end * units];
                    match kept {
                        true => dh.fill(0.0),
                        false => u.product(false, &gates[4 * rows.start * units..4 * rows.end * units], dh),
                    }
                }
            }
        }
        if p.has_dy != 0 {
            vectorised(
                #[inline(always)]
                |_| add_to(dh, &inputs.dy[p.dy_at as usize + skipped..]),
            );
        }
        if p.carried == 2 {
            vectorised(
                #[inline(always)]
                |_| add_to(dh, self.carry[1]),
            );
        }
        if p.steps == 0 {
            self.carry[1].copy_from_slice(dh);
            return;
        }
        if p.carried == 0 {
            self.carry[0].fill(0.0);
        }
        let states = p.states().map(|place| &inputs.c[p.states_at as usize + place + skipped..][..len]);
        let gates = &mut *self.gates[place(p.gates_at as usize)];
        let peepholes = &inputs.peepholes[p.peepholes_at as usize..];
        let (dc, carry_dh) = self.carry.split_at_mut(1);
        let dc = &mut *dc[0];
        let mut cells = |kept: bool, rows: Range<usize>| {
            let at = rows.start * units..rows.end * units;
            let gates = &mut gates[4 * at.start..4 * at.end];
            let (dh, dc, carry_dh) = (&dh[at.clone()], &mut dc[at.clone()], &mut carry_dh[0][at.clone()]);
            if kept {
                gates.fill(0.0);
                carry_dh.copy_from_slice(dh);
                return;
            }
            if inputs.mask.is_some() {
                carry_dh.fill(0.0);
            }
            let states = states.map(|c| &c[at.clone()]);
            match is_usual(cell) {
                true => vectorised(
                    #[inline(always)]
                    |fma| usual_cells(fma, gates, states, dh, dc),
                ),
                false => any_cells(cell, (units, peepholes), gates, states, dh, dc),
            }
        };
        match inputs.mask {
            None => cells(false, 0..len / units),
            Some(mask) => {
                let mask = &mask[p.mask_at as usize + self.first..][..len / units];
                spans(mask).for_each(|(kept, rows)| cells(kept, rows));
            }
        }
    }
}

/// The gradients of the gates before activation, in place, and of the cell state before the step.
#[inline(always)]
fn usual_cells(fma: Fma, gates: &mut [f32], [c_prev, c]: [&[f32]; 2], dh: &[f32], dc: &mut [f32]) {
    let (gates, _) = gates.as_chunks_mut::<4>();
    let n = gates.len();
    let (c_prev, c, dh, dc) = (&c_prev[..n], &c[..n], &dh[..n], &mut dc[..n]);
    for j in 0..n {
        let [i, f, g, o] = gates[j];
        let y = tanh(fma, c[j]);
        let dh = without_faint(dh[j]);
        let of_cell = fma.add(dh * o, fma.add(-y, y, 1.0), without_faint(dc[j]));
        gates[j] = [
            of_cell * g * (i * (1.0 - i)),
            of_cell * c_prev[j] * (f * (1.0 - f)),
            of_cell * i * fma.add(-g, g, 1.0),
            dh * y * (o * (1.0 - o)),
        ];
        dc[j] = of_cell * f;
    }
}

fn any_cells(
    cell: CellOptions,
    (units, peepholes): (usize, &[f32]),
    gates: &mut [f32],
    [c_prev, c]: [&[f32]; 2],
    dh: &[f32],
    dc: &mut [f32],
) {
    let (gates, _) = gates.as_chunks_mut::<4>();
    for (j, gate) in gates.iter_mut().enumerate() {
        let peephole = peephole(cell.peepholes, peepholes, units, j % units);
        let reaching = [dh[j], dc[j]].map(without_faint);
        let (dz, dc_prev) = lstm_cell_grad(cell, *gate, [c_prev[j], c[j]], reaching, peephole);
        *gate = dz;
        dc[j] = dc_prev;
    }
}
