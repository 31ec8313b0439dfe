//! The time steps of an LSTM: each thread takes rows of the batch through all of them.

use std::ops::Range;

use super::Workers;
use super::maths::{sigmoid, tanh};
use super::panels::Panels;
use super::rows::{by_rows, cut_out, spans, two};
use super::vectorised::{Fma, vectorised};
use crate::kernels::lstm_cell::{CellOptions, lstm_cell};
use crate::kernels::lstm_sequence::peephole;
use crate::kernels::{Args, Kernel, LstmSequence, Options, Sequence, Sweep, activation};

/// Rows that a thread's part is a multiple of.
pub(super) const GRAIN: usize = 4;

/// Whether the cell is the one that has loops of its own here.
pub(super) fn is_usual(cell: CellOptions) -> bool {
    let CellOptions { activation, recurrent_activation, peepholes, coupled } = cell;
    activation == activation::TANH && recurrent_activation == activation::SIGMOID && !peepholes && !coupled
}

/// [`LstmSequence`]; recurrent dropout, where each gate sees another h, is left to the reference.
pub(in crate::kernels) fn lstm_sequence(
    kernel: &LstmSequence,
    options: &Options,
    mut args: Args<'_, f32>,
    workers: &Workers,
) {
    if options.get("DROPOUT") != 0 {
        return kernel.reference(options, args);
    }
    let (u, gates, h, c) = (args.read(), args.write(), args.write(), args.write());
    let (mask, _, peepholes) = (args.read(), args.read(), args.read());
    let [rows, units, steps] = [kernel.0.rows, kernel.0.units, kernel.0.steps].map(|n| n as usize);
    let (size, depth) = (rows * units, if kernel.0.steps > kernel.0.begins { units } else { 0 });
    let directions: Vec<(Sequence, Panels)> = kernel
        .0
        .each_direction()
        .into_iter()
        .map(|p| (p, Panels::new(&u[4 * p.u_at as usize..], [depth, 4 * units], [4 * units, 1])))
        .collect();
    let operations = kernel.flops(options) as usize + 100 * directions.len() * steps * size;
    let parts = workers.cut_each(directions.len(), rows, operations, GRAIN);
    let begin = |of: fn(&Sequence) -> u32| directions.iter().map(move |(p, _)| of(p) as usize);
    let gates = cut_out(gates, begin(|p| 4 * p.gates_at).map(|at| at..at + 4 * steps * size));
    let h = cut_out(h, begin(|p| p.h_at).map(|at| at..at + (steps + 1) * size));
    let c = cut_out(c, begin(|p| p.beside_at).map(|at| at..at + (steps + 1) * size));
    let mut work = Vec::new();
    for ((p, u), (gates, (h, c))) in directions.iter().zip(gates.into_iter().zip(h.into_iter().zip(c))) {
        let gates = by_rows(gates, [rows, 4 * units], &parts);
        let (h, c) = (by_rows(h, [rows, units], &parts), by_rows(c, [rows, units], &parts));
        let of_parts = parts.iter().zip(gates).zip(h.into_iter().zip(c));
        work.extend(of_parts.map(|((rows, gates), (h, c))| Rows { p, u, first: rows.start, gates, h, c }));
    }
    let masked = options.get("MASK") != 0;
    workers.share(operations, work, |rows: Rows<'_>| {
        let mask = masked.then(|| &mask[rows.p.mask_at as usize..]);
        let peepholes = &peepholes[rows.p.peepholes_at as usize..];
        rows.run(CellOptions::of(options), mask, peepholes);
    });
}

/// Some rows of all time steps in one direction.
struct Rows<'a> {
    p: &'a Sequence,
    u: &'a Panels,
    /// The first of them in the batch.
    first: usize,
    gates: Vec<&'a mut [f32]>,
    h: Vec<&'a mut [f32]>,
    c: Vec<&'a mut [f32]>,
}

impl Rows<'_> {
    fn run(mut self, cell: CellOptions, mask: Option<&[f32]>, peepholes: &[f32]) {
        let (p, u) = (self.p, self.u);
        let (units, width) = (p.units as usize, 4 * p.units as usize);
        let rows = self.h[0].len() / units;
        for k in 0..p.steps {
            let t = Sweep::earliest(p.steps, p.reverse, &(k..k + 1)) as usize;
            let (before, after) = if p.reverse != 0 { (t + 1, t) } else { (t, t + 1) };
            let begins = k == 0 && p.begins != 0;
            if begins {
                self.h[before].fill(0.0);
                self.c[before].fill(0.0);
            }
            let (h_prev, h) = two(&mut self.h, before, after);
            let (c_prev, c) = two(&mut self.c, before, after);
            let gates = &mut *self.gates[t];
            let mut cells = |kept: bool, rows: Range<usize>| {
                let (at, of_gates) = (rows.start * units..rows.end * units, rows.start * width..rows.end * width);
                let (h_prev, c_prev) = (&h_prev[at.clone()], &c_prev[at.clone()]);
                let (h, c) = (&mut h[at.clone()], &mut c[at]);
                if kept {
                    h.copy_from_slice(h_prev);
                    c.copy_from_slice(c_prev);
                    return;
                }
                let gates = &mut gates[of_gates];
                if !begins {
                    u.product(true, h_prev, gates);
                }
                match is_usual(cell) {
                    true => vectorised(
                        #[inline(always)]
                        |fma| usual_cells(fma, gates, c_prev, c, h),
                    ),
                    false => any_cells(cell, (units, peepholes), gates, c_prev, c, h),
                }
            };
            match mask {
                None => cells(false, 0..rows),
                Some(mask) => {
                    let mask = &mask[t * p.rows as usize + self.first..][..rows];
                    spans(mask).for_each(|(kept, rows)| cells(kept, rows));
                }
            }
        }
    }
}

/// c' = σ(f) c + σ(i) tanh(g); h' = σ(o) tanh(c').
#[inline(always)]
fn usual_cells(fma: Fma, gates: &mut [f32], c_prev: &[f32], c: &mut [f32], h: &mut [f32]) {
    let (gates, _) = gates.as_chunks_mut::<4>();
    let n = gates.len();
    let (c_prev, c, h) = (&c_prev[..n], &mut c[..n], &mut h[..n]);
    for j in 0..n {
        let [i, f, g, o] = gates[j];
        let (i, f, g, o) = (sigmoid(fma, i), sigmoid(fma, f), tanh(fma, g), sigmoid(fma, o));
        let new = fma.add(f, c_prev[j], i * g);
        gates[j] = [i, f, g, o];
        c[j] = new;
        h[j] = o * tanh(fma, new);
    }
}

fn any_cells(
    cell: CellOptions,
    (units, peepholes): (usize, &[f32]),
    gates: &mut [f32],
    c_prev: &[f32],
    c: &mut [f32],
    h: &mut [f32],
) {
    let (gates, _) = gates.as_chunks_mut::<4>();
    for (j, z) in gates.iter_mut().enumerate() {
        let peephole = peephole(cell.peepholes, peepholes, units, j % units);
        let new = lstm_cell(cell, *z, c_prev[j], peephole);
        *z = new.saved;
        c[j] = new.c;
        h[j] = new.h;
    }
}
