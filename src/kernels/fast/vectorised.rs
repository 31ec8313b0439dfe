//! Loops in the widest vectors that this CPU has.

use pulp::{Arch, Simd, WithSimd};

/// Runs loops that were compiled for the vector instructions of this CPU (AVX-512, AVX2 with FMA, NEON, ...). The closure must be marked
/// `#[inline(always)]`, and what it calls must be inlined too: only what ends up in here is compiled so.
pub(crate) fn vectorised<R>(work: impl FnMut() -> R) -> R {
    /// Called by reference: rustc puts a function that is not inlined between a call by value and the closure.
    struct Loops<F>(F);
    impl<R, F: FnMut() -> R> WithSimd for Loops<F> {
        type Output = R;
        #[inline(always)]
        fn with_simd<S: Simd>(mut self, _: S) -> R {
            (self.0)()
        }
    }
    Arch::new().dispatch(Loops(work))
}
