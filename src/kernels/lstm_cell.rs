//! The LSTM's cell and its gradient in plain arithmetic, the twin of `shaders/lstm_cell.wgsl`.

use super::Real;

/// Activated gates in the order i, f, c, o, the new cell state and the new output.
pub(super) struct Cell<T> {
    pub gates: [T; 4],
    pub c: T,
    pub h: T,
}

/// c' = f c + i g; h' = o tanh(c') (Hochreiter & Schmidhuber 1997; Gers et al. 2000).
pub(super) fn lstm_cell<T: Real>(z: [T; 4], c_prev: T) -> Cell<T> {
    let [i, f, g, o] = [z[0].sigmoid(), z[1].sigmoid(), z[2].tanh(), z[3].sigmoid()];
    let c = f * c_prev + i * g;
    Cell { gates: [i, f, g, o], c, h: o * c.tanh() }
}

/// Gradients of the gates before activation, and of the cell state of the step before.
pub(super) fn lstm_cell_grad<T: Real>(gates: [T; 4], c_prev: T, c: T, dh: T, dc_next: T) -> ([T; 4], T) {
    let one = T::one();
    let [i, f, g, o] = gates;
    let tanh_c = c.tanh();
    let dc = dc_next + dh * o * (one - tanh_c * tanh_c);
    let dz = [
        dc * g * (i * (one - i)),
        dc * c_prev * (f * (one - f)),
        dc * i * (one - g * g),
        dh * tanh_c * (o * (one - o)),
    ];
    (dz, dc * f)
}
