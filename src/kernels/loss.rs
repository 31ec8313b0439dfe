//! Losses of single outputs and their gradients.

use super::info::{info, params};
use super::{Args, Binding, Dispatch, Kernel, KernelInfo, Options, Override, Real, Variant, grid_1d, sum_in_runs};
use crate::plan::{Plan, Slot};

params! {
    /// A row's loss, the mean or sum over its outputs, times the row's weight; and the gradient of the batch's loss.
    pub struct Loss {
        /// Rows of this run.
        pub rows: u32,
        /// O.
        pub outputs: u32,
        /// What a row's sum is divided by: O, or 1.
        pub averaged: u32,
        /// What the batch's sum is divided by, where no slot says it.
        pub total_rows: u32,
        /// Set by `record`.
        pub flags: u32,
        /// Columns of `values`.
        pub columns: u32,
        /// The column to write.
        pub column: u32,
        /// Of binary labels: y (1 - smoothing) + smoothing / 2.
        pub smoothing: f32,
        /// Where Huber's parabola becomes a line.
        pub delta: f32,
        /// What the gradient is multiplied by.
        pub loss_weight: f32,
    }
}

/// Slots of [`Loss`] and [`super::CrossEntropy`].
pub struct LossSlots {
    /// `[rows, O]`
    pub prediction: Slot,
    /// `[rows, O]`, or `[rows]` of class numbers
    pub truth: Slot,
    /// `[rows]`, where rows are weighted
    pub weights: Option<Slot>,
    /// `[1]`: what the batch's sum is divided by, where that is not the number of rows
    pub divisor: Option<Slot>,
    /// Where rows' values go, one column of it
    pub values: RowValues,
    /// `[rows, O]` in training, and whether to add to what is there
    pub dprediction: Option<(Slot, bool)>,
}

/// Where values of rows go.
#[derive(Clone, Debug)]
pub enum RowValues {
    /// `[rows, columns]`
    Each(Slot),
    /// Their sum into the step's row of a log, `[steps, columns]`; of at most [`RowValues::MOST_ROWS`] rows.
    Logged(Slot),
}

impl RowValues {
    /// Rows that one workgroup adds up.
    pub const MOST_ROWS: usize = 256;

    /// The same for some of the rows of so many columns.
    pub fn rows(&self, rows: std::ops::Range<usize>, columns: usize) -> Self {
        match self {
            RowValues::Each(slot) => RowValues::Each(slot.rows(rows, columns)),
            RowValues::Logged(slot) => RowValues::Logged(slot.clone()),
        }
    }

    /// Numbers bound for each row of so many columns.
    pub fn width(&self, columns: usize) -> usize {
        match self {
            RowValues::Each(_) => columns,
            RowValues::Logged(_) => 1,
        }
    }

    /// Whether a log is bound, and what is.
    pub(super) fn bound(self) -> (bool, Slot) {
        match self {
            RowValues::Each(slot) => (false, slot),
            RowValues::Logged(slot) => (true, slot),
        }
    }
}

/// The dispatch of a kernel whose entry point `logged` adds up all rows.
pub(super) fn dispatch_of_rows<K: Kernel>(kernel: &K, logged: bool) -> Vec<Dispatch<K>> {
    let (entry, grid) = if logged { ("logged", [1; 3]) } else { ("main", kernel.grid()) };
    vec![Dispatch { entry, params: *kernel, grid }]
}

/// The variants of these kernels.
pub(super) const OF_ROWS: &[Variant] = &[Variant::named("main", &["main", "logged"])];

/// Writes rows' values into their column, or their sum into the log's row.
pub(super) fn write_values<T: Real>(
    row: u32,
    logged: bool,
    [columns, column]: [u32; 2],
    of_rows: &[T],
    values: &mut [T],
) {
    let at = |row: usize| row * columns as usize + column as usize;
    match logged {
        true => values[at(row as usize)] = sum_in_runs(of_rows.iter().copied()),
        false => of_rows.iter().enumerate().for_each(|(row, &value)| values[at(row)] = value),
    }
}

