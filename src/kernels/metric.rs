//! Metrics that are means over rows and are no losses.

use super::info::{info, params};
use super::loss::{OF_ROWS, RowValues, dispatch_of_rows, write_values};
use super::{Args, Binding, Dispatch, Kernel, KernelInfo, Options, Override, Real, Variant, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// A row's metric times the row's weight.
    pub struct Metric {
        /// Rows of this run.
        pub rows: u32,
        /// O.
        pub outputs: u32,
        /// Set by `record`.
        pub weighted: u32,
        /// Set by `record`.
        pub logged: u32,
        /// Columns of `values`.
        pub columns: u32,
        /// The column to write.
        pub column: u32,
        /// Of the metric `TOP_K`.
        pub k: u32,
        /// Of the metric `BINARY_ACCURACY`.
        pub threshold: f32,
    }
}

/// Slots of [`Metric`].
pub struct MetricSlots {
    /// `[rows, O]`
    pub prediction: Slot,
    /// `[rows, O]`, or `[rows]` of class numbers
    pub truth: Slot,
    /// `[rows]`, where rows are weighted
    pub weights: Option<Slot>,
    /// Where rows' values go, one column of it
    pub values: RowValues,
}

/// Values of the override `METRIC`, as in metric.wgsl.
pub(crate) mod kind {
    pub const BINARY_ACCURACY: u32 = 0;
    pub const CLASS_ACCURACY: u32 = 1;
    pub const TOP_K: u32 = 2;
    pub const COSINE_SIMILARITY: u32 = 3;
}

impl Metric {
    /// Appends this run; `sparse`: the truth is the number of a class.
    pub fn record(self, kind: u32, sparse: bool, plan: &mut Plan, slots: MetricSlots) {
        let weighted = slots.weights.is_some().into();
        let weights = slots.weights.unwrap_or_else(|| plan.nothing());
        let options = Options(vec![("METRIC", kind), ("SPARSE", sparse.into())]);
        let (logged, values) = slots.values.bound();
        let bound = [&slots.prediction, &slots.truth, &weights, &values];
        Metric { weighted, logged: logged.into(), ..self }.push(plan, options, &bound);
    }
}

impl Kernel for Metric {
    const INFO: &'static KernelInfo = info!(
        Metric,
        "metric",
        &[Binding::read("prediction"), Binding::read("truth"), Binding::read("weights"), Binding::read_write("values")],
        &[Override { name: "METRIC", values: &[0, 1, 2, 3] }, Override { name: "SPARSE", values: &[0, 1] }]
    );

    const VARIANTS: &'static [Variant] = OF_ROWS;

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.rows)
    }

    fn dispatches(&self, _: &Options, _: usize) -> Vec<Dispatch<Self>> {
        dispatch_of_rows(self, self.logged != 0)
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let log_row = args.scalars.log_row;
        let (prediction, truth, weights, values) = (args.read(), args.read(), args.read(), args.write());
        let mut of_rows = Vec::with_capacity(self.rows as usize);
        let outputs = self.outputs as usize;
        let (kind, sparse) = (options.get("METRIC"), options.get("SPARSE") != 0);
        for row in 0..self.rows as usize {
            let range = row * outputs..(row + 1) * outputs;
            let q = &prediction[range.clone()];
            let value = match kind {
                kind::BINARY_ACCURACY => self.binary_accuracy(q, &truth[range]),
                kind::COSINE_SIMILARITY => cosine(q, &truth[range]),
                _ => {
                    let class = if sparse { class_number(truth[row], outputs) } else { first_largest(&truth[range]) };
                    let most = if kind == kind::CLASS_ACCURACY { 1 } else { self.k };
                    T::count((before(q, class, kind == kind::CLASS_ACCURACY).is_some_and(|n| n < most)).into())
                }
            };
            of_rows.push(if self.weighted != 0 { value * weights[row] } else { value });
        }
        write_values(log_row, self.logged != 0, [self.columns, self.column], &of_rows, values);
    }
}

impl Metric {
    fn binary_accuracy<T: Real>(&self, prediction: &[T], truth: &[T]) -> T {
        let threshold = T::decimal(self.threshold);
        let right = prediction.iter().zip(truth).filter(|&(&q, &y)| T::count((q > threshold).into()) == y);
        T::count(right.count() as u32) / T::count(self.outputs)
    }
}

fn class_number<T: Real>(truth: T, classes: usize) -> usize {
    (truth.to_f64().max(0.0) as usize).min(classes - 1)
}

fn first_largest<T: Real>(values: &[T]) -> usize {
    (1..values.len()).fold(0, |at, i| if values[i] > values[at] { i } else { at })
}

/// How many classes come before this one: the likelier ones, and with `ties` those as likely with a lower number. Nothing where
/// a prediction is no number.
fn before<T: Real>(prediction: &[T], class: usize, ties: bool) -> Option<u32> {
    let its = prediction[class];
    let comes_before = |(o, &other): (usize, &T)| other > its || (ties && other == its && o < class);
    let count = prediction.iter().enumerate().filter(|&(o, q)| comes_before((o, q))).count() as u32;
    (!prediction.iter().any(|q| q.is_nan())).then_some(count)
}

fn cosine<T: Real>(prediction: &[T], truth: &[T]) -> T {
    let dot = |a: &[T], b: &[T]| a.iter().zip(b).fold(T::zero(), |sum, (&a, &b)| sum + a * b);
    let norm = |a: &[T]| dot(a, a).sqrt().larger(T::decimal(1e-7));
    dot(prediction, truth) / norm(prediction) / norm(truth)
}
