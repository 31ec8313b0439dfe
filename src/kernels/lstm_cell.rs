//! The LSTM's cell and its gradient in plain arithmetic, the twin of `shaders/lstm_cell.wgsl`.

use super::activation::{activation_restore, activation_saved, activation_slope, activation_value};
use super::{Options, Override, Real};

/// What the cell is made of: override constants of every kernel that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellOptions {
    /// Of the candidate and of the output.
    pub activation: u32,
    /// Of the gates.
    pub recurrent_activation: u32,
    /// Whether i and f see the cell state before the step, and o that after it (Gers & Schmidhuber 2000).
    pub peepholes: bool,
    /// Whether the input gate is 1 - f (Greff et al. 2017).
    pub coupled: bool,
}

/// The overrides of the cell.
pub(super) const CELL_OVERRIDES: [Override; 4] = [
    super::activation::ACTIVATION,
    Override { name: "RECURRENT_ACTIVATION", ..super::activation::ACTIVATION },
    Override { name: "PEEPHOLES", values: &[0, 1] },
    Override { name: "COUPLED", values: &[0, 1] },
];

impl CellOptions {
    /// As values of the overrides.
    pub fn options(self) -> Vec<(&'static str, u32)> {
        vec![
            ("ACTIVATION", self.activation),
            ("RECURRENT_ACTIVATION", self.recurrent_activation),
            ("PEEPHOLES", self.peepholes.into()),
            ("COUPLED", self.coupled.into()),
        ]
    }

    /// From values of the overrides.
    pub fn of(options: &Options) -> CellOptions {
        CellOptions {
            activation: options.get("ACTIVATION"),
            recurrent_activation: options.get("RECURRENT_ACTIVATION"),
            peepholes: options.get("PEEPHOLES") != 0,
            coupled: options.get("COUPLED") != 0,
        }
    }
}

/// What is saved of the gates i, f, c, o for the gradient, the new cell state and the new output.
pub(super) struct Cell<T> {
    pub saved: [T; 4],
    pub c: T,
    pub h: T,
}

/// c' = f c + i g; h' = o act(c') (Hochreiter & Schmidhuber 1997; Gers et al. 2000). `peephole` weighs what i, f and o see of the
/// cell state.
pub(super) fn lstm_cell<T: Real>(options: CellOptions, z: [T; 4], c_prev: T, peephole: Option<[T; 3]>) -> Cell<T> {
    let CellOptions { activation, recurrent_activation, .. } = options;
    let seen = |g: usize, z: T, c: T| peephole.map_or(z, |p| z + p[g] * c);
    let (z_i, z_f) = (seen(0, z[0], c_prev), seen(1, z[1], c_prev));
    let f = activation_value(recurrent_activation, z_f);
    let i = if options.coupled { T::one() - f } else { activation_value(recurrent_activation, z_i) };
    let c = f * c_prev + i * activation_value(activation, z[2]);
    let z_o = seen(2, z[3], c);
    let h = activation_value(recurrent_activation, z_o) * activation_value(activation, c);
    let [i, f, o] = [z_i, z_f, z_o].map(|z| activation_saved(recurrent_activation, z));
    Cell { saved: [i, f, activation_saved(activation, z[2]), o], c, h }
}

/// Gradients of the gates before activation, and of the cell state of the step before.
pub(super) fn lstm_cell_grad<T: Real>(
    options: CellOptions,
    saved: [T; 4],
    [c_prev, c]: [T; 2],
    [dh, dc_next]: [T; 2],
    peephole: Option<[T; 3]>,
) -> ([T; 4], T) {
    let CellOptions { activation, recurrent_activation, .. } = options;
    let gate = |saved| activation_restore(recurrent_activation, saved);
    let (f, o, g) = (gate(saved[1]), gate(saved[3]), activation_restore(activation, saved[2]));
    let i = if options.coupled { T::one() - f } else { gate(saved[0]) };
    let slope = |saved| activation_slope(recurrent_activation, saved);
    let dz_o = dh * activation_value(activation, c) * slope(saved[3]);
    let dc = dc_next + dh * o * activation_slope(activation, activation_saved(activation, c));
    let dc = peephole.map_or(dc, |p| dc + dz_o * p[2]);
    let df = if options.coupled { dc * c_prev - dc * g } else { dc * c_prev };
    let dz_i = if options.coupled { T::zero() } else { dc * g * slope(saved[0]) };
    let dz_f = df * slope(saved[1]);
    let dz_g = dc * i * activation_slope(activation, saved[2]);
    let dc_prev = peephole.map_or(dc * f, |p| {
        let by_i = if options.coupled { dc * f } else { dc * f + dz_i * p[0] };
        by_i + dz_f * p[1]
    });
    ([dz_i, dz_f, dz_g, dz_o], dc_prev)
}