/// What is in `flags`.
pub(super) mod flag {
    pub const GRADIENT: u32 = 1;
    pub const ACCUMULATE: u32 = 2;
    pub const WEIGHTS: u32 = 4;
    pub const DIVISOR: u32 = 8;
    pub const LOGGED: u32 = 16;
}

/// Values of the override `LOSS`, as in loss.wgsl.
pub(crate) mod kind {
    pub const BINARY_CROSSENTROPY_LOGITS: u32 = 0;
    pub const BINARY_CROSSENTROPY: u32 = 1;
    pub const MEAN_SQUARED_ERROR: u32 = 2;
    pub const MEAN_ABSOLUTE_ERROR: u32 = 3;
    pub const MEAN_ABSOLUTE_PERCENTAGE_ERROR: u32 = 4;
    pub const MEAN_SQUARED_LOGARITHMIC_ERROR: u32 = 5;
    pub const HUBER: u32 = 6;
    pub const LOG_COSH: u32 = 7;
    pub const POISSON: u32 = 8;
    pub const KL_DIVERGENCE: u32 = 9;
}

impl LossSlots {
    /// The flags, and the slots in the order of the bindings.
    pub(super) fn bound(self, plan: &mut Plan) -> (u32, [Slot; 6]) {
        let accumulate = matches!(self.dprediction, Some((_, true)));
        let (logged, values) = self.values.bound();
        let flags = [
            (logged, flag::LOGGED),
            (self.dprediction.is_some(), flag::GRADIENT),
            (accumulate, flag::ACCUMULATE),
            (self.weights.is_some(), flag::WEIGHTS),
            (self.divisor.is_some(), flag::DIVISOR),
        ];
        let flags = flags.iter().filter(|(set, _)| *set).map(|(_, flag)| flag).sum();
        let weights = self.weights.unwrap_or_else(|| plan.nothing());
        let divisor = self.divisor.unwrap_or_else(|| plan.nothing());
        let dprediction = self.dprediction.map_or_else(|| plan.unused(), |(slot, _)| slot);
        (flags, [self.prediction, self.truth, weights, divisor, values, dprediction])
    }
}

/// The bindings of [`Loss`] and [`super::CrossEntropy`].
pub(super) const BINDINGS: &[Binding] = &[
    Binding::read("prediction"),
    Binding::read("truth"),
    Binding::read("weights"),
    Binding::read("divisor"),
    Binding::read_write("values"),
    Binding::read_write("dprediction"),
];

/// What both kernels do with a row's slopes.
pub(super) struct Gradient<T> {
    pub flags: u32,
    /// The row's.
    pub weight: T,
    /// What the batch's sum is divided by.
    pub total: T,
    pub loss_weight: T,
}

impl<T: Real> Gradient<T> {
    /// Writes or adds one slope of the row's loss.
    pub fn write(&self, out: &mut T, slope: T) {
        let scaled = if self.total == T::zero() { T::zero() } else { self.weighted(slope / self.total) };
        *out = if self.flags & flag::ACCUMULATE != 0 { scaled + *out } else { scaled };
    }

    fn weighted(&self, slope: T) -> T {
        let slope = if self.flags & flag::WEIGHTS != 0 { slope * self.weight } else { slope };
        if self.loss_weight == T::one() { slope } else { slope * self.loss_weight }
    }
}

impl Loss {
    /// Appends this run.
    pub fn record(self, kind: u32, plan: &mut Plan, slots: LossSlots) {
        let (flags, slots) = slots.bound(plan);
        Loss { flags, ..self }.push(plan, Options::one("LOSS", kind), &slots.each_ref());
    }
}

