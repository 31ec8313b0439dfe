//! The activations of a GRU's cell, so that its loops stand once and are compiled for the usual ones.

use super::maths::{sigmoid, tanh};
use super::vectorised::Fma;
use crate::kernels::GruCell;
use crate::kernels::activation::{self, activation_restore, activation_saved, activation_slope};

/// What the loops over units call. What is saved stands for the argument and for the value.
pub(super) trait Activations: Copy {
    /// The same in loops that are compiled for such instructions.
    fn by(self, fma: Fma) -> Self;
    /// Of a gate, from its argument.
    fn gate(self, x: f32) -> f32;
    fn gate_restore(self, saved: f32) -> f32;
    fn gate_slope(self, saved: f32) -> f32;
    /// Of the candidate.
    fn candidate(self, x: f32) -> f32;
    fn candidate_restore(self, saved: f32) -> f32;
    fn candidate_slope(self, saved: f32) -> f32;
}

/// σ and tanh.
#[derive(Clone, Copy)]
pub(super) struct Usual(Fma);

impl Usual {
    /// With separate instructions, until loops are compiled for others.
    pub const PLAIN: Usual = Usual(Fma::NONE);

    /// Whether a cell has these.
    pub fn are_of(cell: GruCell) -> bool {
        cell.activation == activation::TANH && cell.recurrent_activation == activation::SIGMOID
    }
}

impl Activations for Usual {
    #[inline(always)]
    fn by(self, fma: Fma) -> Self {
        Usual(fma)
    }
    #[inline(always)]
    fn gate(self, x: f32) -> f32 {
        sigmoid(self.0, x)
    }
    #[inline(always)]
    fn gate_restore(self, saved: f32) -> f32 {
        saved
    }
    #[inline(always)]
    fn gate_slope(self, saved: f32) -> f32 {
        saved * (1.0 - saved)
    }
    #[inline(always)]
    fn candidate(self, x: f32) -> f32 {
        tanh(self.0, x)
    }
    #[inline(always)]
    fn candidate_restore(self, saved: f32) -> f32 {
        saved
    }
    #[inline(always)]
    fn candidate_slope(self, saved: f32) -> f32 {
        1.0 - saved * saved
    }
}

impl Activations for GruCell {
    fn by(self, _: Fma) -> Self {
        self
    }
    fn gate(self, x: f32) -> f32 {
        activation_saved(self.recurrent_activation, x)
    }
    fn gate_restore(self, saved: f32) -> f32 {
        activation_restore(self.recurrent_activation, saved)
    }
    fn gate_slope(self, saved: f32) -> f32 {
        activation_slope(self.recurrent_activation, saved)
    }
    fn candidate(self, x: f32) -> f32 {
        activation_saved(self.activation, x)
    }
    fn candidate_restore(self, saved: f32) -> f32 {
        activation_restore(self.activation, saved)
    }
    fn candidate_slope(self, saved: f32) -> f32 {
        activation_slope(self.activation, saved)
    }
}
