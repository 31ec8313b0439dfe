//! Batch normalisation in training: statistics and output.

use super::fast::{self, Workers};
use super::info::{info, params};
use super::variant::in_vec4s;
use super::{
    Args, BLOCK_ROWS, Binding, Dispatch, Kernel, KernelInfo, Options, Override, Part, Real, Traits, Variant,
    sum_in_runs,
};
use crate::plan::{Plan, Slot};

params! {
    /// Mean and biased variance of every feature over the rows of a group, by blocks with the corrected two-pass algorithm, joined
    /// in order (Chan, Golub & LeVeque 1983), and y (+)= gamma (x - mean) / sqrt(variance + epsilon) + beta (Ioffe & Szegedy 2015,
    /// algorithm 1).
    pub struct BatchNorm {
        /// Rows of this run.
        pub rows: u32,
        /// F.
        pub features: u32,
        /// Rows of a group, which has a mean and a variance of its own.
        pub group_rows: u32,
        /// The first group of this run.
        pub group_at: u32,
        /// Rows of one block.
        pub block_rows: u32,
        /// Rows of earlier runs over the same group, whose mean and variance are joined to.
        pub before: u32,
        /// 0: more runs follow, and the variance holds the sum of squared deviations until then.
        pub finish: u32,
        /// Added to the variance.
        pub epsilon: f32,
        /// 0: everything, 1: statistics alone, 2: y alone, which is a part of the reference's; set by `record`.
        pub task: u32,
        /// 1: add to the y that is there.
        pub accumulate: u32,
        /// Where x begins in its binding; set by `record`, as for y.
        pub x_at: u32,
        /// Where y begins.
        pub y_at: u32,
    }
}

/// Slots of [`BatchNorm`].
pub struct BatchNormSlots {
    /// `[rows, F]`
    pub x: Slot,
    /// 0 or 1, if only some rows or elements count
    pub mask: Option<BatchNormMask>,
    /// `[groups, F]`, or with a mask `[2, F]`, the number of rows that count behind the means
    pub mean: Slot,
    /// `[groups, F]`
    pub variance: Slot,
    /// Where the output goes, if it is wanted now.
    pub output: Option<BatchNormOutput>,
}

/// The output of a [`BatchNorm`].
pub struct BatchNormOutput {
    /// `[F]`, if scaled
    pub gamma: Option<Slot>,
    /// `[F]`, if shifted
    pub beta: Option<Slot>,
    /// `[rows, F]`
    pub y: Slot,
}

/// Numbers that say what counts.
#[derive(Clone, Debug)]
pub enum BatchNormMask {
    /// One for all features of a row.
    OfRows(Slot),
    /// One for each feature of these.
    OfElements(Slot),
}

impl BatchNormMask {
    /// The same for some of the rows.
    pub fn rows(&self, rows: std::ops::Range<usize>, features: usize) -> Self {
        match self {
            BatchNormMask::OfRows(slot) => BatchNormMask::OfRows(slot.range(rows)),
            BatchNormMask::OfElements(slot) => BatchNormMask::OfElements(slot.rows(rows, features)),
        }
    }

    /// The value of MASKED, and what is bound.
    fn option(mask: Option<Self>, plan: &mut Plan) -> (u32, Slot) {
        match mask {
            None => (0, plan.nothing()),
            Some(BatchNormMask::OfRows(slot)) => (1, slot),
            Some(BatchNormMask::OfElements(slot)) => (2, slot),
        }
    }
}

/// What Keras adds to the number of rows that count before it divides by it.
pub(super) const MASKED_EPSILON: f32 = 1e-7;

/// Columns of a workgroup, by the number of the variant: `columns`, which needs no barrier, `tree`, which adds up by many threads,
/// `narrow`, by still more of them, and `quads`, `columns` with four columns a thread.
pub(super) const COLUMNS: [u32; 4] = [8, 8, 2, 32];
/// The number of `quads`, whose sizes and offsets must be those of whole vec4s.
pub(super) const QUADS: usize = 3;
/// Threads of a workgroup of `tree` and `narrow`.
const TREE_THREADS: u32 = 256;
/// Fewest rows for which a workgroup has few columns, so that there are more of them.
const MANY_ROWS: u32 = 2048;

/// These variants, with their entry points, and the source of `quads`.
pub(super) const fn variants(
    columns: &'static [&'static str],
    tree: &'static [&'static str],
    quads: &'static str,
) -> [Variant; 4] {
    let (wide, narrow) = (&[("COLUMNS", COLUMNS[0])], &[("COLUMNS", COLUMNS[2])]);
    [
        Variant { constants: wide, ..Variant::named("columns", columns) },
        Variant { constants: wide, ..Variant::named("tree", tree) },
        Variant { constants: narrow, ..Variant::named("narrow", tree) },
        Variant { constants: wide, wgsl: quads, ..Variant::named("quads", &["quads"]) },
    ]
}

