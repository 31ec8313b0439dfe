//! Matrix products.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Real};
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
        if b_col == 1 {
            for k in terms {
                let (factor, at) = (a_of(k), b_at + k as usize * b_row);
                for (sum, &value) in sums.iter_mut().zip(&b[at..]) {
                    *sum = *sum + factor * value;
                }
            }
        } else {
            for (col, sum) in sums.iter_mut().enumerate() {
                for k in terms.clone() {
                    *sum = *sum + a_of(k) * b[b_at + k as usize * b_row + col * b_col];
                }
            }
        }
    }
}
