//! The cross-entropy of classes and its gradient.

use super::info::{info, params};
use super::loss::{BINDINGS, Gradient, OF_ROWS, dispatch_of_rows, flag, ln_1p, write_values};
use super::{Args, Dispatch, Kernel, KernelInfo, LossSlots, Options, Override, Real, Variant, grid_1d};
use crate::plan::Plan;

params! {
    /// A row's cross-entropy -Σ y ln q over its classes, times the row's weight; and the gradient of the batch's loss.
    pub struct CrossEntropy {
        /// Rows of this run.
        pub rows: u32,
        /// C.
        pub classes: u32,
        /// What the batch's sum is divided by, where no slot says it.
        pub total_rows: u32,
        /// Set by `record`.
        pub flags: u32,
        /// Columns of `values`.
        pub columns: u32,
        /// The column to write.
        pub column: u32,
        /// Of labels that are not sparse: y (1 - smoothing) + smoothing / C.
        pub smoothing: f32,
        /// What the gradient is multiplied by.
        pub loss_weight: f32,
    }
}

impl CrossEntropy {
    /// Appends this run: from logits or from probabilities; the truth is a number of a class where it is sparse.
    pub fn record(self, sparse: bool, logits: bool, plan: &mut Plan, slots: LossSlots) {
        let (flags, slots) = slots.bound(plan);
        let options = Options(vec![("SPARSE", sparse.into()), ("LOGITS", logits.into())]);
        CrossEntropy { flags, ..self }.push(plan, options, &slots.each_ref());
    }

    fn label<T: Real>(&self, sparse: bool, truth: &[T], row: usize, class: usize) -> T {
        if sparse {
            return T::count((truth[row] == T::count(class as u32)).into());
        }
        let y = truth[row * self.classes as usize + class];
        if self.smoothing == 0.0 {
            return y;
        }
        let smoothing = T::decimal(self.smoothing);
        y * (T::one() - smoothing) + smoothing / T::count(self.classes)
    }
}

impl Kernel for CrossEntropy {
    const INFO: &'static KernelInfo = info!(
        CrossEntropy,
        "cross_entropy",
        BINDINGS,
        &[Override { name: "SPARSE", values: &[0, 1] }, Override { name: "LOGITS", values: &[0, 1] }]
    );

    const VARIANTS: &'static [Variant] = OF_ROWS;

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.rows)
    }

    fn dispatches(&self, _: &Options, _: usize) -> Vec<Dispatch<Self>> {
        dispatch_of_rows(self, self.flags & flag::LOGGED != 0)
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let log_row = args.scalars.log_row;
        let (prediction, truth, weights, divisor) = (args.read(), args.read(), args.read(), args.read());
        let (values, dprediction) = (args.write(), args.write());
        let mut of_rows = Vec::with_capacity(self.rows as usize);
        let (sparse, logits) = (options.get("SPARSE") != 0, options.get("LOGITS") != 0);
        let classes = self.classes as usize;
        let total = if self.flags & flag::DIVISOR != 0 { divisor[0] } else { T::count(self.total_rows) };
        for row in 0..self.rows as usize {
            let z = &prediction[row * classes..(row + 1) * classes];
            let labels: Vec<T> = (0..classes).map(|class| self.label(sparse, truth, row, class)).collect();
            let (loss, slopes) = if logits { from_logits(z, &labels) } else { from_probabilities(z, &labels) };
            let weight = if self.flags & flag::WEIGHTS != 0 { weights[row] } else { T::one() };
            if self.flags & flag::GRADIENT != 0 {
                let loss_weight = T::decimal(self.loss_weight);
                let gradient = Gradient { flags: self.flags, weight, total, loss_weight };
                let out = &mut dprediction[row * classes..(row + 1) * classes];
                out.iter_mut().zip(slopes).for_each(|(out, slope)| gradient.write(out, slope));
            }
            of_rows.push(if self.flags & flag::WEIGHTS != 0 { loss * weight } else { loss });
        }
        write_values(log_row, self.flags & flag::LOGGED != 0, [self.columns, self.column], &of_rows, values);
    }
}

/// The loss of a row and its derivatives; softmax and logarithm in one, so that nothing overflows.
fn from_logits<T: Real>(z: &[T], labels: &[T]) -> (T, Vec<T>) {
    let at = (1..z.len()).fold(0, |at, c| if z[c] > z[at] { c } else { at });
    let powers: Vec<T> = z.iter().map(|&z_c| (z_c - z[at]).exp()).collect();
    let others = powers.iter().enumerate().filter(|(c, _)| *c != at);
    let rest = others.fold(T::zero(), |sum, (_, &power)| sum + power);
    let log_sum = ln_1p(rest);
    let (mut loss, mut mass) = (T::zero(), T::zero());
    for (&z_c, &y) in z.iter().zip(labels) {
        mass = mass + y;
        if y != T::zero() {
            loss = loss + y * (log_sum - (z_c - z[at]));
        }
    }
    let slope = |(&power, &y): (&T, &T)| power / (T::one() + rest) * mass - y;
    (loss, powers.iter().zip(labels).map(slope).collect())
}

/// The same from probabilities, which are divided by their sum and clipped.
fn from_probabilities<T: Real>(z: &[T], labels: &[T]) -> (T, Vec<T>) {
    let (low, high) = (T::decimal(1e-7), T::decimal(1.0 - 1e-7));
    let within = |q: T| !(q < low || q > high);
    let sum = z.iter().fold(T::zero(), |sum, &z_c| sum + z_c);
    let (mut loss, mut mass) = (T::zero(), T::zero());
    for (&z_c, &y) in z.iter().zip(labels) {
        let q = z_c / sum;
        if within(q) {
            mass = mass + y;
        }
        if y != T::zero() {
            loss = loss - y * q.larger(low).smaller(high).ln();
        }
    }
    let slope = |(&z_c, &y): (&T, &T)| {
        let all = mass / sum;
        if within(z_c / sum) { all - y / z_c } else { all }
    };
    (loss, z.iter().zip(labels).map(slope).collect())
}