/// Whether a GPU can run a variant, where `quads` can compute this. Only drivers that compute on a CPU gain by that one: others would
/// compile and measure it for nothing.
pub(super) fn fits(variant: usize, traits: &Traits, quads: bool) -> bool {
    let memory = 8 * TREE_THREADS;
    match variant {
        0 => true,
        QUADS => traits.software && quads,
        _ => traits.workgroup_threads >= TREE_THREADS && traits.workgroup_memory >= memory,
    }
}

/// The variant to take for so many rows, where `quads` can compute this.
pub(super) fn preferred(rows: u32, traits: &Traits, quads: bool) -> usize {
    match rows {
        _ if traits.software && quads => QUADS,
        _ if traits.software => 0,
        MANY_ROWS.. => 2,
        _ => 1,
    }
}

impl BatchNorm {
    /// Whether `quads` can compute this: one group, all in one run.
    fn in_quads(&self, options: &Options) -> bool {
        let whole = [self.task, self.before] == [0; 2] && self.finish == 1 && self.rows == self.group_rows;
        whole && options.get("MASKED") == 0 && in_vec4s(&[self.features, self.x_at, self.y_at])
    }

    /// Rows of a whole with one mean and one variance, all in one run.
    pub fn of_rows(rows: usize, features: usize, epsilon: f32) -> Self {
        BatchNorm {
            rows: rows as u32,
            features: features as u32,
            group_rows: rows as u32,
            group_at: 0,
            block_rows: BLOCK_ROWS,
            before: 0,
            finish: 1,
            epsilon,
            task: 0,
            accumulate: 0,
            x_at: 0,
            y_at: 0,
        }
    }

    /// Appends this run.
    pub fn record(self, plan: &mut Plan, slots: BatchNormSlots) {
        let (masked, mask) = BatchNormMask::option(slots.mask, plan);
        let BatchNormSlots { x, mean, variance, output, .. } = slots;
        let task = output.is_none().into();
        let output = output.unwrap_or_else(|| BatchNormOutput { gamma: None, beta: None, y: plan.unused() });
        let BatchNormOutput { gamma, beta, y } = output;
        let (scale, center) = (gamma.is_some().into(), beta.is_some().into());
        let options = Options(vec![("MASKED", masked), ("SCALE", scale), ("CENTER", center)]);
        let gamma = gamma.unwrap_or_else(|| plan.nothing());
        let beta = beta.unwrap_or_else(|| plan.nothing());
        let ((x, x_at), (y, y_at)) = (x.aligned(), y.aligned());
        BatchNorm { task, x_at, y_at, ..self }.push(plan, options, &[&x, &mask, &gamma, &beta, &mean, &variance, &y]);
    }

    fn groups(&self) -> u32 {
        self.rows / self.group_rows.max(1)
    }
}

/// Number, mean and sum of squared deviations from it.
#[derive(Clone, Copy)]
struct Moments<T> {
    count: u32,
    mean: T,
    m2: T,
}

impl<T: Real> Moments<T> {
    fn none() -> Self {
        Moments { count: 0, mean: T::zero(), m2: T::zero() }
    }

    fn of(values: &[T]) -> Self {
        let count = values.len() as u32;
        let n = T::count(count.max(1));
        let rough = sum_in_runs(values.iter().copied()) / n;
        let deviations = || values.iter().map(|&v| v - rough);
        let deviation = sum_in_runs(deviations());
        let shift = deviation / n;
        Moments { count, mean: rough + shift, m2: sum_in_runs(deviations().map(|d| d * d)) - deviation * shift }
    }

    fn joined(self, later: Self) -> Self {
        if later.count == 0 || self.count == 0 {
            return if later.count == 0 { self } else { later };
        }
        let count = self.count + later.count;
        let share = T::count(later.count) / T::count(count);
        let delta = later.mean - self.mean;
        let m2 = self.m2 + (later.m2 + delta * delta * T::count(self.count) * share);
        Moments { count, mean: self.mean + delta * share, m2 }
    }

    /// Mean and variance; masked with Keras's divisor n + 1e-7 instead of n, squared deviations from that mean.
    fn finished(self, masked: bool) -> (T, T) {
        let n = T::count(self.count);
        if !masked {
            return (self.mean, self.m2 / n);
        }
        let epsilon = T::decimal(MASKED_EPSILON);
        let divisor = n + epsilon;
        let shift = self.mean * (epsilon / divisor);
        (self.mean * (n / divisor), (self.m2 + n * shift * shift) / divisor)
    }
}

