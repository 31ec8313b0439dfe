//! The time steps of a GRU: each thread takes rows of the batch through all of them.

use std::ops::Range;

use super::Workers;
use super::gru_cell::{Activations, Usual};
use super::lstm::GRAIN;
use super::panels::Panels;
use super::rows::{by_rows, cut_out, spans, two};
use super::vectorised::vectorised;
use crate::kernels::{Args, GruCell, GruSequence, Kernel, Options, Sequence, Sweep};

/// What all threads read.
#[derive(Clone, Copy)]
struct Inputs<'a> {
    cell: GruCell,
    /// U of z, r and the candidate.
    u: &'a [Panels; 3],
    mask: Option<&'a [f32]>,
    dropout: Option<&'a [f32]>,
}

impl Inputs<'_> {
    /// The products of some units with the weights of one of the gates.
    fn multiply(&self, place: usize, seen: &[f32], product: &mut [f32], units: &[Range<usize>]) {
        units.iter().for_each(|at| self.u[place].product(false, &seen[at.clone()], &mut product[at.clone()]));
    }
}

/// [`GruSequence`].
pub(in crate::kernels) fn gru_sequence(
    kernel: &GruSequence,
    options: &Options,
    mut args: Args<'_, f32>,
    workers: &Workers,
) {
    let (u, gates, h, reset) = (args.read(), args.write(), args.write(), args.write());
    let (mask, dropout) = (args.read(), args.read());
    let cell = GruCell::of(options);
    let [rows, units, steps] = [kernel.0.rows, kernel.0.units, kernel.0.steps].map(|n| n as usize);
    let (size, depth) = (rows * units, if kernel.0.steps > kernel.0.begins { units } else { 0 });
    let of_gates =
        |p: &Sequence| GATES.map(|gate| Panels::new(&u[4 * p.u_at as usize + gate..], [depth, units], [4 * units, 4]));
    let directions: Vec<(Sequence, [Panels; 3])> =
        kernel.0.each_direction().into_iter().map(|p| (p, of_gates(&p))).collect();
    let operations = kernel.flops(options) as usize + 100 * directions.len() * steps * size;
    let parts = workers.cut_each(directions.len(), rows, operations, GRAIN);
    let begin = |of: fn(&Sequence) -> u32| directions.iter().map(move |(p, _)| of(p) as usize);
    let kept = if cell.reset_after { 0 } else { steps * size };
    let gates = cut_out(gates, begin(|p| 4 * p.gates_at).map(|at| at..at + 4 * steps * size));
    let h = cut_out(h, begin(|p| p.h_at).map(|at| at..at + (steps + 1) * size));
    let reset = cut_out(reset, begin(|p| p.beside_at).map(|at| at..at + kept));
    let mut work = Vec::new();
    for ((p, u), (gates, (h, reset))) in directions.iter().zip(gates.into_iter().zip(h.into_iter().zip(reset))) {
        let inputs = Inputs {
            cell,
            u,
            mask: (options.get("MASK") != 0).then(|| &mask[p.mask_at as usize..]),
            dropout: (options.get("DROPOUT") != 0).then(|| &dropout[4 * p.dropout_at as usize..]),
        };
        let gates = by_rows(gates, [rows, 4 * units], &parts);
        let (h, reset) = (by_rows(h, [rows, units], &parts), by_rows(reset, [rows, units], &parts));
        let of_parts = parts.iter().zip(gates).zip(h.into_iter().zip(reset));
        work.extend(of_parts.map(|((rows, gates), (h, reset))| Rows { p, inputs, first: rows.start, gates, h, reset }));
    }
    workers.share(operations, work, Rows::run);
}

/// Some rows of all time steps in one direction.
struct Rows<'a> {
    p: &'a Sequence,
    inputs: Inputs<'a>,
    /// The first of them in the batch.
    first: usize,
    gates: Vec<&'a mut [f32]>,
    h: Vec<&'a mut [f32]>,
    reset: Vec<&'a mut [f32]>,
}

