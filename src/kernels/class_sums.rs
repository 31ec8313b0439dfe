//! Sums over rows that metrics need of each class.

use super::info::{info, params};
use super::{Args, Binding, Kernel, KernelInfo, Options, Override, RUN, Real, grid_1d};
use crate::plan::{Plan, Slot};

params! {
    /// Counts of right and wrong predictions, or moments, of each class over blocks of rows.
    pub struct ClassSums {
        /// Rows of this run.
        pub rows: u32,
        /// C.
        pub classes: u32,
        /// Rows of one block.
        pub block_rows: u32,
        /// The first block of this run.
        pub block_at: u32,
        /// Set by `record`.
        pub weighted: u32,
        /// 1: labels other than 0 are 1.
        pub any_label: u32,
        /// Of the statistic `TopK`.
        pub k: u32,
        /// Of the statistic `AboveThreshold`.
        pub threshold: f32,
    }
}

/// Slots of [`ClassSums`].
pub struct ClassSumsSlots {
    /// `[rows, C]`
    pub prediction: Slot,
    /// `[rows, C]`
    pub truth: Slot,
    /// `[rows]`, where rows are weighted
    pub weights: Option<Slot>,
    /// `[blocks, 3, C]`
    pub sums: Slot,
}

/// What is summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// True positives, false positives, false negatives; positive is what is above the threshold.
    AboveThreshold,
    /// The same; positive is the largest of a row.
    Largest,
    /// The same; positive are the k largest of a row.
    TopK,
    /// w y, w y², w (y - p)²
    Moments,
}

impl Statistic {
    fn options(self) -> Options {
        Options::one("STATISTIC", self as u32)
    }
}

impl ClassSums {
    /// Appends this run.
    pub fn record(self, statistic: Statistic, plan: &mut Plan, slots: ClassSumsSlots) {
        let weighted = slots.weights.is_some().into();
        let weights = slots.weights.unwrap_or_else(|| plan.nothing());
        let bound = [&slots.prediction, &slots.truth, &weights, &slots.sums];
        ClassSums { weighted, ..self }.push(plan, statistic.options(), &bound);
    }
}

impl Kernel for ClassSums {
    const INFO: &'static KernelInfo = info!(
        ClassSums,
        "class_sums",
        &[Binding::read("prediction"), Binding::read("truth"), Binding::read("weights"), Binding::read_write("sums")],
        &[Override { name: "STATISTIC", values: &[0, 1, 2, 3] }]
    );

    fn grid(&self) -> [u32; 3] {
        grid_1d(self.rows.div_ceil(self.block_rows) * self.classes)
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (prediction, truth, weights, sums) = (args.read(), args.read(), args.read(), args.write());
        let (rows, classes, block_rows) = (self.rows as usize, self.classes as usize, self.block_rows as usize);
        let statistic = options.get("STATISTIC");
        let terms = |row: usize, class: usize| {
            let (p, y) = (&prediction[row * classes..(row + 1) * classes], truth[row * classes + class]);
            let terms = if statistic == Statistic::Moments as u32 {
                moments(p[class], y)
            } else {
                self.counts(statistic, p, y, class)
            };
            if self.weighted != 0 { terms.map(|term| term * weights[row]) } else { terms }
        };
        let add = |a: [T; 3], b: [T; 3]| std::array::from_fn(|i| a[i] + b[i]);
        for block in 0..rows.div_ceil(block_rows) {
            let last = rows.min((block + 1) * block_rows);
            for class in 0..classes {
                let mut total = [T::zero(); 3];
                for run in (block * block_rows..last).step_by(RUN) {
                    let of_run = (run..last.min(run + RUN)).fold([T::zero(); 3], |s, row| add(s, terms(row, class)));
                    total = add(total, of_run);
                }
                let out = (self.block_at as usize + block) * 3 * classes + class;
                total.iter().enumerate().for_each(|(i, &sum)| sums[out + i * classes] = sum);
            }
        }
    }
}

impl ClassSums {
    /// Of one row and class: what it adds to true positives, false positives and false negatives.
    fn counts<T: Real>(&self, statistic: u32, prediction: &[T], y: T, class: usize) -> [T; 3] {
        let (zero, one) = (T::zero(), T::one());
        let y = if self.any_label == 0 { y } else { T::count((y != zero).into()) };
        let its = prediction[class];
        let comes_before = |&(c, &other): &(usize, &T)| other > its || (statistic == 2 && other == its && c < class);
        let before = || prediction.iter().enumerate().filter(comes_before).count() as u32;
        let is_positive = match statistic {
            0 => its > T::decimal(self.threshold),
            1 => before() == 0 && its.abs() > T::decimal(1e-9),
            _ => before() < self.k,
        };
        if is_positive { [y, one - y, zero] } else { [zero, zero, y] }
    }
}

fn moments<T: Real>(p: T, y: T) -> [T; 3] {
    let e = y - p;
    [y, y * y, e * e]
}