impl Kernel for Loss {
    const INFO: &'static KernelInfo =
        info!(Loss, "loss", BINDINGS, &[Override { name: "LOSS", values: &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9] }]);

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
        let outputs = self.outputs as usize;
        let kind = options.get("LOSS");
        let count = T::count(self.averaged);
        let total = if self.flags & flag::DIVISOR != 0 { divisor[0] } else { T::count(self.total_rows) };
        let weight_of = |row: usize| if self.flags & flag::WEIGHTS != 0 { weights[row] } else { T::one() };
        for row in 0..self.rows as usize {
            let weight = weight_of(row);
            let gradient = Gradient { flags: self.flags, weight, total, loss_weight: T::decimal(self.loss_weight) };
            let mut sum = T::zero();
            for i in row * outputs..(row + 1) * outputs {
                let (value, slope) = self.value_and_slope(kind, prediction[i], truth[i]);
                sum = sum + value;
                if self.flags & flag::GRADIENT != 0 {
                    gradient.write(&mut dprediction[i], slope / count);
                }
            }
            let mean = sum / count;
            of_rows.push(if self.flags & flag::WEIGHTS != 0 { mean * weight } else { mean });
        }
        write_values(log_row, self.flags & flag::LOGGED != 0, [self.columns, self.column], &of_rows, values);
    }
}

impl Loss {
    fn smoothed<T: Real>(&self, y: T) -> T {
        if self.smoothing == 0.0 {
            return y;
        }
        let smoothing = T::decimal(self.smoothing);
        y * (T::one() - smoothing) + T::from_f64(0.5) * smoothing
    }

    /// The loss of one output and its derivative.
    fn value_and_slope<T: Real>(&self, kind: u32, z: T, y: T) -> (T, T) {
        let (zero, one, two) = (T::zero(), T::one(), T::count(2));
        let tiny = T::decimal(1e-7);
        let e = z - y;
        match kind {
            kind::BINARY_CROSSENTROPY_LOGITS => {
                let y = self.smoothed(y);
                let positive = if z > zero { z } else { zero };
                (positive - z * y + (-z.abs()).exp().ln_1p(), z.sigmoid() - y)
            }
            kind::BINARY_CROSSENTROPY => {
                let y = self.smoothed(y);
                let high = T::decimal(1.0 - 1e-7);
                let clipped = z < tiny || z > high;
                let q = z.larger(tiny).smaller(high);
                let slope = if clipped { zero } else { (one - y) / (one - z) - y / z };
                (-(y * q.ln() + (one - y) * (one - q).ln()), slope)
            }
            kind::MEAN_SQUARED_ERROR => (e * e, two * e),
            kind::MEAN_ABSOLUTE_ERROR => (e.abs(), e.sign()),
            kind::MEAN_ABSOLUTE_PERCENTAGE_ERROR => {
                let size = y.abs().larger(tiny);
                (T::count(100) * (e.abs() / size), T::count(100) * (e.sign() / size))
            }
            kind::MEAN_SQUARED_LOGARITHMIC_ERROR => {
                let d = ln_1p(z.larger(tiny)) - ln_1p(y.larger(tiny));
                (d * d, if z < tiny { zero } else { two * d / (z + one) })
            }
            kind::HUBER => {
                let delta = T::decimal(self.delta);
                let bounded = e.abs().smaller(delta);
                (bounded * (e.abs() - T::from_f64(0.5) * bounded), e.smaller(delta).larger(-delta))
            }
            kind::LOG_COSH => {
                let ln_2 = T::from_f64(std::f64::consts::LN_2);
                (e.abs() + (-(two * e.abs())).exp().ln_1p() - ln_2, e.tanh())
            }
            kind::POISSON => (z - y * (z + tiny).ln(), one - y / (z + tiny)),
            _ => {
                let clipped = |x: T| x.larger(tiny).smaller(one);
                let slope = if z < tiny || z > one { zero } else { -(clipped(y) / z) };
                (clipped(y) * (clipped(y) / clipped(z)).ln(), slope)
            }
        }
    }
}

/// ln(1 + x) for x >= 0.
pub(super) fn ln_1p<T: Real>(x: T) -> T {
    if x > T::one() { (T::one() + x).ln() } else { x.ln_1p() }
}