impl Kernel for BatchNorm {
    const INFO: &'static KernelInfo = info!(
        BatchNorm,
        "batch_norm",
        &[
            Binding::read("x"),
            Binding::read("mask"),
            Binding::read("gamma"),
            Binding::read("beta"),
            Binding::read_write("mean"),
            Binding::read_write("variance"),
            Binding::read_write("y"),
        ],
        &[
            Override { name: "MASKED", values: &[0, 1, 2] },
            Override { name: "SCALE", values: &[0, 1] },
            Override { name: "CENTER", values: &[0, 1] },
        ]
    );
    const VARIANTS: &'static [Variant] =
        &variants(&["columns"], &["tree"], include_str!("../../shaders/batch_norm_quads.wgsl"));

    fn grid(&self) -> [u32; 3] {
        [self.features.div_ceil(COLUMNS[0]), self.groups(), 1]
    }

    fn dispatches(&self, _: &Options, variant: usize) -> Vec<Dispatch<Self>> {
        let grid = [self.features.div_ceil(COLUMNS[variant]), self.groups(), 1];
        vec![Dispatch { entry: Self::VARIANTS[variant].entries[0], params: *self, grid }]
    }

    fn fits(&self, options: &Options, variant: usize, traits: &Traits) -> bool {
        fits(variant, traits, self.in_quads(options))
    }

    fn preferred(&self, options: &Options, traits: &Traits) -> usize {
        preferred(self.group_rows, traits, self.in_quads(options))
    }

    fn parts(&self, options: &Options) -> Vec<Part<Self>> {
        if self.task != 0 {
            return vec![Part { params: *self, settled: Vec::new() }];
        }
        let features = self.features as usize;
        let all = self.group_at as usize * features..(self.group_at + self.groups()) as usize * features;
        let means = if options.get("MASKED") != 0 { 0..2 * features } else { all.clone() };
        let statistics = Part { params: BatchNorm { task: 1, ..*self }, settled: vec![(4, means), (5, all)] };
        vec![statistics, Part { params: BatchNorm { task: 2, ..*self }, settled: Vec::new() }]
    }

    fn fast_f32(&self, options: &Options, args: Args<'_, f32>, workers: &Workers) {
        fast::batch_norm(self, options, args, workers);
    }

    fn reference<T: Real>(&self, options: &Options, mut args: Args<'_, T>) {
        let (x, mask, gamma, beta) = (args.read(), args.read(), args.read(), args.read());
        let (mean, variance, y) = (args.write(), args.write(), args.write());
        let [masked, scale, center] = ["MASKED", "SCALE", "CENTER"].map(|name| options.get(name));
        let (features, group_rows) = (self.features as usize, self.group_rows as usize);
        let (x, y) = (&x[self.x_at as usize..], &mut y[self.y_at as usize..]);
        let is_counted = |row: usize, feature: usize| match masked {
            0 => true,
            1 => mask[row] != T::zero(),
            _ => mask[row * features + feature] != T::zero(),
        };
        let mut counted = Vec::new();
        for (group, feature) in (0..self.groups() as usize).flat_map(|g| (0..features).map(move |f| (g, f))) {
            let rows = group * group_rows..(group + 1) * group_rows;
            let at = (self.group_at as usize + group) * features + feature;
            if self.task != 2 {
                let mut total = Moments::none();
                if self.before != 0 {
                    let count = if masked == 0 { self.before } else { mean[features + feature].to_f64() as u32 };
                    total = Moments { count, mean: mean[at], m2: variance[at] };
                }
                for block in rows.clone().step_by(self.block_rows as usize) {
                    let block = block..rows.end.min(block + self.block_rows as usize);
                    counted.clear();
                    counted
                        .extend(block.filter(|&row| is_counted(row, feature)).map(|row| x[row * features + feature]));
                    total = total.joined(Moments::of(&counted));
                }
                (mean[at], variance[at]) =
                    if self.finish != 0 { total.finished(masked != 0) } else { (total.mean, total.m2) };
                if masked != 0 {
                    mean[features + feature] = T::count(total.count);
                }
            }
            if self.task != 1 {
                let deviation = (variance[at] + T::decimal(self.epsilon)).sqrt();
                for i in rows.map(|row| row * features + feature) {
                    let mut value = (x[i] - mean[at]) / deviation;
                    if scale != 0 {
                        value = value * gamma[feature];
                    }
                    if center != 0 {
                        value = value + beta[feature];
                    }
                    y[i] = if self.accumulate != 0 { value + y[i] } else { value };
                }
            }
        }
    }
}