impl Rows<'_> {
    fn run(self) {
        let cell = self.inputs.cell;
        match Usual::are_of(cell) {
            true => self.steps(Usual::PLAIN),
            false => self.steps(cell),
        }
    }

    fn steps(mut self, of: impl Activations) {
        let (p, inputs) = (self.p, self.inputs);
        let (units, len) = (p.units as usize, self.h[0].len());
        let reset_after = inputs.cell.reset_after;
        let dropout = inputs.dropout.map(|dropout| &dropout[4 * self.first * units..][..4 * len]);
        // Nothing where the state begins with zeros.
        let mut products = [(); 3].map(|()| vec![0.0; len]);
        let mut seen = vec![0.0; len];
        for k in 0..p.steps {
            let t = Sweep::earliest(p.steps, p.reverse, &(k..k + 1)) as usize;
            let (before, after) = if p.reverse != 0 { (t + 1, t) } else { (t, t + 1) };
            let begins = k == 0 && p.begins != 0;
            if begins {
                self.h[before].fill(0.0);
            }
            let (h_prev, h) = two(&mut self.h, before, after);
            let mask = inputs.mask.map(|mask| &mask[t * p.rows as usize + self.first..]);
            let (counting, kept) = parts_of(mask, [units, len]);
            for at in kept {
                h[at.clone()].copy_from_slice(&h_prev[at.clone()]);
                if !reset_after {
                    self.reset[t][at].fill(0.0);
                }
            }
            let met = match (begins, reset_after) {
                (true, _) => 0,
                (_, true) => 3,
                (_, false) => 2,
            };
            for (place, product) in products.iter_mut().enumerate().take(met) {
                let seen = see(h_prev, dropout, GATES[place], &mut seen);
                inputs.multiply(place, seen, product, &counting);
            }
            let gates = &mut *self.gates[t];
            if reset_after {
                for at in counting {
                    let gates = &mut gates[4 * at.start..4 * at.end];
                    let [z, r, q] = products.each_ref().map(|product| &product[at.clone()]);
                    let (h_prev, h) = (&h_prev[at.clone()], &mut h[at.clone()]);
                    vectorised(
                        #[inline(always)]
                        |fma| cells(of.by(fma), gates, [z, r, q], h_prev, h),
                    );
                }
                continue;
            }
            let reset = &mut *self.reset[t];
            let met = see(h_prev, dropout, 3, &mut seen);
            for at in counting.iter().cloned() {
                let gates = &mut gates[4 * at.start..4 * at.end];
                let [z, r, _] = products.each_ref().map(|product| &product[at.clone()]);
                let (met, reset) = (&met[at.clone()], &mut reset[at.clone()]);
                vectorised(
                    #[inline(always)]
                    |fma| open_cells(of.by(fma), gates, [z, r], met, reset),
                );
            }
            if !begins {
                inputs.multiply(2, reset, &mut products[2], &counting);
            }
            for at in counting {
                let gates = &mut gates[4 * at.start..4 * at.end];
                let (product, h_prev, h) = (&products[2][at.clone()], &h_prev[at.clone()], &mut h[at.clone()]);
                vectorised(
                    #[inline(always)]
                    |fma| close_cells(of.by(fma), gates, product, h_prev, h),
                );
            }
        }
    }
}

/// Where z, r and what h gives to the candidate lie among a unit's gates.
pub(super) const GATES: [usize; 3] = [0, 1, 3];

/// The units of rows that count in a step, and of those that keep their state.
pub(super) fn parts_of(mask: Option<&[f32]>, [units, len]: [usize; 2]) -> (Vec<Range<usize>>, Vec<Range<usize>>) {
    let Some(mask) = mask else { return (std::iter::once(0..len).collect(), Vec::new()) };
    let (kept, counting): (Vec<_>, Vec<_>) = spans(&mask[..len / units]).partition(|(kept, _)| *kept);
    let units = |spans: Vec<(bool, Range<usize>)>| {
        spans.into_iter().map(|(_, rows)| rows.start * units..rows.end * units).collect()
    };
    (units(counting), units(kept))
}

/// h as one gate sees it.
fn see<'a>(h: &'a [f32], dropout: Option<&[f32]>, gate: usize, seen: &'a mut [f32]) -> &'a [f32] {
    let Some(dropout) = dropout else { return h };
    for (seen, (h, dropout)) in seen.iter_mut().zip(h.iter().zip(dropout.as_chunks::<4>().0)) {
        *seen = h * dropout[gate];
    }
    seen
}

/// z = σ(z), r = σ(r), q = h·U_g + b, g = tanh(x_g + r q); h' = z h + (1 - z) g.
#[inline(always)]
fn cells(of: impl Activations, gates: &mut [f32], [z, r, q]: [&[f32]; 3], h_prev: &[f32], h: &mut [f32]) {
    let (gates, _) = gates.as_chunks_mut::<4>();
    let n = gates.len();
    let (z, r, q, h_prev, h) = (&z[..n], &r[..n], &q[..n], &h_prev[..n], &mut h[..n]);
    for j in 0..n {
        let [of_z, of_r, of_x, of_h] = gates[j];
        let (of_z, of_r, of_h) = (of.gate(of_z + z[j]), of.gate(of_r + r[j]), of_h + q[j]);
        let candidate = of.candidate(of_x + of.gate_restore(of_r) * of_h);
        gates[j] = [of_z, of_r, candidate, of_h];
        let z = of.gate_restore(of_z);
        h[j] = z * h_prev[j] + (1.0 - z) * of.candidate_restore(candidate);
    }
}

/// z = σ(z), r = σ(r) and r h, where the reset comes before the product.
#[inline(always)]
fn open_cells(of: impl Activations, gates: &mut [f32], [z, r]: [&[f32]; 2], h: &[f32], reset: &mut [f32]) {
    let (gates, _) = gates.as_chunks_mut::<4>();
    let n = gates.len();
    let (z, r, h, reset) = (&z[..n], &r[..n], &h[..n], &mut reset[..n]);
    for j in 0..n {
        let [of_z, of_r, of_x, nothing] = gates[j];
        let (of_z, of_r) = (of.gate(of_z + z[j]), of.gate(of_r + r[j]));
        gates[j] = [of_z, of_r, of_x, nothing];
        reset[j] = of.gate_restore(of_r) * h[j];
    }
}

/// g = tanh(x_g + (r h)·U_g); h' = z h + (1 - z) g.
#[inline(always)]
fn close_cells(of: impl Activations, gates: &mut [f32], product: &[f32], h_prev: &[f32], h: &mut [f32]) {
    let (gates, _) = gates.as_chunks_mut::<4>();
    let n = gates.len();
    let (product, h_prev, h) = (&product[..n], &h_prev[..n], &mut h[..n]);
    for j in 0..n {
        let [of_z, of_r, of_x, nothing] = gates[j];
        let candidate = of.candidate(of_x + product[j]);
        gates[j] = [of_z, of_r, candidate, nothing];
        let z = of.gate_restore(of_z);
        h[j] = z * h_prev[j] + (1.0 - z) * of.candidate_restore(candidate);
    }
}
