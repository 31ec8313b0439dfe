//! What each layer does with one row.

use super::arithmetic::{activate, add_product};
use crate::model::Activation;

/// A layer with what it keeps.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// y = scale x + offset
    Affine {
        scale: Vec<f32>,
        offset: Vec<f32>,
    },
    Dense {
        kernel: Vec<f32>,
        bias: Vec<f32>,
        activation: Activation,
    },
    Activate {
        width: usize,
        activation: Activation,
    },
    /// Rows whose numbers all are this do not count.
    Mask {
        width: usize,
        value: f32,
    },
    Lstm(Recurrent),
    Gru(Recurrent),
}

/// A recurrent layer: weights in Keras's order of gates, i f c o or z r h, each gate's units one behind the other.
#[derive(Clone, Debug)]
pub(super) struct Recurrent {
    pub units: usize,
    /// `[F, G H]`
    pub kernel: Vec<f32>,
    /// `[H, G H]`
    pub recurrent: Vec<f32>,
    /// `[G H]`, of x
    pub bias: Vec<f32>,
    /// `[G H]`, of h, for a GRU that resets after the product
    pub recurrent_bias: Option<Vec<f32>>,
    pub activation: Activation,
    pub recurrent_activation: Activation,
    /// Whether rows that do not count give 0.
    pub zero_for_mask: bool,
    pub h: Vec<f32>,
    /// Of an LSTM.
    pub c: Vec<f32>,
    /// Room for the gates, of x and of h.
    pub gates: Vec<f32>,
    pub of_h: Vec<f32>,
}

impl Stage {
    /// Numbers that it gives.
    pub fn outputs(&self) -> usize {
        match self {
            Stage::Affine { scale, .. } => scale.len(),
            Stage::Dense { bias, .. } => bias.len(),
            Stage::Activate { width, .. } | Stage::Mask { width, .. } => *width,
            Stage::Lstm(layer) | Stage::Gru(layer) => layer.units,
        }
    }

    pub fn reset(&mut self) {
        if let Stage::Lstm(layer) | Stage::Gru(layer) = self {
            layer.h.fill(0.0);
            layer.c.fill(0.0);
        }
    }

    /// Makes y of x; `counts` says whether the row counts, and the answer whether it does for the next layer.
    pub fn step(&mut self, x: &[f32], y: &mut [f32], counts: bool) -> bool {
        match self {
            Stage::Affine { scale, offset } => {
                let pairs = scale.iter().zip(&*offset);
                y.iter_mut().zip(x.iter().zip(pairs)).for_each(|(y, (x, (scale, offset)))| *y = scale * x + offset);
            }
            Stage::Dense { kernel, bias, activation } => {
                y.copy_from_slice(bias);
                add_product(x, kernel, y);
                activate(*activation, y);
            }
            Stage::Activate { activation, .. } => {
                y.copy_from_slice(x);
                activate(*activation, y);
            }
            Stage::Mask { value, .. } => {
                let masked = x.iter().all(|x| x == value);
                // As Keras's Masking, which gives 0 for such a row.
                y.iter_mut().zip(x).for_each(|(y, x)| *y = if masked { 0.0 } else { *x });
                return counts && !masked;
            }
            Stage::Lstm(layer) if counts => layer.lstm(x),
            Stage::Gru(layer) if counts => layer.gru(x),
            Stage::Lstm(_) | Stage::Gru(_) => {}
        }
        if let Stage::Lstm(layer) | Stage::Gru(layer) = self {
            match !counts && layer.zero_for_mask {
                true => y.fill(0.0),
                false => y.copy_from_slice(&layer.h),
            }
        }
        counts
    }
}

impl Recurrent {
    /// c' = f c + i g; h' = o act(c').
    fn lstm(&mut self, x: &[f32]) {
        let units = self.units;
        self.gates.copy_from_slice(&self.bias);
        add_product(x, &self.kernel, &mut self.gates);
        add_product(&self.h, &self.recurrent, &mut self.gates);
        let (input_forget, rest) = self.gates.split_at_mut(2 * units);
        let (candidate, output) = rest.split_at_mut(units);
        activate(self.recurrent_activation, input_forget);
        activate(self.activation, candidate);
        activate(self.recurrent_activation, output);
        let (input, forget) = input_forget.split_at(units);
        for j in 0..units {
            self.c[j] = forget[j] * self.c[j] + input[j] * candidate[j];
        }
        self.h.copy_from_slice(&self.c);
        activate(self.activation, &mut self.h);
        self.h.iter_mut().zip(&*output).for_each(|(h, o)| *h *= o);
    }

    /// h' = z h + (1 - z) g, as [`Gru`](crate::model::Gru) says.
    fn gru(&mut self, x: &[f32]) {
        let units = self.units;
        self.gates.copy_from_slice(&self.bias);
        add_product(x, &self.kernel, &mut self.gates);
        match &self.recurrent_bias {
            Some(bias) => self.of_h.copy_from_slice(bias),
            None => self.of_h.fill(0.0),
        }
        let after = self.recurrent_bias.is_some();
        add_product(&self.h, &self.recurrent, &mut self.of_h);
        let (update_reset, candidate) = self.gates.split_at_mut(2 * units);
        update_reset.iter_mut().zip(&self.of_h).for_each(|(gate, h)| *gate += h);
        activate(self.recurrent_activation, update_reset);
        let (update, reset) = update_reset.split_at(units);
        if after {
            for j in 0..units {
                candidate[j] += reset[j] * self.of_h[2 * units + j];
            }
        } else {
            // (r h)·U of the candidate alone.
            for (k, u) in self.recurrent.chunks_exact(3 * units).enumerate() {
                let seen = reset[k] * self.h[k];
                candidate.iter_mut().zip(&u[2 * units..]).for_each(|(g, u)| *g += seen * u);
            }
        }
        activate(self.activation, candidate);
        for j in 0..units {
            self.h[j] = update[j] * self.h[j] + (1.0 - update[j]) * candidate[j];
        }
    }
}
