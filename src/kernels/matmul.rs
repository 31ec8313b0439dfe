//! Matrix products.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, RUN, Real};
use crate::plan::{Plan, Slot};

params! {
    /// C = A·B (+ C) (+ bias), or its parts over slices of K.
    pub struct Matmul {
        /// Rows of C.
        pub m: u32,
        /// Columns of C.
        pub n: u32,
        /// Terms of each sum.
        pub k: u32,
        /// Where A begins in its binding; set by `record`, as for B and C.
        pub a_at: u32,
        /// Distance of A's rows.
        pub a_row: u32,
        /// Distance of A's columns.
        pub a_col: u32,
        /// Where B begins.
        pub b_at: u32,
        /// Distance of B's rows.
        pub b_row: u32,
        /// Distance of B's columns.
        pub b_col: u32,
        /// Where C begins.
        pub c_at: u32,
        /// Terms of one part.
        pub k_part: u32,
        /// 1: add to C.
        pub accumulate: u32,
        /// 1: add bias to every row.
        pub has_bias: u32,
    }
}

/// Slots of [`Matmul`].
pub struct MatmulSlots {
    /// `[M, K]` by strides
    pub a: Slot,
    /// `[K, N]` by strides
    pub b: Slot,
    /// `[N]`
    pub bias: Option<Slot>,
    /// `[parts, M, N]`
    pub c: Slot,
}

impl Matmul {
    /// Appends this product; offsets and the bias flag are set here.
    pub fn record(mut self, plan: &mut Plan, slots: MatmulSlots) {
        let (a, a_at) = slots.a.aligned();
        let (b, b_at) = slots.b.aligned();
        let (c, c_at) = slots.c.aligned();
        self.has_bias = slots.bias.is_some().into();
        let bias = slots.bias.unwrap_or_else(|| plan.nothing());
        Matmul { a_at, b_at, c_at, ..self }.push(plan, Options::none(), &[&a, &b, &bias, &c]);
    }
}

impl Kernel for Matmul {
    const INFO: &'static KernelInfo = info!(
        Matmul,
        "matmul",
        &[Binding::read("a"), Binding::read("b"), Binding::read("bias"), Binding::read_write("c")],
        &[]
    );

    fn grid(&self) -> [u32; 3] {
        [self.n.div_ceil(32), self.m.div_ceil(32), self.k.div_ceil(self.k_part)]
    }

    fn reference<T: Real>(&self, _: &Options, mut args: Args<'_, T>) {
        let (a, b, bias, c) = (args.read(), args.read(), args.read(), args.write());
        let (m, n) = (self.m as usize, self.n as usize);
        let mut sums = vec![T::zero(); n];
        for part in 0..self.k.div_ceil(self.k_part) {
            let terms = part * self.k_part..self.k.min((part + 1) * self.k_part);
            for row in 0..m {
                self.row_sums(a, b, row, terms.clone(), &mut sums);
                let at = self.c_at as usize + (part as usize * m + row) * n;
                for (col, out) in c[at..at + n].iter_mut().enumerate() {
                    let with_bias = if self.has_bias != 0 { sums[col] + bias[col] } else { sums[col] };
                    *out = if self.accumulate != 0 { with_bias + *out } else { with_bias };
                }
            }
        }
    }
}

impl Matmul {
    /// Sums of one row of C; the inner loop runs along whichever of B's axes is contiguous.
    fn row_sums<T: Real>(&self, a: &[T], b: &[T], row: usize, terms: std::ops::Range<u32>, sums: &mut [T]) {
        let a_of = |k: u32| a[self.a_at as usize + row * self.a_row as usize + k as usize * self.a_col as usize];
        let (b_at, b_row, b_col) = (self.b_at as usize, self.b_row as usize, self.b_col as usize);
        sums.fill(T::zero());
        for first in terms.clone().step_by(RUN) {
            let run = first..terms.end.min(first + RUN as u32);
            if b_col == 1 {
                let rows = run.map(|k| (a_of(k), &b[b_at + k as usize * b_row..][..self.n as usize]));
                add_run(sums, rows);
            } else {
                for (col, sum) in sums.iter_mut().enumerate() {
                    let terms = run.clone().map(|k| a_of(k) * b[b_at + k as usize * b_row + col * b_col]);
                    *sum = *sum + terms.fold(T::zero(), |s, term| s + term);
                }
            }
        }
    }
}

/// sums += Σ factor·row over at most [`RUN`] rows, whose sum is formed first.
pub(super) fn add_run<'a, T: Real>(sums: &mut [T], rows: impl Iterator<Item = (T, &'a [T])>) {
    let mut run: [(T, &[T]); RUN] = [(T::zero(), &[]); RUN];
    let mut len = 0;
    for row in rows {
        run[len] = row;
        len += 1;
    }
    if let [(f0, r0), (f1, r1), (f2, r2), (f3, r3), (f4, r4), (f5, r5), (f6, r6), (f7, r7)] = run
        && len == RUN
    {
        let n = sums.len();
        let (r0, r1, r2, r3) = (&r0[..n], &r1[..n], &r2[..n], &r3[..n]);
        let (r4, r5, r6, r7) = (&r4[..n], &r5[..n], &r6[..n], &r7[..n]);
        for (i, sum) in sums.iter_mut().enumerate() {
            let low = f0 * r0[i] + f1 * r1[i] + f2 * r2[i] + f3 * r3[i];
            let high = f4 * r4[i] + f5 * r5[i] + f6 * r6[i] + f7 * r7[i];
            *sum = *sum + (low + high);
        }
    } else {
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = *sum + run[..len].iter().fold(T::zero(), |s, &(factor, row)| s + factor * row[i]);
        }
    }
}
