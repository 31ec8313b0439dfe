//! Losses and their gradients.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Override, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// A row's loss, the mean over its outputs, and the gradient of the mean loss.
    pub struct Loss {
        /// Rows of this run.
        pub rows: u32,
        /// O.
        pub outputs: u32,
        /// Rows of the whole batch, all time steps.
        pub total_rows: u32,
        /// 1: write the gradient.
        pub gradient: u32,
        /// Columns of `values`.
        pub columns: u32,
        /// 1: add to the gradient that is there.
        pub accumulate: u32,
    }
}

/// Slots of [`Loss`].
pub struct LossSlots {
    /// `[rows, O]`
    pub prediction: Slot,
    /// `[rows, O]`
    pub truth: Slot,
    /// `[rows, columns]`, column 0
    pub values: Slot,
    /// `[rows, O]`, in training
    pub dprediction: Option<Slot>,
}

/// Values of the override `LOSS`, as in loss.wgsl.
pub(crate) mod kind {
    pub const BINARY_CROSSENTROPY_LOGITS: u32 = 0;
    pub const BINARY_CROSSENTROPY: u32 = 1;
    pub const MEAN_SQUARED_ERROR: u32 = 2;
}

impl Loss {
    /// Appends this run.
    pub fn record(self, kind: u32, plan: &mut Plan, slots: LossSlots) {
        let gradient = slots.dprediction.is_some().into();
        let dprediction = slots.dprediction.unwrap_or_else(|| plan.unused());
        let bound = [&slots.prediction, &slots.truth, &slots.values, &dprediction];
        Loss { gradient, ..self }.push(plan, Options::one("LOSS", kind), &bound);
    }
}

impl Kernel for Loss {
    const INFO: &'static KernelInfo = info!(
        Loss,
        "loss",
        &[
            Binding::read("prediction"),
            Binding::read("truth"),
            Binding::read_write("values"),
            Binding::read_write("dprediction"),
        ],
        &[Override { name: "LOSS", values: &[0, 1, 2] }]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.rows)
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (prediction, truth, values, dprediction) = (args.read(), args.read(), args.write(), args.write());
        let outputs = self.outputs as usize;
        let kind = options.get("LOSS");
        for row in 0..self.rows as usize {
            let mut sum = T::zero();
            for i in row * outputs..(row + 1) * outputs {
                let (value, slope) = value_and_slope(kind, prediction[i], truth[i]);
                sum = sum + value;
                if self.gradient != 0 {
                    let slope = slope / T::count(self.outputs) / T::count(self.total_rows);
                    dprediction[i] = if self.accumulate != 0 { slope + dprediction[i] } else { slope };
                }
            }
            values[row * self.columns as usize] = sum / T::count(self.outputs);
        }
    }
}

/// The loss of one output and its derivative.
fn value_and_slope<T: Real>(kind: u32, z: T, y: T) -> (T, T) {
    let (zero, one) = (T::zero(), T::one());
    match kind {
        kind::BINARY_CROSSENTROPY_LOGITS => {
            let positive = if z > zero { z } else { zero };
            (positive - z * y + (-z.abs()).exp().ln_1p(), z.sigmoid() - y)
        }
        kind::BINARY_CROSSENTROPY => {
            let (low, high) = (T::decimal(1e-7), one - T::decimal(1e-7));
            let clipped = z < low || z > high;
            let q = if z < low {
                low
            } else if z > high {
                high
            } else {
                z
            };
            let slope = if clipped { zero } else { (one - y) / (one - z) - y / z };
            (-(y * q.ln() + (one - y) * (one - q).ln()), slope)
        }
        _ => ((z - y) * (z - y), T::count(2) * (z - y)),
    }
}
