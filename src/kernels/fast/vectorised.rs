//! Loops in the widest vectors that this CPU has.

use pulp::{Arch, Simd, WithSimd};

/// Whether what is multiplied and added takes one instruction: a constant wherever loops are compiled, so that there is no branch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fma(bool);

impl Fma {
    /// Two instructions, as anywhere.
    pub const NONE: Fma = Fma(false);

    /// a b + c.
    #[inline(always)]
    pub fn add(self, a: f32, b: f32, c: f32) -> f32 {
        // Without the instruction `mul_add` is a slow function.
        if self.0 { a.mul_add(b, c) } else { a * b + c }
    }
}

/// Runs loops that were compiled for the vector instructions of this CPU (AVX-512, AVX2 with FMA, NEON, ...). The closure must be marked
/// `#[inline(always)]`, and what it calls must be inlined too: only what ends up in here is compiled so.
pub(crate) fn vectorised<R>(work: impl FnMut(Fma) -> R) -> R {
    /// Called by reference: rustc puts a function that is not inlined between a call by value and the closure.
    struct Loops<F>(F);
    impl<R, F: FnMut(Fma) -> R> WithSimd for Loops<F> {
        type Output = R;
        #[inline(always)]
        fn with_simd<S: Simd>(mut self, _: S) -> R {
            // All that have vectors which `pulp` knows have it.
            (self.0)(Fma(!S::IS_SCALAR))
        }
    }
    Arch::new().dispatch(Loops(work))
}
